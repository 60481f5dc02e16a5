//! Times to first byte beside the lines they belong to: whose answers, and what they are made of.

use std::net::IpAddr;

use hostlens_ebpf::wire::Direction;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{
    ListenerKey, ListenerTurnRow, PeerKey, PeerRow, QUANTILES, ResponseRow, ResponseState, Snapshot,
};

use super::{
    item::Item,
    stack::{Part, Stack},
};

/// Quantiles in the order of [`QUANTILES`], seconds.
type Quantiles = [f64; QUANTILES.len()];
/// Positions of the two that are shown.
pub const P50: usize = 0;
/// See [`P50`].
pub const P95: usize = 2;

/// Where a larger share of turns is left out, the rest does not speak for the group.
pub const MANY: f64 = 0.5;

/// The answers of a group of connections.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// `None`: none was seen.
    pub row: Option<&'a ResponseRow>,
    /// The way there and back of the same connections, see [`way`].
    network: Option<Quantiles>,
    /// They are watched, or were within the last minute.
    pub watched: bool,
}

/// The answers given on the connections of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Turns<'a> {
    /// `None`: none was seen.
    pub row: Option<&'a ListenerTurnRow>,
    /// The way to its clients and back, see [`way`].
    pub network: Option<Quantiles>,
    /// They are watched, or were within the last minute.
    pub watched: bool,
}

/// The longest that kernels keep an acknowledgement back for an answer to go with it, usually.
const HELD_BACK: f64 = 0.040;

/// Round-trip times of a group without what the other end kept acknowledgements back for: at least
/// the shortest of its connections, and of a longer one what that cannot explain. `None` while the
/// shortest is not known.
fn way(peer: &PeerRow) -> Option<Quantiles> {
    let shortest = peer.min_rtt_ns? as f64 / 1e9;
    let quantiles = peer.rtt_quantiles?;
    Some(quantiles.map(|rtt| shortest.max(rtt - HELD_BACK)))
}

fn pick(quantiles: Option<Quantiles>, at: usize) -> Option<f64> {
    quantiles?.get(at).copied()
}

impl Answer<'_> {
    /// Time to the first byte.
    pub fn response(&self, at: usize) -> Option<f64> {
        pick(self.row?.quantiles, at)
    }

    /// Of it, what the peer took itself; of connections opened from here.
    pub fn peer(&self, at: usize) -> Option<f64> {
        pick(self.row?.peer_quantiles, at)
    }

    /// What whoever asked waited for: of an outbound connection the parts of the response, of an
    /// inbound one the way and the response. `None` while a part is not known.
    pub fn stack(&self, at: usize) -> Option<Stack> {
        let response = self.response(at)?;
        Some(match self.row?.key.direction() {
            Direction::Outbound => {
                let peer = self.peer(at)?.min(response);
                Stack::two([(Part::Network, response - peer), (Part::Peer, peer)])
            }
            Direction::Inbound | Direction::Unknown => {
                let network = pick(self.network, at)?;
                Stack::two([(Part::Network, network), (Part::Here, response)])
            }
        })
    }

    /// Turns left out.
    pub fn excluded(&self) -> Option<u64> {
        self.row.map(|row| row.excluded.iter().sum())
    }

    /// Share of turns left out, 0 to 1; `None` without any turn.
    pub fn excluded_ratio(&self) -> Option<f64> {
        let excluded = self.excluded()?;
        let all = excluded + self.row?.response.count();
        (all > 0).then(|| excluded as f64 / all as f64)
    }
}

impl Turns<'_> {
    /// The way to its clients and back.
    pub fn way(&self, at: usize) -> Option<f64> {
        pick(self.network, at)
    }

    /// From the arrival of a question until it was read.
    pub fn wait(&self, at: usize) -> Option<f64> {
        pick(self.row?.wait_quantiles, at)
    }

    /// From then to the first byte of the answer.
    pub fn serve(&self, at: usize) -> Option<f64> {
        pick(self.row?.serve_quantiles, at)
    }

    /// What its clients waited for. `None` while a part is not known.
    pub fn stack(&self, at: usize) -> Option<Stack> {
        Some(Stack::three([
            (Part::Network, self.way(at)?),
            (Part::Wait, self.wait(at)?),
            (Part::Serve, self.serve(at)?),
        ]))
    }
}

/// Whether there is anything to show: the programs run, or something was seen in the last minute.
pub fn watched(snapshot: &Snapshot) -> bool {
    snapshot.own.response_time.state == ResponseState::Attached
        || snapshot.responses.iter().any(|row| row.quantiles.is_some())
        || snapshot
            .listener_turns
            .iter()
            .any(|row| row.serve_quantiles.is_some() || row.wait_quantiles.is_some())
}

