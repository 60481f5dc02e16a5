//! Who listens where, and who did until lately.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use rustc_hash::FxHashMap;

use crate::{aggregate::shrink, clock::Moment, model::Owner};

/// Listeners remembered at most beyond those that live.
const REMEMBERED: usize = 16_384;

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// A bound address of one owner.
#[derive(Debug)]
pub(super) struct Door {
    pub ip: IpAddr,
    pub owner: Owner,
    sockets: u32,
    /// When the last of its sockets had gone; `None`: someone listens.
    pub gone: Option<Moment>,
}

/// Where a socket is bound: network namespace, address, port.
pub(super) type Place = (u32, IpAddr, u16);

/// All doors by network namespace and port.
#[derive(Debug, Default)]
pub(super) struct Doors {
    doors: FxHashMap<(u32, u16), Vec<Door>>,
    /// How many have gone.
    gone: usize,
}

impl Doors {
    /// One more socket of `owner` listens.
    pub fn open(&mut self, (netns, ip, port): Place, owner: Owner) {
        let doors = self.doors.entry((netns, port)).or_default();
        match doors
            .iter_mut()
            .find(|door| door.ip == ip && door.owner == owner)
        {
            Some(door) => {
                door.sockets += 1;
                self.gone -= usize::from(door.gone.take().is_some());
            }
            None => doors.push(Door {
                ip,
                owner,
                sockets: 1,
                gone: None,
            }),
        }
    }

    /// A socket of `owner` has gone.
    pub fn close(&mut self, (netns, ip, port): Place, owner: &Owner, at: Moment) {
        let doors = self.doors.get_mut(&(netns, port));
        let door = doors.and_then(|doors| {
            doors
                .iter_mut()
                .find(|door| door.ip == ip && door.owner == *owner)
        });
        if let Some(door) = door
            && door.gone.is_none()
        {
            door.sockets = door.sockets.saturating_sub(1);
            if door.sockets == 0 {
                door.gone = Some(at);
                self.gone += 1;
            }
        }
    }

    /// Whose door a connection request to `ip`:`port` found, or would have found: of the most
    /// specific address, as in the kernel (`::` takes IPv4 too); where several stood there, one
    /// that is there, else the last to go.
    pub fn find(&self, (netns, ip, port): Place) -> Option<&Door> {
        let doors = self.doors.get(&(netns, port))?;
        let wanted = [Some(ip), ip.is_ipv4().then_some(ANY_V4), Some(ANY_V6)];
        wanted.into_iter().flatten().find_map(|wanted| {
            let there = doors.iter().filter(|door| door.ip == wanted);
            there.max_by_key(|door| door.gone.map_or(u64::MAX, |gone| gone.mono_ns))
        })
    }

    /// When `owner` went from exactly this place; `None` if it has not, or is not known.
    pub fn gone(&self, (netns, ip, port): Place, owner: &Owner) -> Option<Moment> {
        let doors = self.doors.get(&(netns, port))?;
        let mut there = doors.iter().filter(|door| door.ip == ip);
        if there.clone().any(|door| door.gone.is_none()) {
            return None;
        }
        there.find(|door| door.owner == *owner)?.gone
    }

    /// Forgets doors that have been gone for `retention`, and all that have gone once there are
    /// too many.
    pub fn age(&mut self, now: Moment, retention: Duration) {
        if self.gone == 0 {
            return;
        }
        let crowded = self.gone > REMEMBERED;
        let mut left = 0;
        self.doors.retain(|_, doors| {
            doors.retain(|door| match door.gone {
                None => true,
                Some(gone) => {
                    let stays = !crowded && now.since(gone) < retention;
                    left += usize::from(stays);
                    stays
                }
            });
            !doors.is_empty()
        });
        self.gone = left;
        shrink(&mut self.doors);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn at(seconds: u64) -> Moment {
        let start = Moment {
            mono_ns: 0,
            boot_ns: 0,
            wall: std::time::UNIX_EPOCH,
        };
        start.plus(Duration::from_secs(seconds))
    }

    fn owner(name: &str) -> Owner {
        Owner {
            process: name.into(),
            user: "root".into(),
            service: "".into(),
        }
    }

    fn place(ip: &str, port: u16) -> Place {
        (1, ip.parse().unwrap(), port)
    }

    fn found(doors: &Doors, ip: &str, port: u16) -> Option<String> {
        let door = doors.find(place(ip, port))?;
        Some(door.owner.process.to_string())
    }

    #[test]
    fn the_most_specific_door_is_named_and_of_several_the_last() {
        let mut doors = Doors::default();
        doors.open(place("::", 80), owner("six"));
        doors.open(place("0.0.0.0", 80), owner("any"));
        doors.open(place("10.0.0.1", 80), owner("old"));
        doors.open(place("10.0.0.1", 80), owner("new"));
        doors.close(place("10.0.0.1", 80), &owner("new"), at(3));
        doors.close(place("10.0.0.1", 80), &owner("old"), at(2));
        assert_eq!(found(&doors, "10.0.0.1", 80).unwrap(), "new");
        assert_eq!(found(&doors, "10.0.0.2", 80).unwrap(), "any");
        assert_eq!(found(&doors, "fd00::1", 80).unwrap(), "six");
        assert_eq!(found(&doors, "10.0.0.1", 81), None);
        assert!(doors.find((2, ANY_V4, 80)).is_none());
    }

    #[test]
    fn gone_is_who_has_no_socket_left_until_somebody_comes_back() {
        let mut doors = Doors::default();
        let here = place("0.0.0.0", 80);
        doors.open(here, owner("web"));
        doors.open(here, owner("web"));
        doors.close(here, &owner("web"), at(1));
        assert_eq!(doors.gone(here, &owner("web")), None);
        doors.close(here, &owner("web"), at(2));
        assert_eq!(doors.gone(here, &owner("web")), Some(at(2)));
        doors.age(at(901), Duration::from_secs(900));
        assert_eq!(found(&doors, "10.0.0.1", 80).unwrap(), "web");
        doors.open(here, owner("next"));
        assert_eq!(doors.gone(here, &owner("web")), None, "another took over");
        doors.age(at(902), Duration::from_secs(900));
        assert_eq!(found(&doors, "10.0.0.1", 80).unwrap(), "next");
    }

    #[test]
    fn memory_of_the_gone_is_bounded() {
        let mut doors = Doors::default();
        for netns in 0..20_000 {
            doors.open((netns, ANY_V4, 80), owner("web"));
            doors.close((netns, ANY_V4, 80), &owner("web"), at(1));
        }
        doors.open((7, ANY_V4, 80), owner("web"));
        doors.age(at(2), Duration::from_secs(900));
        assert_eq!(doors.doors.len(), 1);
        assert_eq!(doors.gone, 0);
        assert!(doors.doors.capacity() < 4_096);
    }
}
