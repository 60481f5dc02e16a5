//! The kernel's own totals, against which our sums are checked.

use std::fs;

/// CPU time of all tasks since boot, ns: user + nice + system of `/proc/stat`
/// ([`CpuTimes::tasks_ns`](super::cpu::CpuTimes::tasks_ns)).
pub fn busy_cpu_ns() -> Option<u64> {
    super::cpu::read().map(|times| times.tasks_ns())
}

/// Segments retransmitted since the network namespace was made, both IP versions, SYNs and
/// SYN-ACKs included (`Tcp: RetransSegs` of
/// `/proc/PID/net/snmp`); `pid` 0 is this process.
pub fn retransmitted_segments(pid: u32) -> Option<u64> {
    let path = match pid {
        0 => "/proc/thread-self/net/snmp".to_owned(),
        pid => format!("/proc/{pid}/net/snmp"),
    };
    parse_retransmits(&fs::read_to_string(path).ok()?)
}

fn parse_retransmits(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names
        .split_ascii_whitespace()
        .position(|name| name == "RetransSegs")?;
    values.split_ascii_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_retransmits_by_name() {
        let snmp =
            "Ip: Forwarding\nIp: 1\nTcp: RtoMin OutSegs RetransSegs InErrs\nTcp: 200 9 42 0\n";
        assert_eq!(parse_retransmits(snmp), Some(42));
        for broken in [
            "",
            "Tcp: RetransSegs\n",
            "Tcp: A\nTcp: 1\n",
            "Tcp: RetransSegs\nTcp: x\n",
        ] {
            assert_eq!(parse_retransmits(broken), None, "{broken:?}");
        }
        assert!(retransmitted_segments(0).is_some());
    }
}
