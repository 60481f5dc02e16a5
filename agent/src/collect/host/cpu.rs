//! CPU time of the whole host from `/proc/stat`.

use crate::{collect::proc_file::leading_number, model::CPU_MODES};

/// CPU time since boot, ns, summed over CPUs. Sampled or accounted as the kernel is built; the
/// file has it in ticks of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// User mode, time in guests included.
    pub user_ns: u64,
    /// User mode at low priority, time in guests included.
    pub nice_ns: u64,
    /// System mode: system calls and kernel threads.
    pub system_ns: u64,
    /// Hardware interrupts; 0 where they are charged to whom they interrupt.
    pub irq_ns: u64,
    /// Nothing to do.
    pub idle_ns: u64,
    /// Nothing to do while some task waited for storage.
    pub iowait_ns: u64,
    /// Taken by the hypervisor.
    pub steal_ns: u64,
    /// Soft interrupts outside ksoftirqd; 0 where they are charged to whom they interrupt.
    pub softirq_ns: u64,
    /// Online CPUs.
    pub cpus: u64,
}

impl CpuTimes {
    /// Time of tasks: user, nice and system. This is what the CPU times of all processes add up
    /// to, kernel threads included and the idle task left out, with two differences: a process's
    /// exact run time also contains interrupts that hit it, unless the kernel accounts them apart
    /// (`CONFIG_IRQ_TIME_ACCOUNTING`); and where the kernel samples by tick, this total is an
    /// estimate with an error of a few per cent over seconds.
    pub fn tasks_ns(&self) -> u64 {
        self.user_ns
            .saturating_add(self.nice_ns)
            .saturating_add(self.system_ns)
    }

    /// By mode, in the order of [`CPU_MODES`].
    pub fn modes(&self) -> [u64; CPU_MODES.len()] {
        [
            self.user_ns,
            self.nice_ns,
            self.system_ns,
            self.idle_ns,
            self.iowait_ns,
            self.irq_ns,
            self.softirq_ns,
            self.steal_ns,
        ]
    }

    /// Time that was neither idle, nor waiting for storage, nor taken by the hypervisor.
    pub fn busy_ns(&self) -> u64 {
        self.tasks_ns()
            .saturating_add(self.irq_ns)
            .saturating_add(self.softirq_ns)
    }
}

/// CPU times now; `None` if `/proc/stat` cannot be read or made sense of.
pub fn read() -> Option<CpuTimes> {
    let text = std::fs::read("/proc/stat").ok()?;
    parse(&text, 1_000_000_000 / procfs::ticks_per_second().max(1))
}

fn parse(text: &[u8], tick_ns: u64) -> Option<CpuTimes> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let total = lines.next()?.strip_prefix(b"cpu ")?;
    let mut fields = total
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty())
        .map(|field| leading_number(field).map(|ticks| ticks.saturating_mul(tick_ns)));
    let times = CpuTimes {
        user_ns: fields.next()??,
        nice_ns: fields.next()??,
        system_ns: fields.next()??,
        idle_ns: fields.next()??,
        iowait_ns: fields.next()??,
        irq_ns: fields.next()??,
        softirq_ns: fields.next()??,
        steal_ns: fields.next()??,
        cpus: 0,
    };
    let cpus = lines.take_while(|line| line.starts_with(b"cpu")).count();
    Some(CpuTimes {
        cpus: cpus as u64,
        ..times
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const STAT: &[u8] = b"cpu  100 20 30 4000 500 6 7 8 90 0\ncpu0 50 10 15 2000 250 3 4 4 45 0\n\
        cpu3 50 10 15 2000 250 3 3 4 45 0\nintr 12345 0 9\nctxt 99\n";

    #[test]
    fn columns_are_taken_by_their_place() {
        let times = parse(STAT, 10_000_000).unwrap();
        assert_eq!(times.tasks_ns(), 1_500_000_000);
        assert_eq!(times.busy_ns(), 1_630_000_000);
        assert_eq!(times.cpus, 2);
        let ticks = times.modes().map(|ns| ns / 10_000_000);
        assert_eq!(ticks, [100, 20, 30, 4000, 500, 6, 7, 8]);
        assert_eq!(parse(b"cpu  1 2 3", 1), None);
        assert_eq!(parse(b"intr 1\n", 1), None);
    }

    #[test]
    fn this_host_has_cpus_and_they_have_worked() {
        let before = read().unwrap();
        assert!(before.cpus >= 1 && before.tasks_ns() > 0);
        assert!(read().unwrap().tasks_ns() >= before.tasks_ns());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, 10_000_000);
            let _ = parse(&[b"cpu ", &bytes[..]].concat(), 10_000_000);
        }
    }
}
