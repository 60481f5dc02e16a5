//! Parsers of the per-process files that the procfs walk reads for every process in every cycle.
//!
//! The crate procfs reads `stat` with some 40 allocation-bound fields and `io` into a map of
//! strings; for ten thousand processes that would cost as much as the kernel's own work, and it
//! replaces bytes of a name that are no UTF-8. Files read rarely go through the crate.

use crate::collect::proc_file::{leading_number, line_value};

/// What we use of `/proc/PID/stat` (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Command name, NUL-padded.
    pub comm: [u8; 16],
    /// `R`, `S`, `Z`, …
    pub state: u8,
    /// Parent process.
    pub ppid: u32,
    /// `PF_*` flags.
    pub flags: u32,
    /// Minor faults of all its threads.
    pub minor_faults: u64,
    /// Major faults of all its threads.
    pub major_faults: u64,
    /// User mode CPU time of all its threads, clock ticks.
    pub utime: u64,
    /// System mode CPU time of all its threads, clock ticks.
    pub stime: u64,
    /// Living threads.
    pub threads: u32,
    /// Start after boot, clock ticks.
    pub start: u64,
    /// Resident pages.
    pub rss: u64,
    /// Address of the stack's start, which every execve chooses anew; 0 if not for us to know.
    pub start_stack: u64,
    /// Time the leading thread waited for storage, clock ticks; 0 also where the kernel does not
    /// keep it.
    pub block_delay: u64,
}

/// Reads `/proc/PID/stat`. The name may hold anything, parentheses and newlines included: it ends
/// at the last `)`.
pub fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let name = text.get(open + 1..close)?;
    let mut comm = [0; 16];
    for (to, from) in comm.iter_mut().zip(name) {
        *to = *from;
    }
    let rest = text.get(close + 1..)?.trim_ascii();
    let mut stat = Stat {
        comm,
        ..Stat::default()
    };
    let mut fields = 0;
    // Numbered as in proc_pid_stat(5): the state is field 3.
    for (number, field) in (3..).zip(rest.split(|byte| *byte == b' ')) {
        fields = number;
        match number {
            3 => stat.state = *field.first()?,
            4 => stat.ppid = u32::try_from(leading_number(field)?).ok()?,
            9 => stat.flags = u32::try_from(leading_number(field)?).ok()?,
            10 => stat.minor_faults = leading_number(field)?,
            12 => stat.major_faults = leading_number(field)?,
            14 => stat.utime = leading_number(field)?,
            15 => stat.stime = leading_number(field)?,
            20 => stat.threads = u32::try_from(leading_number(field)?).ok()?,
            22 => stat.start = leading_number(field)?,
            24 => stat.rss = leading_number(field)?,
            28 => stat.start_stack = leading_number(field)?,
            42 => {
                stat.block_delay = leading_number(field)?;
                break;
            }
            _ => {}
        }
    }
    (fields == 42).then_some(stat)
}

/// (session, start in clock ticks) from `/proc/PID/stat`.
pub fn parse_session(text: &[u8]) -> Option<(u32, u64)> {
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let rest = text.get(close + 1..)?.trim_ascii();
    // Behind the name comes field 3.
    let field = |number: usize| rest.split(|byte| *byte == b' ').nth(number - 3);
    let session = u32::try_from(leading_number(field(6)?)?).ok()?;
    Some((session, leading_number(field(22)?)?))
}

/// (bytes fetched from storage, bytes sent to storage) from `/proc/PID/io`, of all threads
/// including those that ended.
pub fn parse_io(text: &[u8]) -> Option<(u64, u64)> {
    let value = |key| leading_number(line_value(text, key)?);
    Some((value(b"read_bytes:")?, value(b"write_bytes:")?))
}

/// `/proc/PID/schedstat`, of the leading thread alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedstat {
    /// CPU time, ns, exact.
    pub ran_ns: u64,
    /// Time runnable and waiting for a CPU, ns.
    pub run_delay_ns: u64,
}

