//! Who scrapes, and what each has been served: the birth of a series waits for that.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{clock::Moment, model::BirthGate};

/// A scraper that was not served for so long is gone.
const ACTIVE: Duration = Duration::from_secs(600);
/// Scrapers remembered at most.
const CAPACITY: usize = 64;
/// Bytes of a User-Agent that tell scrapers apart.
const AGENT_BYTES: usize = 128;

/// What tells scrapers apart. Two Prometheus servers behind one address with one User-Agent are
/// one scraper.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    address: Option<IpAddr>,
    user_agent: String,
}

#[derive(Clone, Copy, Debug)]
struct Served {
    sequence: u64,
    at: Moment,
}

/// A scraper as `/status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scraper {
    /// Address; `None` for one without (a unix socket).
    pub address: Option<IpAddr>,
    /// User-Agent, at most 128 bytes.
    pub user_agent: String,
    /// Time since it was last served.
    pub ago: Duration,
    /// Sequence of the last snapshot it was served completely.
    pub sequence: u64,
}

/// The scrapers of the last 10 minutes; a bounded table.
#[derive(Debug, Default)]
pub struct Scrapers {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    served: HashMap<Identity, Served>,
    evicted: u64,
}

impl Scrapers {
    /// A response with this snapshot was handed to the scraper's connection completely.
    pub fn served(&self, address: Option<IpAddr>, user_agent: &str, sequence: u64, now: Moment) {
        let mut end = user_agent.len().min(AGENT_BYTES);
        while !user_agent.is_char_boundary(end) {
            end -= 1;
        }
        let identity = Identity {
            address,
            user_agent: user_agent.get(..end).unwrap_or_default().to_owned(),
        };
        let mut table = self.lock();
        table.forget_idle(now);
        if table.served.len() >= CAPACITY && !table.served.contains_key(&identity) {
            table.evict_oldest();
        }
        let served = table
            .served
            .entry(identity)
            .or_insert(Served { sequence, at: now });
        served.sequence = served.sequence.max(sequence);
        served.at = now;
    }

    /// What every active scraper has been served at least.
    pub fn gate(&self, now: Moment) -> BirthGate {
        let mut table = self.lock();
        table.forget_idle(now);
        BirthGate {
            served_floor: table.served.values().map(|served| served.sequence).min(),
        }
    }

    /// All active scrapers, the latest first.
    pub fn list(&self, now: Moment) -> Vec<Scraper> {
        let mut table = self.lock();
        table.forget_idle(now);
        let mut list: Vec<Scraper> = table
            .served
            .iter()
            .map(|(identity, served)| Scraper {
                address: identity.address,
                user_agent: identity.user_agent.clone(),
                ago: now.since(served.at),
                sequence: served.sequence,
            })
            .collect();
        list.sort_by_key(|scraper| scraper.ago);
        list
    }

    /// Scrapers active now, and scrapers ever forgotten before their time for want of room.
    pub fn counts(&self, now: Moment) -> (u64, u64) {
        let mut table = self.lock();
        table.forget_idle(now);
        (table.served.len() as u64, table.evicted)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change is complete before the lock is released, even by a panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_idle(&mut self, now: Moment) {
        self.served
            .retain(|_, served| now.since(served.at) <= ACTIVE);
    }

    fn evict_oldest(&mut self) {
        let oldest = self
            .served
            .iter()
            .min_by_key(|(_, served)| served.at.mono_ns);
        if let Some(identity) = oldest.map(|(identity, _)| identity.clone()) {
            self.served.remove(&identity);
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(start: Moment, seconds: u64) -> Moment {
        start.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn the_slowest_scraper_decides_until_it_is_gone() {
        let (scrapers, start) = (Scrapers::default(), Moment::now());
        let ip = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(scrapers.gate(start).served_floor, None);
        scrapers.served(ip, "Prometheus/2.42.0", 5, at(start, 0));
        scrapers.served(ip, "vmagent", 3, at(start, 1));
        assert_eq!(scrapers.gate(at(start, 2)).served_floor, Some(3));
        scrapers.served(ip, "vmagent", 9, at(start, 3));
        assert_eq!(scrapers.gate(at(start, 4)).served_floor, Some(5));
        assert_eq!(scrapers.gate(at(start, 600)).served_floor, Some(5));
        assert_eq!(scrapers.gate(at(start, 601)).served_floor, Some(9));
        assert_eq!(scrapers.gate(at(start, 604)).served_floor, None);
        assert_eq!(scrapers.counts(at(start, 604)), (0, 0));
    }

    #[test]
    fn a_late_response_takes_nothing_back() {
        let (scrapers, start) = (Scrapers::default(), Moment::now());
        scrapers.served(None, "curl", 8, start);
        scrapers.served(None, "curl", 7, start);
        assert_eq!(scrapers.gate(start).served_floor, Some(8));
    }

    #[test]
    fn the_table_is_bounded() {
        let (scrapers, start) = (Scrapers::default(), Moment::now());
        for n in 0..1_000 {
            scrapers.served(None, &format!("agent-{n}"), n, at(start, n / 100));
        }
        let now = at(start, 10);
        assert_eq!(scrapers.counts(now), (64, 936));
        assert!(scrapers.gate(now).served_floor >= Some(900));
        assert_eq!(scrapers.list(now).len(), 64);
    }

    #[test]
    fn a_long_user_agent_is_cut_between_characters() {
        let (scrapers, start) = (Scrapers::default(), Moment::now());
        scrapers.served(None, &"ä".repeat(500), 1, start);
        scrapers.served(None, &format!("x{}", "ä".repeat(500)), 1, start);
        let lengths: Vec<_> = scrapers
            .list(start)
            .iter()
            .map(|s| s.user_agent.len())
            .collect();
        assert!(
            lengths.contains(&128) && lengths.contains(&127),
            "{lengths:?}"
        );
    }
}
