//! Round-trip times of every acknowledgement, from histograms that programs fill
//! (`--rtt-source ack`).
//!
//! A group's slot is taken back in two steps, a cycle apart, as events under way may still add to
//! it: what they added in between is still handed over under the group's key.

use std::{net::IpAddr, sync::atomic::Ordering::Relaxed, time::Duration};

use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, Queue, lpm_trie::Key};
use hostlens_ebpf::wire::{
    Direction, LISTENING, ListenKey, OWN_NETWORKS, RTT_FOLDED, RTT_GROUPS, RTT_SLOTS, RttKey,
    RttSlot,
};
use ipnet::IpNet;
use rustc_hash::FxHashSet;

use crate::{
    aggregate::Networks,
    clock::Moment,
    collect::RttSink,
    kernel::{LoadedObject, SharedSlots},
    model::{MapFill, SampleCounts},
};

/// A group without a sample for so long gives its slot to others.
const IDLE: Duration = Duration::from_secs(60);
/// Map of the histograms.
const HISTOGRAMS: &str = "RTT_HISTOGRAMS";
/// Programs that run in this mode only.
pub const PROGRAMS: [&str; 2] = ["tcp_acked", "tcp_acked_last"];
/// Maps that are made as small as can be where those programs are not used.
pub const MAPS: [&str; 5] = [
    HISTOGRAMS,
    "RTT_SLOT_OF",
    "RTT_FREE",
    "RTT_NETWORKS",
    "RTT_LISTENING",
];
/// Prefix length of IPv4 in its IPv6-mapped form.
const MAPPED: u8 = 96;

/// What a slot of a group is to us.
#[derive(Clone, Copy)]
enum Use {
    /// Nobody's, as far as we have seen.
    Free,
    /// A group's, with its last sample.
    Group(Moment),
    /// Taken from its group: free after the next look.
    Leaving,
}

/// The source.
pub struct AckHistograms {
    slots: SharedSlots<RttSlot>,
    uses: Vec<Use>,
    groups: HashMap<MapData, RttKey, u32>,
    free: Queue<MapData, u32>,
    listening: HashMap<MapData, ListenKey, u32>,
    generation: Array<MapData, u32>,
    changes: u32,
    /// What [`AckHistograms::listening`] holds.
    published: FxHashSet<ListenKey>,
    lost: u64,
}

impl AckHistograms {
    /// Takes the maps of an object whose programs are attached; histograms begin to fill.
    ///
    /// # Errors
    /// A map is missing or refuses what it is to hold, such as more own networks than there is
    /// room for.
    pub fn start(object: &mut LoadedObject, networks: &Networks) -> anyhow::Result<Self> {
        let slots = object
            .map(HISTOGRAMS)
            .ok_or_else(|| anyhow::anyhow!("no map {HISTOGRAMS}"))?;
        let slots = SharedSlots::map(slots, RTT_SLOTS)?;
        let mut trie: LpmTrie<MapData, [u8; 16], u32> = taken(object, "RTT_NETWORKS")?;
        let prefixes = prefixes(networks);
        anyhow::ensure!(
            prefixes.len() <= OWN_NETWORKS,
            "more than {OWN_NETWORKS} own networks"
        );
        for (length, address, own) in prefixes {
            trie.insert(&Key::new(u32::from(length), address), u32::from(own), 0)?;
        }
        let mut free: Queue<MapData, u32> = taken(object, "RTT_FREE")?;
        for slot in RTT_FOLDED..RTT_SLOTS {
            free.push(slot as u32, 0)?;
        }
        Ok(Self {
            slots,
            uses: vec![Use::Free; RTT_SLOTS],
            groups: taken(object, "RTT_SLOT_OF")?,
            free,
            listening: taken(object, "RTT_LISTENING")?,
            generation: taken(object, "RTT_LISTENERS")?,
            changes: 0,
            published: FxHashSet::default(),
            lost: 0,
        })
    }

