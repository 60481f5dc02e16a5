//! What programs decide by which group a connection belongs to: the own networks, and who listens.

use std::net::IpAddr;

use aya::maps::{Array, HashMap, LpmTrie, MapData, lpm_trie::Key};
use hostlens_ebpf::wire::{LISTENING, ListenKey, OWN_NETWORKS};
use ipnet::IpNet;
use rustc_hash::FxHashSet;

use crate::{aggregate::Networks, kernel::LoadedObject};

/// Why groups of connections cannot be told apart before there is a [`Places`].
pub(super) const UNTOLD: &str = "the programs do not know the own networks";
/// Prefix length of IPv4 in its IPv6-mapped form.
const MAPPED: u8 = 96;

/// The maps.
pub struct Places {
    listening: HashMap<MapData, ListenKey, u32>,
    generation: Array<MapData, u32>,
    changes: u32,
    /// What [`Places::listening`] holds.
    published: FxHashSet<ListenKey>,
}

impl Places {
    /// Takes the maps of an object and tells the programs the own networks.
    ///
    /// # Errors
    /// A map is missing or refuses what it is to hold, such as more own networks than there is
    /// room for.
    pub fn start(object: &mut LoadedObject, networks: &Networks) -> anyhow::Result<Self> {
        let prefixes = prefixes(networks);
        anyhow::ensure!(
            prefixes.len() <= OWN_NETWORKS,
            "more than {OWN_NETWORKS} own networks"
        );
        let mut trie: LpmTrie<MapData, [u8; 16], u32> =
            LpmTrie::try_from(object.take("PLACE_NETWORKS")?)?;
        for (length, address, own) in prefixes {
            trie.insert(&Key::new(u32::from(length), address), u32::from(own), 0)?;
        }
        Ok(Self {
            listening: object.hash("PLACE_LISTENING")?,
            generation: Array::try_from(object.take("PLACE_LISTENERS")?)?,
            changes: 0,
            published: FxHashSet::default(),
        })
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
}
