//! Where the server listens: TCP addresses, unix sockets, or sockets that systemd opened.

mod activation;
mod stream;
#[cfg(test)]
mod tests;
mod unix;

use std::{
    fmt,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::PathBuf,
    str::FromStr,
};

use anyhow::Context;

pub(super) use stream::{Acceptor, Stream};
use unix::SocketFile;

/// Begins the address of a unix socket.
const UNIX: &str = "unix:";

/// Where to listen: `ADDRESS:PORT` or `unix:/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP port; 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket, whose file is read and written by its user and group only.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Whether only this host reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(UNIX) {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("give the whole path of the socket: unix:/run/hostlens/hostlens.sock"),
            None => (text.parse().map(Self::Tcp))
                .map_err(|_| "give ADDRESS:PORT, such as 127.0.0.1:10477, or unix:/PATH"),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// A socket that listens and does not block.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    /// With its file, if it is ours to remove.
    Unix(UnixListener, Option<SocketFile>),
}

/// Sockets that listen.
#[derive(Debug)]
pub struct Sockets {
    pub(super) listeners: Vec<Listener>,
    pub(super) addresses: Vec<ListenAddress>,
}

impl Sockets {
    /// Listens on all `addresses`.
    ///
    /// # Errors
    /// If an address cannot be listened on, naming it and the cure.
    pub fn bind(addresses: &[ListenAddress]) -> anyhow::Result<Self> {
        let mut sockets = Self {
            listeners: Vec::with_capacity(addresses.len()),
            addresses: Vec::with_capacity(addresses.len()),
        };
        for address in addresses {
            let (listener, address) = match address {
                ListenAddress::Tcp(address) => tcp(*address)?,
                ListenAddress::Unix(path) => {
                    let (listener, file) = SocketFile::listen(path)?;
                    (Listener::Unix(listener, Some(file)), address.clone())
                }
            };
            sockets.listeners.push(listener);
            sockets.addresses.push(address);
        }
        Ok(sockets)
    }

    /// The sockets that systemd opened for this process, by the protocol of `sd_listen_fds`;
    /// `None` if there are none.
    ///
    /// # Errors
    /// If one of them is not a stream socket that listens.
    pub fn from_systemd() -> anyhow::Result<Option<Self>> {
        activation::inherited(|name| std::env::var(name).ok())
    }

    /// The addresses listened on, with the ports that were taken.
    pub fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }
}

fn tcp(address: SocketAddr) -> anyhow::Result<(Listener, ListenAddress)> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address} (choose another address with --listen)")
    })?;
    listener
        .set_nonblocking(true)
        .with_context(|| format!("cannot listen on {address}"))?;
    let bound = listener
        .local_addr()
        .with_context(|| format!("cannot tell the port of {address}"))?;
    Ok((Listener::Tcp(listener), ListenAddress::Tcp(bound)))
}