    /// Hands what was measured since the last call to the sink, and takes slots back from groups
    /// that have been idle.
    pub fn take(&mut self, now: Moment, sink: &mut dyn RttSink) {
        let slots = self.slots.all();
        let (folded, of_groups) = slots.split_at(RTT_FOLDED.min(slots.len()));
        for (slot, direction) in folded.iter().zip([Direction::Inbound, Direction::Outbound]) {
            let samples = samples(slot);
            self.lost += samples.count() + u64::from(slot.lost.swap(0, Relaxed));
            if !samples.is_empty() {
                sink.rtt_elsewhere(direction, &samples);
            }
        }
        for (index, slot) in (RTT_FOLDED as u32..).zip(of_groups) {
            let Some(held) = self.uses.get_mut(index as usize) else {
                continue;
            };
            if slot.used.load(Relaxed) == 0 {
                continue;
            }
            let key = RttKey::of_words(std::array::from_fn(|word| {
                slot.key.get(word).map_or(0, |word| word.load(Relaxed))
            }));
            let samples = samples(slot);
            let idle = samples.is_empty();
            if !idle {
                sink.rtt(&key, &samples);
            }
            *held = match *held {
                Use::Group(last) if idle && now.since(last) >= IDLE => {
                    // Whatever the answer, it can no longer be found there.
                    let _ = self.groups.remove(&key);
                    slot.generation.fetch_add(1, Relaxed);
                    Use::Leaving
                }
                Use::Group(last) if idle => Use::Group(last),
                Use::Free | Use::Group(_) => Use::Group(now),
                Use::Leaving => {
                    // Who remembered it in between looks its group up again.
                    slot.generation.fetch_add(1, Relaxed);
                    slot.used.store(0, Relaxed);
                    // There is room for all slots.
                    let _ = self.free.push(index, 0);
                    Use::Free
                }
            };
        }
    }

    /// Tells the programs who listens, by which they decide about connections whose opening they
    /// did not see. Until the first call these are left out.
    pub fn publish(&mut self, listeners: impl Iterator<Item = (u32, IpAddr, u16)>) {
        let wanted: FxHashSet<ListenKey> = listeners
            .map(|(netns, address, port)| ListenKey {
                addr: mapped(address),
                netns,
                port,
                reserved: 0,
            })
            .take(LISTENING)
            .collect();
        if self.changes > 0 && wanted == self.published {
            return;
        }
        for gone in self.published.difference(&wanted) {
            // Already gone is as good.
            let _ = self.listening.remove(gone);
        }
        for new in wanted.difference(&self.published) {
            if let Err(error) = self.listening.insert(new, 1, 0) {
                tracing::debug!("listener not published: {error}");
            }
        }
        self.published = wanted;
        self.changes = self.changes.wrapping_add(1).max(1);
        if let Err(error) = self.generation.set(0, self.changes, 0) {
            tracing::warn!("the listeners cannot be published: {error}");
        }
    }

    /// Samples whose group found no room, and sockets without memory to remember them in.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many groups have a slot.
    pub fn fill(&self) -> MapFill {
        let held = self.uses.iter().filter(|held| !matches!(held, Use::Free));
        MapFill {
            map: HISTOGRAMS,
            used: held.count() as u64,
            capacity: RTT_GROUPS as u64,
        }
    }
}

fn taken<T>(object: &mut LoadedObject, name: &str) -> anyhow::Result<T>
where
    T: TryFrom<Map>,
    T::Error: std::error::Error + Send + Sync + 'static,
{
    Ok(T::try_from(object.take(name)?)?)
}

