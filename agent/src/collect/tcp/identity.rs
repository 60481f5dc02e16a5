//! Identity of a TCP connection in [`SockRecord::id`].

use hostlens_ebpf::wire::SockRecord;

/// How a connection is told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdMode {
    /// By the kernel's socket cookie × 256: a 4-tuple used again is a new connection. The low byte
    /// counts the uses of one socket where BPF sees them; sock_diag cannot, and leaves it 0.
    Cookie,
    /// By [`tuple_id`], where another source of the same records does not know the cookie.
    Tuple,
}

/// Marks identities made by [`tuple_id`]; a cookie × 256 never gets there.
pub const TUPLE_BIT: u64 = 1 << 63;

/// Identity from addresses, ports and network namespace of a record, with [`TUPLE_BIT`] set.
/// Deterministic, so every source gives the same connection the same identity. Sockets that share
/// all of them (listeners with `SO_REUSEPORT`) share it too.
pub fn tuple_id(record: &SockRecord) -> u64 {
    let local = u128::from_ne_bytes(record.local_addr);
    let remote = u128::from_ne_bytes(record.remote_addr);
    let rest = u64::from(record.netns) << 32
        | u64::from(record.local_port) << 16
        | u64::from(record.remote_port);
    let mut hash = 0;
    for word in [
        local as u64,
        (local >> 64) as u64,
        remote as u64,
        (remote >> 64) as u64,
        rest,
    ] {
        hash = mix(hash ^ word);
    }
    hash | TUPLE_BIT
}

/// The finalizer of SplitMix64, offset so that 0 does not map to itself: every input bit changes
/// every output bit with a chance near one half, so neighbouring ports do not collide.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn neighbouring_tuples_differ() {
        let mut seen = HashSet::new();
        for netns in [4_026_531_833, 4_026_532_000] {
            for host in 0..32u8 {
                for port in 0..256 {
                    let mut record = SockRecord {
                        netns,
                        local_port: 32_768 + port,
                        remote_port: 443,
                        ..SockRecord::default()
                    };
                    record.remote_addr[15] = host;
                    let id = tuple_id(&record);
                    assert_ne!(id & TUPLE_BIT, 0);
                    assert!(seen.insert(id), "{record:?}");
                }
            }
        }
    }

    #[test]
    fn both_ends_of_a_loopback_connection_differ() {
        let client = SockRecord {
            local_port: 1,
            remote_port: 2,
            ..SockRecord::default()
        };
        let server = SockRecord {
            local_port: 2,
            remote_port: 1,
            ..SockRecord::default()
        };
        assert_ne!(tuple_id(&client), tuple_id(&server));
        assert_eq!(tuple_id(&client), tuple_id(&client));
    }
}
