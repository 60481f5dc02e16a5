//! Who may ask the agent to do something: people and programs of this host.

use std::net::IpAddr;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// Over TCP, from this address.
    Ip(IpAddr),
    /// Over a unix socket: somebody of this host whom its file lets in.
    Unix,
}

impl Client {
    /// The address; none over a unix socket.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address),
            Self::Unix => None,
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// The client.
    pub client: Client,
    /// A browser sent it for a web page, which may be anybody's and still comes from this host.
    pub from_page: bool,
}

impl Asker {
    /// Whether it is somebody on this host.
    pub fn is_local(self) -> bool {
        let on_this_host = match self.client {
            Client::Ip(address) => address.is_loopback(),
            Client::Unix => true,
        };
        on_this_host && !self.from_page
    }
}
