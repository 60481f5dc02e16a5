//! The values the objects' read-only globals take on this kernel.

use hostlens_ebpf::offsets::{ABSENT, TABLE};

use super::{btf::Btf, swap_layout};

/// How `mm_struct.rss_stat` counts pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RssLayout {
    /// `struct mm_rss_stat { atomic_long_t count[4] }`, up to 6.1: exact.
    Counts,
    /// `struct percpu_counter rss_stat[4]`, from 6.2: the central parts alone are a hint.
    PerCpu,
    /// Neither was found.
    Unknown,
}

/// Values by name, and what this kernel lacks.
pub struct Globals {
    values: Vec<(&'static str, u32)>,
    missing: Vec<&'static str>,
    rss: RssLayout,
}

impl Globals {
    /// Resolves every entry of the table on a kernel with these types.
    pub fn resolve(btf: &Btf) -> Self {
        let mut values = Vec::with_capacity(TABLE.len() + 4);
        let mut missing = Vec::new();
        for entry in TABLE {
            let found = btf
                .offset(entry.structure, entry.path)
                .map(|offset| offset + entry.add);
            if found.is_none() {
                missing.push(entry.name);
            }
            values.push((entry.name, found.unwrap_or(ABSENT)));
        }
        let (rss, first, stride) = page_counters(btf);
        values.push(("MM_RSS", first));
        values.push(("MM_RSS_STRIDE", stride));
        values.push(("MM_RSS_EXACT", u32::from(rss == RssLayout::Counts)));
        values.push(("CSS_SET_V1", v1_controller(btf)));
        for (name, bit) in [("RQF_IO_STAT", "__RQF_IO_STAT"), ("REQ_SYNC", "__REQ_SYNC")] {
            let mask = btf.enumerator(bit).and_then(|bit| 1u32.checked_shl(bit));
            values.push((name, mask.unwrap_or(ABSENT)));
        }
        values.push(("JIFFY_NS", jiffy_ns().unwrap_or(ABSENT)));
        let swap = swap_layout::resolve(btf);
        values.extend(swap.values);
        missing.extend(swap.missing);
        Self {
            values,
            missing,
            rss,
        }
    }

    /// All values.
    pub fn values(&self) -> &[(&'static str, u32)] {
        &self.values
    }

    /// Names of members this kernel lacks.
    pub fn missing(&self) -> &[&'static str] {
        &self.missing
    }

    /// The first of these members that this kernel lacks.
    pub fn lacks<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names
            .iter()
            .copied()
            .find(|name| self.missing.contains(name))
    }

    /// How pages are counted.
    pub fn rss(&self) -> RssLayout {
        self.rss
    }
}

fn page_counters(btf: &Btf) -> (RssLayout, u32, u32) {
    const UNKNOWN: (RssLayout, u32, u32) = (RssLayout::Unknown, ABSENT, 8);
    let Some(at) = btf.offset("mm_struct", "rss_stat") else {
        return UNKNOWN;
    };
    if btf.is_array("mm_struct", "rss_stat") == Some(true) {
        let inner = btf.offset("percpu_counter", "count");
        let stride = btf.element_size("mm_struct", "rss_stat");
        return match (inner, stride) {
            (Some(inner), Some(stride)) => (RssLayout::PerCpu, at + inner, stride),
            _ => UNKNOWN,
        };
    }
    match btf.offset("mm_rss_stat", "count") {
        Some(inner) => (RssLayout::Counts, at + inner, 8),
        None => UNKNOWN,
    }
}

/// The memory controller's slot in `css_set`: on v1 and hybrid hosts its hierarchy tells services
/// apart best.
fn v1_controller(btf: &Btf) -> u32 {
    match (
        btf.offset("css_set", "subsys"),
        btf.enumerator("memory_cgrp_id"),
    ) {
        (Some(at), Some(index)) => at + index * 8,
        _ => ABSENT,
    }
}

/// Length of a jiffy: the resolution of the coarse clocks (`posix_get_coarse_res`), which the
/// kernel's `CONFIG_HZ` sets.
fn jiffy_ns() -> Option<u32> {
    let mut resolution = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a value of ours.
    let status = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut resolution) };
    let nanos = u32::try_from(resolution.tv_nsec).ok()?;
    (status == 0 && resolution.tv_sec == 0 && nanos > 0).then_some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_what_the_programs_need() {
        let Ok(btf) = Btf::of_kernel() else {
            println!("SKIP: no {} here", Btf::PATH);
            return;
        };
        let globals = Globals::resolve(&btf);
        // Where the disk of a request is found has changed; one of the two is enough.
        let missing = globals.missing().iter();
        let missing: Vec<_> = missing.filter(|name| **name != "RQ_DISK").collect();
        assert_eq!(missing, [] as [&&str; 0]);
        assert_ne!(globals.rss(), RssLayout::Unknown);
    }

    #[test]
    fn every_setting_of_the_programs_is_set() {
        let Ok(btf) = Btf::of_kernel() else { return };
        let globals = Globals::resolve(&btf);
        for name in hostlens_ebpf::offsets::SETTINGS {
            assert!(
                globals.values().iter().any(|(known, _)| known == name),
                "{name}"
            );
        }
    }
}
