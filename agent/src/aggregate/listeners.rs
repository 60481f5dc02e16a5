//! Listening sockets, known and remembered: they tell who opened a connection that was not seen
//! opening.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use rustc_hash::FxHashMap;

use crate::clock::Moment;

/// Listeners remembered at most beyond those that live.
const REMEMBERED: usize = 16_384;

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[derive(Debug)]
struct Bound {
    ip: IpAddr,
    seen: Moment,
}

/// Bound addresses by network namespace and port.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    bound: FxHashMap<(u32, u16), Vec<Bound>>,
}

impl Listeners {
    /// A listener was seen by the walk that began at `now`.
    pub fn see(&mut self, netns: u32, ip: IpAddr, port: u16, now: Moment) {
        let bound = self.bound.entry((netns, port)).or_default();
        match bound.iter_mut().find(|known| known.ip == ip) {
            Some(known) => known.seen = now,
            None => bound.push(Bound { ip, seen: now }),
        }
    }

    /// The bound address of the listener that a connection to `ip`:`port` went to: the most
    /// specific one, as in the kernel; `::` takes IPv4 too (dual-stack).
    pub fn find(&self, netns: u32, ip: IpAddr, port: u16) -> Option<IpAddr> {
        let bound = self.bound.get(&(netns, port))?;
        let wanted = [Some(ip), ip.is_ipv4().then_some(ANY_V4), Some(ANY_V6)];
        wanted
            .into_iter()
            .flatten()
            .find(|wanted| bound.iter().any(|known| known.ip == *wanted))
    }

    /// All of them: namespace, bound address, port.
    pub fn all(&self) -> impl Iterator<Item = (u32, IpAddr, u16)> {
        self.bound.iter().flat_map(|(&(netns, port), bound)| {
            bound.iter().map(move |known| (netns, known.ip, port))
        })
    }

    /// Forgets listeners that were last seen `retention` or longer before the walk that began at
    /// `now`; all that have gone once there are too many.
    pub fn age(&mut self, now: Moment, retention: Duration) {
        let gone: usize = self
            .bound
            .values()
            .map(|bound| bound.iter().filter(|known| known.seen != now).count())
            .sum();
        if gone == 0 {
            return;
        }
        let crowded = gone > REMEMBERED;
        self.bound.retain(|_, bound| {
            bound.retain(|known| {
                known.seen == now || (!crowded && now.since(known.seen) < retention)
            });
            !bound.is_empty()
        });
        super::shrink(&mut self.bound);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn start() -> Moment {
        Moment {
            mono_ns: 0,
            boot_ns: 0,
            wall: std::time::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_most_specific_listener_of_the_namespace_wins() {
        let mut listeners = Listeners::default();
        listeners.see(1, ANY_V6, 80, start());
        listeners.see(1, ANY_V4, 80, start());
        listeners.see(1, ip("10.0.0.1"), 80, start());
        listeners.see(1, ANY_V6, 443, start());
        listeners.see(1, ANY_V4, 22, start());
        let find = |address, port| listeners.find(1, ip(address), port);
        assert_eq!(find("10.0.0.1", 80), Some(ip("10.0.0.1")));
        assert_eq!(find("10.0.0.2", 80), Some(ANY_V4));
        assert_eq!(find("fd00::1", 80), Some(ANY_V6));
        assert_eq!(find("10.0.0.2", 443), Some(ANY_V6), "dual-stack");
        assert_eq!(find("fd00::1", 22), None, "0.0.0.0 takes no IPv6");
        assert_eq!(find("10.0.0.1", 8080), None);
        assert_eq!(listeners.find(2, ip("10.0.0.1"), 80), None);
    }

    #[test]
    fn a_gone_listener_is_remembered_for_a_while() {
        let retention = Duration::from_secs(900);
        let mut listeners = Listeners::default();
        listeners.see(1, ANY_V4, 80, start());
        listeners.age(start().plus(Duration::from_secs(899)), retention);
        assert!(listeners.find(1, ip("10.0.0.1"), 80).is_some());
        listeners.age(start().plus(Duration::from_secs(900)), retention);
        assert!(listeners.find(1, ip("10.0.0.1"), 80).is_none());
    }

    #[test]
    fn memory_of_the_gone_is_bounded() {
        let mut listeners = Listeners::default();
        for netns in 0..20_000 {
            listeners.see(netns, ANY_V4, 80, start());
        }
        let later = start().plus(Duration::from_secs(5));
        listeners.see(7, ANY_V4, 80, later);
        listeners.age(later, Duration::from_secs(900));
        assert_eq!(listeners.bound.len(), 1);
        assert!(listeners.bound.capacity() < 4_096);
    }
}