/// The lines of the peer view. Groups of which the answers alone are known come last.
pub fn peers(snapshot: &Snapshot) -> Vec<Item<'_>> {
    let watched = watched(snapshot);
    let mut rows: FxHashMap<PeerKey, &ResponseRow> = FxHashMap::default();
    rows.extend(snapshot.responses.iter().map(|row| (row.key, row)));
    let mut items: Vec<Item<'_>> = Vec::with_capacity(snapshot.peers.len());
    let mut placed = FxHashSet::default();
    for peer in &snapshot.peers {
        let row = rows.get(&peer.key).copied();
        if row.is_some() {
            placed.insert(peer.key);
        }
        // What lies beyond the one budget is not what lies beyond the other.
        let same = !matches!(peer.key, PeerKey::Folded(_));
        let answer = Answer {
            row,
            network: way(peer).filter(|_| same),
            watched,
        };
        items.push(Item::Peer(peer, answer));
    }
    let rest = snapshot.responses.iter();
    let rest = rest.filter(|row| !placed.contains(&row.key));
    items.extend(rest.map(|row| {
        let answer = Answer {
            row: Some(row),
            network: None,
            watched,
        };
        Item::Answers(row, answer)
    }));
    items
}

/// The lines of the listener view but for refused ports, likewise.
pub fn listeners(snapshot: &Snapshot) -> Vec<Item<'_>> {
    let watched = watched(snapshot);
    let rows = snapshot.listener_turns.iter().map(|row| (&row.key, row));
    let rows: FxHashMap<&ListenerKey, &ListenerTurnRow> = rows.collect();
    let networks = networks(snapshot);
    let mut items: Vec<Item<'_>> = Vec::with_capacity(snapshot.listeners.len());
    let mut placed = FxHashSet::default();
    for listener in &snapshot.listeners {
        let row = rows.get(&listener.key).copied();
        if row.is_some() {
            placed.insert(&listener.key);
        }
        let network = match &listener.key {
            ListenerKey::Bound { ip, port, .. } => networks.get(&(*ip, *port)).copied(),
            ListenerKey::Folded => None,
        };
        let turns = Turns {
            row,
            network,
            watched,
        };
        items.push(Item::Listener(listener, turns));
    }
    let rest = snapshot.listener_turns.iter();
    let rest = rest.filter(|row| !placed.contains(&row.key));
    items.extend(rest.map(|row| {
        let turns = Turns {
            row: Some(row),
            network: None,
            watched,
        };
        Item::Turns(row, turns)
    }));
    items
}

/// Round-trip times by the place clients connected to, all clients together.
fn networks(snapshot: &Snapshot) -> FxHashMap<(IpAddr, u16), Quantiles> {
    let mut mixtures: FxHashMap<(IpAddr, u16), Mixture> = FxHashMap::default();
    if snapshot.listener_turns.is_empty() {
        return FxHashMap::default();
    }
    for peer in &snapshot.peers {
        let PeerKey::Inbound {
            listen_ip,
            listen_port,
            ..
        } = peer.key
        else {
            continue;
        };
        if let Some(quantiles) = way(peer) {
            let mixture = mixtures.entry((listen_ip, listen_port)).or_default();
            mixture.add(quantiles, peer.rtt.count().max(1));
        }
    }
    let mixtures = mixtures.into_iter();
    mixtures
        .filter_map(|(place, mixture)| Some((place, mixture.quantiles()?)))
        .collect()
}

/// Several distributions of which quantiles are known, as one. Each gives what lies between two of
/// its quantiles at the upper one: alone it comes out as it went in, and a mixture is never told
/// smaller than it is.
#[derive(Default)]
struct Mixture(Vec<(f64, f64)>);

impl Mixture {
    fn add(&mut self, quantiles: Quantiles, samples: u64) {
        let mut below = 0.0;
        for (value, upto) in quantiles.into_iter().zip(QUANTILES) {
            self.0.push((value, (upto - below) * samples as f64));
            below = upto;
        }
    }

    fn quantiles(mut self) -> Option<Quantiles> {
        self.0
            .sort_by(|(left, _), (right, _)| left.total_cmp(right));
        let total: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let &(most, _) = self.0.last()?;
        Some(QUANTILES.map(|quantile| {
            let mut passed = 0.0;
            let found = self.0.iter().find(|(_, weight)| {
                passed += weight;
                // Sums of shares are off by a little.
                passed >= quantile * total * (1.0 - 1e-9)
            });
            found.map_or(most, |(value, _)| *value)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_distribution_is_itself_and_two_lie_between() {
        let near = [0.001, 0.002, 0.003, 0.004, 0.009];
        let far = [0.1, 0.2, 0.3, 0.4, 0.9];
        let mix = |parts: &[(Quantiles, u64)]| {
            let mut mixture = Mixture::default();
            for &(quantiles, samples) in parts {
                mixture.add(quantiles, samples);
            }
            mixture.quantiles()
        };
        assert_eq!(mix(&[(near, 7)]), Some(near));
        assert_eq!(mix(&[(far, 1), (far, 3)]), Some(far));
        assert_eq!(mix(&[]), None);
        // One sample in ten comes from afar: the median does not, the 95th percentile does.
        let [p50, p75, p95, .., max] = mix(&[(near, 900), (far, 100)]).unwrap_or_default();
        assert!(p50 <= 0.003 && p75 <= 0.003, "{p50} {p75}");
        assert!((0.1..=0.3).contains(&p95), "{p95}");
        assert_eq!(max, 0.9);
    }
}
