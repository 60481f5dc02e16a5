//! Counters of network interfaces from `/proc/net/dev`.

use std::io;

use crate::{collect::proc_file::leading_number, model::Traffic};

/// Since the interface came up: what it received and what it sent.
pub type Counters = [Traffic; 2];

/// All interfaces of our own network namespace.
pub fn read() -> io::Result<Vec<(String, Counters)>> {
    let text = std::fs::read("/proc/thread-self/net/dev")?;
    Ok(parse(&text).collect())
}

fn parse(text: &[u8]) -> impl Iterator<Item = (String, Counters)> {
    // Two lines of headings.
    let lines = text.split(|byte| *byte == b'\n').skip(2);
    lines.filter_map(|line| {
        // A name may hold a colon, as that of an alias does; the counters hold none.
        let colon = line.iter().rposition(|byte| *byte == b':')?;
        let (name, rest) = line.split_at_checked(colon)?;
        let mut values = rest
            .get(1..)?
            .split(|byte| *byte == b' ')
            .filter(|field| !field.is_empty())
            .map(leading_number);
        let mut next = || values.next().flatten();
        let received = Traffic {
            bytes: next()?,
            packets: next()?,
            errors: next()?,
            drops: next()?,
        };
        // FIFO and frame errors, compressed, multicast.
        for _ in 0..4 {
            next()?;
        }
        let sent = Traffic {
            bytes: next()?,
            packets: next()?,
            errors: next()?,
            drops: next()?,
        };
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        Some((name, [received, sent]))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn columns_are_taken_by_their_place() {
        let text = b"Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo: 100 2 0 127 0 0 0 0 300 4 0 0 0 0 0 0\n  eth0:1:    5       6    7    8    0     0          0         0        9       10    11    12    0     0       0          0\n\
            short: 1 2 3\n";
        let found: Vec<_> = parse(text).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0.as_str(), found[0].1[0].drops), ("lo", 127));
        let (name, [received, sent]) = &found[1];
        assert_eq!(name, "eth0:1");
        assert_eq!((received.bytes, received.errors), (5, 7));
        assert_eq!(
            *sent,
            Traffic {
                bytes: 9,
                packets: 10,
                errors: 11,
                drops: 12
            }
        );
    }

    #[test]
    fn there_is_a_loopback_interface() {
        assert!(read().unwrap().iter().any(|(name, _)| name == "lo"));
    }
}
