//! The kernel's own totals, against which our sums are checked.

use std::fs;

/// CPU time of all tasks since boot, ns: user + nice + system of `/proc/stat`. Interrupts, steal
/// and guest time (already in user) are left out, as the scheduler does not charge them to tasks
/// where interrupt time is accounted for. Counted in ticks, so only long stretches compare well.
pub fn busy_cpu_ns() -> Option<u64> {
    parse_busy(
        &fs::read_to_string("/proc/stat").ok()?,
        procfs::ticks_per_second(),
    )
}

fn parse_busy(stat: &str, ticks_per_second: u64) -> Option<u64> {
    let mut fields = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_ascii_whitespace();
    let mut next = || fields.next()?.parse::<u64>().ok();
    let ticks = next()?.checked_add(next()?)?.checked_add(next()?)?;
    ticks.checked_mul(1_000_000_000 / ticks_per_second.max(1))
}

/// Segments retransmitted since the network namespace was made (`Tcp: RetransSegs` of
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
    fn reads_the_first_line_of_stat() {
        let stat = "cpu  100 20 3 9999 7 5 6 0 50 0\ncpu0 1 2 3\n";
        assert_eq!(parse_busy(stat, 100), Some(123 * 10_000_000));
        for broken in ["", "cpu", "cpu  1 2", "cpu  a b c", "intr 1 2 3"] {
            assert_eq!(parse_busy(broken, 100), None, "{broken:?}");
        }
        assert!(busy_cpu_ns().is_some_and(|ns| ns > 0));
    }

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