/// Reads `/proc/PID/schedstat`.
pub fn parse_schedstat(text: &[u8]) -> Option<Schedstat> {
    let mut fields = text.split(|byte| *byte == b' ');
    Some(Schedstat {
        ran_ns: leading_number(fields.next()?)?,
        run_delay_ns: leading_number(fields.next()?)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const TAIL: &str = "S 1 4241 4242 0 -1 4194560 1500 90 7 3 120 45 8 2 20 0 5 0 123456 \
        25000000 2048 18446744073709551615 94000000000000 94000000100000 140720000000000 0 0 0 0 \
        4096 0 0 0 0 17 1 0 0 6 0 0 94000000200000 94000000300000 94000000400000 140720000001000 \
        140720000001100 140720000001100 140720000002000 0\n";

    fn named(name: &[u8]) -> Vec<u8> {
        [b"4242 (", name, b") ", TAIL.as_bytes()].concat()
    }

    #[test]
    fn fields_are_taken_by_their_number() {
        let stat = parse_stat(&named(b"postgres")).unwrap();
        assert_eq!(&stat.comm[..9], b"postgres\0");
        assert_eq!(
            stat,
            Stat {
                comm: stat.comm,
                state: b'S',
                ppid: 1,
                flags: 0x0040_0100,
                minor_faults: 1500,
                major_faults: 7,
                utime: 120,
                stime: 45,
                threads: 5,
                start: 123_456,
                rss: 2048,
                start_stack: 140_720_000_000_000,
                block_delay: 6,
            }
        );
    }

    #[test]
    fn sessions() {
        let text = named(b"a b) S 7");
        assert_eq!(parse_session(&text), Some((4242, 123_456)));
        assert_eq!(parse_session(b"1 (x) S 1 2"), None);
    }

    #[test]
    fn names_may_hold_anything() {
        for name in [
            &b"a) R 1 (b"[..],
            b"((",
            b"))",
            b"new\nline",
            b"",
            b"\xff\xfe bytes",
            b"kworker/u4:1-events_unbound",
        ] {
            let stat = parse_stat(&named(name)).unwrap();
            let kept = &name[..name.len().min(16)];
            assert_eq!(&stat.comm[..kept.len()], kept);
            assert_eq!((stat.state, stat.start), (b'S', 123_456));
        }
    }

    #[test]
    fn a_short_or_senseless_stat_is_refused() {
        let whole = named(b"x");
        assert_eq!(parse_stat(b""), None);
        assert_eq!(parse_stat(b")("), None);
        assert_eq!(parse_stat(b"1 (x)"), None);
        for cut in [60, 150] {
            assert_eq!(parse_stat(&whole[..cut]), None);
        }
        assert_eq!(parse_stat(b"1 (x) S a b c"), None);
    }

    #[test]
    fn io_and_schedstat() {
        let io = b"rchar: 9\nwchar: 8\nsyscr: 7\nsyscw: 6\nread_bytes: 4096\nwrite_bytes: 8192\n\
            cancelled_write_bytes: 5\n";
        assert_eq!(parse_io(io), Some((4096, 8192)));
        assert_eq!(parse_io(b"read_bytes: 1\n"), None);
        assert_eq!(parse_io(b"read_bytes: x\nwrite_bytes: 1\n"), None);
        assert_eq!(
            parse_schedstat(b"123456789 42 7\n"),
            Some(Schedstat {
                ran_ns: 123_456_789,
                run_delay_ns: 42
            })
        );
        assert_eq!(parse_schedstat(b"123456789\n"), None);
        assert_eq!(parse_schedstat(b"\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse_stat(&bytes);
            let _ = parse_session(&bytes);
            let _ = parse_io(&bytes);
            let _ = parse_schedstat(&bytes);
        }

        #[test]
        fn any_name_and_cut_are_survived(
            name in proptest::collection::vec(any::<u8>(), 0..16),
            cut in 0usize..400,
        ) {
            let text = named(&name);
            let _ = parse_stat(&text[..cut.min(text.len())]);
            prop_assert!(parse_stat(&text).is_some());
        }
    }
}
