//! The counters of a task: one list, from which their arithmetic follows.

use super::Record;

macro_rules! counters {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $name:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        pub struct $type {
            $($(#[$about])* pub $name: u64,)*
        }

        impl $type {
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($name)),*].len();

            /// All of them, in the order of the list.
            #[inline(always)]
            pub fn array(&self) -> [u64; Self::COUNT] {
                [$(self.$name),*]
            }

            /// The reverse of [`Self::array`].
            #[inline(always)]
            pub fn from_array([$($name),*]: [u64; Self::COUNT]) -> Self {
                Self { $($name),* }
            }
        }

        impl core::ops::AddAssign for $type {
            #[inline(always)]
            fn add_assign(&mut self, more: Self) {
                $(self.$name = self.$name.wrapping_add(more.$name);)*
            }
        }
    };
}

counters! {
    /// What a thread, or a process, has done since it started.
    TaskCounters {
        /// CPU time, ns, exact (`se.sum_exec_runtime`, `signal_struct.sum_sched_runtime`).
        runtime_ns,
        /// Share of user mode as sampled by the tick, ns.
        utime_ns,
        /// Share of system mode as sampled by the tick, ns.
        stime_ns,
        /// Bytes fetched from storage (`task_io_accounting.read_bytes`).
        read_bytes,
        /// Bytes sent to storage, charged when the page is dirtied (`write_bytes`).
        write_bytes,
        /// Minor page faults.
        minor_faults,
        /// Major page faults.
        major_faults,
        /// Voluntary context switches.
        voluntary,
        /// Involuntary context switches.
        involuntary,
        /// Time runnable and waiting for a CPU, ns (`sched_info.run_delay`, for threads that
        /// ended `taskstats.cpu_delay_total`); see [`super::TaskFlags::RUN_DELAY`].
        run_delay_ns,
        /// Time waiting for storage, ns (`task_delay_info.blkio_delay`, for threads that ended
        /// `taskstats.blkio_delay_total`); see [`super::TaskFlags::BLOCK_DELAY`].
        block_delay_ns,
    }
}

// SAFETY: repr(C), nothing but integers of one size, so no padding.
unsafe impl Record for TaskCounters {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_covers_every_counter() {
        assert_eq!(size_of::<TaskCounters>(), TaskCounters::COUNT * 8);
        let mut array = [0; TaskCounters::COUNT];
        for (at, value) in array.iter_mut().enumerate() {
            *value = 1 << at;
        }
        let mut counters = TaskCounters::from_array(array);
        assert_eq!(counters.array(), array);
        counters += counters;
        assert_eq!(counters.array(), array.map(|value| 2 * value));
    }
}
