//! Sockets handed over by systemd: `LISTEN_FDS` of them from descriptor 3 on, if `LISTEN_PID` is us.

use std::{
    net::TcpListener,
    os::{
        fd::{FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    path::PathBuf,
};

use anyhow::{Context, ensure};
use rustix::{
    io::{FdFlags, fcntl_setfd, ioctl_fionbio},
    net::{AddressFamily, SocketType, sockopt},
};

use super::{ListenAddress, Listener, Sockets};

/// `SD_LISTEN_FDS_START`.
const FIRST: RawFd = 3;
/// More than anybody listens on; a larger number is a mistake.
const MOST: usize = 64;

/// Takes them; called once, as nobody else may use these descriptors. `variable` reads the
/// environment.
pub(super) fn inherited(
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Sockets>> {
    let ours = variable("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
    let Some(count) = variable("LISTEN_FDS").filter(|_| ours) else {
        return Ok(None);
    };
    let count: usize = (count.parse().ok())
        .filter(|count| *count <= MOST)
        .with_context(|| {
            format!("LISTEN_FDS={count} is not understood (unset it, or let systemd set it)")
        })?;
    if count == 0 {
        return Ok(None);
    }
    let descriptors = (FIRST..).take(count);
    // SAFETY: the protocol gives these descriptors to this process, for whoever reads the variables
    // first; nothing else in it does.
    take(descriptors.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })).map(Some)
}

/// Sockets out of descriptors; those left over are closed if one is refused.
pub(super) fn take(descriptors: impl Iterator<Item = OwnedFd>) -> anyhow::Result<Sockets> {
    let descriptors: Vec<OwnedFd> = descriptors.collect();
    let mut sockets = Sockets {
        listeners: Vec::new(),
        addresses: Vec::new(),
    };
    for descriptor in descriptors {
        let (listener, address) = socket(descriptor)
            .context("systemd handed over a socket that cannot be used (in the .socket unit write ListenStream= and Accept=no)")?;
        sockets.listeners.push(listener);
        sockets.addresses.push(address);
    }
    Ok(sockets)
}

fn socket(descriptor: OwnedFd) -> anyhow::Result<(Listener, ListenAddress)> {
    ensure!(
        sockopt::socket_type(&descriptor).context("not a socket")? == SocketType::STREAM
            && sockopt::socket_acceptconn(&descriptor)?,
        "not a stream socket that listens"
    );
    // Programs that we start do not get it.
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&descriptor, true)?;
    match sockopt::socket_domain(&descriptor)? {
        AddressFamily::INET | AddressFamily::INET6 => {
            let listener = TcpListener::from(descriptor);
            let address = ListenAddress::Tcp(listener.local_addr()?);
            Ok((Listener::Tcp(listener), address))
        }
        AddressFamily::UNIX => {
            let listener = UnixListener::from(descriptor);
            let address = listener.local_addr()?;
            let path = address.as_pathname().map(PathBuf::from);
            // An abstract name is shown as people write it.
            let name = || address_name(&address);
            let address = ListenAddress::Unix(path.unwrap_or_else(name));
            // Its file is systemd's, which listens on.
            Ok((Listener::Unix(listener, None), address))
        }
        _ => anyhow::bail!("neither TCP nor unix"),
    }
}

fn address_name(address: &std::os::unix::net::SocketAddr) -> PathBuf {
    use std::os::linux::net::SocketAddrExt as _;
    let name = address.as_abstract_name().unwrap_or_default();
    PathBuf::from(format!("@{}", String::from_utf8_lossy(name)))
}
