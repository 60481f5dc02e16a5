//! Connections and TIME_WAIT sockets whose direction is decided when the walk is over and all
//! listeners are known.

use std::net::{IpAddr, Ipv6Addr};

use hostlens_ebpf::wire::{Direction, ListenBind, SockRecord};

use super::{
    connection::{Change, Side},
    owner::OwnerId,
    port_use::Path,
};
use crate::{
    aggregate::{Networks, listeners::Listeners},
    model::PeerKey,
};

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub local_ip: IpAddr,
    pub remote_ip: IpAddr,
    pub local_port: u16,
    pub remote_port: u16,
    pub netns: u32,
}

/// A connection of unknown direction, first seen in this cycle, or one whose peers are told apart
/// by an owner who is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Undecided {
    pub id: u64,
    pub ends: Ends,
    /// What is to be booked once its group is known.
    pub change: Change,
    /// It is no longer among the living.
    pub ended: bool,
    /// Its owner as it was first seen; held.
    pub owner: OwnerId,
    /// Side and key, if its opening was seen.
    pub seen: Option<Box<(Side, PeerKey)>>,
    /// Complete walks when it was first seen.
    pub since: u32,
}

/// An address of a record. IPv4-mapped ones come out as IPv4.
pub(in crate::aggregate) fn ip(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).to_canonical()
}

impl Ends {
    pub fn of(record: &SockRecord) -> Self {
        Self {
            local_ip: ip(record.local_addr),
            remote_ip: ip(record.remote_addr),
            local_port: record.local_port,
            remote_port: record.remote_port,
            netns: record.netns,
        }
    }

    /// Namespace, local and remote address, remote port.
    pub fn path(&self) -> Path {
        (self.netns, self.local_ip, self.remote_ip, self.remote_port)
    }

    /// The group, by the listeners known: inbound if one of the namespace matches.
    pub fn group_by(&self, listeners: &Listeners, networks: &Networks) -> (Side, PeerKey) {
        match listeners.find(self.netns, self.local_ip, self.local_port) {
            Some(bound) => self.inbound(bound, networks),
            None => self.outbound(networks),
        }
    }

    /// The groups a TIME_WAIT socket may have belonged to, likeliest first, if no listener tells.
    pub fn candidates(&self, networks: &Networks) -> [(Side, PeerKey); 4] {
        let any_v4 = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let any_v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        [
            self.outbound(networks),
            self.inbound(self.local_ip, networks),
            self.inbound(any_v4, networks),
            self.inbound(any_v6, networks),
        ]
    }

    /// The likelier side by the ports alone: services have the lower ones.
    pub fn likely_side(&self) -> Side {
        if self.local_port < self.remote_port {
            Side::Inbound
        } else {
            Side::Outbound
        }
    }

    /// The group, by what was seen when the connection was opened; `None` if it was not.
    /// Without a word of how its listener is bound, that is looked up among those known.
    pub fn group_seen(
        &self,
        record: &SockRecord,
        listeners: &Listeners,
        networks: &Networks,
    ) -> Option<(Side, PeerKey)> {
        match Direction::from_wire(record.direction) {
            Direction::Unknown => None,
            Direction::Outbound => Some(self.outbound(networks)),
            Direction::Inbound => {
                let bound = match ListenBind::from_wire(record.listen_bind) {
                    ListenBind::Unknown => listeners
                        .find(self.netns, self.local_ip, self.local_port)
                        .unwrap_or(self.local_ip),
                    ListenBind::Exact => self.local_ip,
                    ListenBind::AnyV4 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
                    ListenBind::AnyV6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                Some(self.inbound(bound, networks))
            }
        }
    }

    fn inbound(&self, listen_ip: IpAddr, networks: &Networks) -> (Side, PeerKey) {
        let key = PeerKey::Inbound {
            listen_ip,
            listen_port: self.local_port,
            remote: networks.remote(self.remote_ip),
        };
        (Side::Inbound, key)
    }

    fn outbound(&self, networks: &Networks) -> (Side, PeerKey) {
        let key = PeerKey::Outbound {
            remote: networks.remote(self.remote_ip),
            remote_port: self.remote_port,
        };
        (Side::Outbound, key)
    }
}
