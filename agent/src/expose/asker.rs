//! Who may ask the agent to do something: people and programs of this host.

use std::net::IpAddr;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// A browser sent it for a web page, which may be anybody's and still comes from this host.
    pub from_page: bool,
}

impl Asker {
    /// Whether it is somebody on this host.
    pub fn is_local(self) -> bool {
        !self.from_page && self.address.is_some_and(|address| address.is_loopback())
    }
}
