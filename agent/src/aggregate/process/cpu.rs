//! Exact CPU time, split by ticks.

/// CPU time by mode, ns. Neither mode ever goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuTime {
    /// User mode.
    pub user: u64,
    /// System mode.
    pub system: u64,
}

impl CpuTime {
    /// Both modes.
    pub fn total(self) -> u64 {
        self.user.saturating_add(self.system)
    }

    /// Divides `runtime` ns in the ratio of the ticks sampled in each mode, as `cputime_adjust()`
    /// of the kernel does: all to user without system ticks, and no mode below what it was.
    pub fn advance(&mut self, runtime: u64, utime: u64, stime: u64) {
        if runtime <= self.total() {
            return;
        }
        let system = if stime == 0 {
            0
        } else if utime == 0 {
            runtime
        } else {
            let ticks = u128::from(utime) + u128::from(stime);
            (u128::from(runtime) * u128::from(stime) / ticks) as u64
        };
        let system = system.max(self.system);
        let user = runtime.saturating_sub(system);
        if user < self.user {
            self.system = runtime - self.user;
        } else {
            *self = Self { user, system };
        }
    }

    /// What was added since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_as_the_kernel_does() {
        let split = |runtime, utime, stime| {
            let mut cpu = CpuTime::default();
            cpu.advance(runtime, utime, stime);
            (cpu.user, cpu.system)
        };
        assert_eq!(
            split(1_000_000, 0, 0),
            (1_000_000, 0),
            "shorter than a tick"
        );
        assert_eq!(split(1_000, 0, 4), (0, 1_000));
        assert_eq!(split(1_000, 4, 0), (1_000, 0));
        assert_eq!(split(1_000, 3, 1), (750, 250));
        assert_eq!(split(u64::MAX, u64::MAX, u64::MAX).1, u64::MAX / 2);
    }

    proptest! {
        #[test]
        fn no_mode_goes_down_and_nothing_is_lost(
            steps in prop::collection::vec((0u64..1_000_000, 0u64..1_000_000, 0u64..1_000_000), 1..40)
        ) {
            let (mut cpu, mut most) = (CpuTime::default(), 0);
            for (runtime, utime, stime) in steps {
                let before = cpu;
                cpu.advance(runtime, utime, stime);
                most = most.max(runtime);
                prop_assert!(cpu.user >= before.user && cpu.system >= before.system);
                prop_assert_eq!(cpu.total(), most);
            }
        }
    }
}
