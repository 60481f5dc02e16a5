//! The kernel's own sums of swap I/O (`/proc/vmstat`).

use std::fs;

/// Bytes since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwapTotals {
    /// Read from swap (`pswpin`): what zswap gave back and pages of zeros are not in it.
    pub in_bytes: u64,
    /// Written to swap (`pswpout`): what zswap took and pages of zeros are not in it.
    pub out_bytes: u64,
    /// Of these, what zswap wrote back (`zswpwb`); 0 where the kernel has no zswap.
    pub zswap_bytes: u64,
}

/// Reads them; `None` where the kernel does not count (no `CONFIG_SWAP`, no `/proc`).
pub fn read() -> Option<SwapTotals> {
    // SAFETY: no pointers.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    parse(&fs::read_to_string("/proc/vmstat").ok()?, page)
}

fn parse(vmstat: &str, page: u64) -> Option<SwapTotals> {
    let (mut read, mut written, mut zswap) = (None, None, 0);
    for line in vmstat.lines() {
        let Some((name, pages)) = line.split_once(' ') else {
            continue;
        };
        let place = match name {
            "pswpin" => read.insert(0),
            "pswpout" => written.insert(0),
            "zswpwb" => &mut zswap,
            _ => continue,
        };
        *place = pages.trim().parse::<u64>().ok()?.saturating_mul(page);
    }
    Some(SwapTotals {
        in_bytes: read?,
        out_bytes: written?,
        zswap_bytes: zswap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_in_bytes_and_absent_without_swap() {
        let text = "nr_free_pages 7\npswpin 2\npswpout 3\nthp_swpout 9\n";
        let sums = SwapTotals {
            in_bytes: 8192,
            out_bytes: 12288,
            zswap_bytes: 0,
        };
        assert_eq!(parse(text, 4096), Some(sums));
        let with_zswap = SwapTotals {
            zswap_bytes: 4096,
            ..sums
        };
        assert_eq!(parse(&format!("{text}zswpwb 1\n"), 4096), Some(with_zswap));
        for broken in ["", "pswpin 2\n", "pswpin x\npswpout 3\n"] {
            assert_eq!(parse(broken, 4096), None, "{broken:?}");
        }
    }
}