/// Takes the samples out of a slot.
fn samples(slot: &RttSlot) -> SampleCounts {
    let counts = slot.counts.iter().map(|count| match count.load(Relaxed) {
        0 => 0,
        _ => count.swap(0, Relaxed),
    });
    let counts: Vec<(u16, u32)> = (0u16..)
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .collect();
    if counts.is_empty() {
        return SampleCounts::default();
    }
    // Sum and maximum of a sample that is being added may come with the next one's.
    let max_us = slot.max_us.swap(0, Relaxed);
    let sum_us = slot.sum_us.swap(0, Relaxed);
    SampleCounts::of(counts, sum_us * 1_000, u64::from(max_us) * 1_000)
}

/// The own networks as prefixes of IPv6 addresses: length, address, whether own. The longest that
/// matches decides, and no IPv6 network takes in IPv4.
fn prefixes(networks: &Networks) -> Vec<(u8, [u8; 16], bool)> {
    let any_v4 = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let mut prefixes = vec![(MAPPED, mapped(any_v4), false)];
    for net in networks.nets() {
        match net {
            IpNet::V4(net) => {
                let length = MAPPED + net.prefix_len();
                let address = mapped(IpAddr::V4(net.network()));
                prefixes.retain(|(other, same, _)| (*other, *same) != (length, address));
                prefixes.push((length, address, true));
            }
            IpNet::V6(net) if net.network().to_ipv4_mapped().is_none() => {
                prefixes.push((net.prefix_len(), net.network().octets(), true));
            }
            // Addresses there are IPv4 addresses to us.
            IpNet::V6(_) => (),
        }
    }
    prefixes
}

fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// As the kernel's trie does it.
    fn is_own(prefixes: &[(u8, [u8; 16], bool)], address: [u8; 16]) -> bool {
        let value = u128::from_be_bytes(address);
        let mask = |length: u8| u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        prefixes
            .iter()
            .filter(|(length, net, _)| {
                value & mask(*length) == u128::from_be_bytes(*net) & mask(*length)
            })
            .max_by_key(|(length, ..)| *length)
            .is_some_and(|(.., own)| *own)
    }

    #[test]
    fn prefixes_say_what_networks_say() {
        let settings: [&[&str]; 6] = [
            &[],
            &["none"],
            &["none", "::/0"],
            &["none", "0.0.0.0/0"],
            &["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"],
            &["none", "::/0", "10.0.0.0/8"],
        ];
        let addresses = [
            "10.1.2.3",
            "8.8.8.8",
            "127.0.0.1",
            "203.0.113.9",
            "198.51.100.7",
            "198.51.100.8",
            "::1",
            "fe80::7",
            "2001:db8::1",
            "2a00::1",
        ];
        for values in settings {
            let networks = Networks::parse(values).unwrap();
            let prefixes = prefixes(&networks);
            for address in addresses {
                let ip: IpAddr = address.parse().unwrap();
                assert_eq!(
                    is_own(&prefixes, mapped(ip)),
                    networks.contains(ip),
                    "{address} in {values:?}"
                );
            }
        }
    }

    #[test]
    fn a_slot_is_emptied_exactly_once() {
        // SAFETY: all-zero bytes are an empty slot.
        let slot: RttSlot = unsafe { std::mem::zeroed() };
        let bucket = hostlens_ebpf::bucket::slot(1_500_000);
        slot.counts[bucket].store(3, Relaxed);
        slot.sum_us.store(4_500, Relaxed);
        slot.max_us.store(1_500, Relaxed);
        let taken = samples(&slot);
        assert_eq!(taken.count(), 3);
        assert_eq!(taken.quantile(1.0), Some(0.0015));
        let p50 = taken.quantile(0.5).unwrap();
        assert!((p50 / 0.0015 - 1.0).abs() < 0.045, "{p50}");
        assert!(samples(&slot).is_empty());
    }

    proptest! {
        #[test]
        fn keys_survive_as_words(remote in any::<[u8; 16]>(), listen in any::<[u8; 16]>(), port in any::<u16>()) {
            let key = RttKey { remote, listen, port, direction: 1, beyond: 0, reserved: [0; 4] };
            prop_assert_eq!(RttKey::of_words(key.words()), key);
        }
    }
}
