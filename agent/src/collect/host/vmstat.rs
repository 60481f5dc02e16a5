//! Events of memory management from `/proc/vmstat`.

use crate::collect::proc_file::{leading_number, line_value};

/// Since boot; absent where the kernel does not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vmstat {
    /// Pages read from swap.
    pub swapped_in: Option<u64>,
    /// Pages written to swap.
    pub swapped_out: Option<u64>,
    /// Processes killed as memory ran out, of the host or of a cgroup (4.13).
    pub oom_kills: Option<u64>,
}

/// Reads them.
pub fn read() -> Vmstat {
    std::fs::read("/proc/vmstat").map_or_else(|_| Vmstat::default(), |text| parse(&text))
}

fn parse(text: &[u8]) -> Vmstat {
    let value = |key: &[u8]| line_value(text, key).and_then(leading_number);
    Vmstat {
        swapped_in: value(b"pswpin "),
        swapped_out: value(b"pswpout "),
        oom_kills: value(b"oom_kill "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        assert_eq!(
            parse(b"pgpgin 1\npswpin 20\npswpout 300\noom_kill_disable 1\noom_kill 4\n"),
            Vmstat {
                swapped_in: Some(20),
                swapped_out: Some(300),
                oom_kills: Some(4),
            }
        );
        assert_eq!(parse(b"oom_kills 9\n"), Vmstat::default());
    }
}
