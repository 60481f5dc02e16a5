//! TCP totals of a network namespace from `/proc/PID/net/snmp`.

use std::{io, path::Path};

use crate::collect::{
    proc_file::{self, ProcReader, leading_number},
    tcp::netns::Namespace,
};

/// Reads the kernel's own count of retransmitted segments.
pub struct SnmpReader {
    proc: ProcReader,
}

impl Default for SnmpReader {
    fn default() -> Self {
        Self::new(&proc_file::proc_root())
    }
}

impl SnmpReader {
    /// Reads below `proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            proc: ProcReader::new(proc),
        }
    }

    /// Segments retransmitted since the namespace began, both IP versions, SYNs and SYN-ACKs
    /// included (`Tcp: RetransSegs`).
    /// `None` if no process of the namespace is known.
    pub fn retransmits(&mut self, namespace: &Namespace) -> io::Result<Option<u64>> {
        let Some(pid) = namespace.proc_pid() else {
            return Ok(None);
        };
        let text = self.proc.read(pid, "net/snmp")?;
        parse(text, b"RetransSegs").map(Some).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "net/snmp has no Tcp RetransSegs",
            )
        })
    }
}

/// A counter of the Tcp group: a line of names, then a line of values.
fn parse(text: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = text
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"Tcp: "));
    let at = lines
        .next()?
        .split(|byte| *byte == b' ')
        .position(|word| word == name)?;
    leading_number(lines.next()?.split(|byte| *byte == b' ').nth(at)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const SNMP: &[u8] = b"Ip: Forwarding DefaultTTL\nIp: 2 64\n\
        Tcp: RtoAlgorithm MaxConn CurrEstab RetransSegs InErrs\nTcp: 1 -1 3 4242 0\n\
        Udp: InDatagrams\nUdp: 5\n";

    #[test]
    fn a_counter_is_found_by_its_name() {
        assert_eq!(parse(SNMP, b"RetransSegs"), Some(4242));
        assert_eq!(parse(SNMP, b"MaxConn"), None);
        assert_eq!(parse(SNMP, b"Missing"), None);
        assert_eq!(parse(b"Tcp: RetransSegs\n", b"RetransSegs"), None);
    }

    #[test]
    fn our_own_namespace_has_one() {
        let own = Namespace::own().unwrap();
        let mut reader = SnmpReader::default();
        let before = reader.retransmits(&own).unwrap().unwrap();
        assert!(reader.retransmits(&own).unwrap() >= Some(before));
        let nobody = Namespace {
            own: false,
            pids: Vec::new(),
            ..own
        };
        assert_eq!(reader.retransmits(&nobody).unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, b"RetransSegs");
        }
    }
}
