//! What is counted of a process beside its CPU time: one list, from which booking follows.

use std::ops::{AddAssign, BitOrAssign};

use hostlens_ebpf::wire::{TaskCounters, TaskFlags};

macro_rules! counts {
    (of_record { $($record:ident,)* } of_others { $($other:ident,)* }) => {
        /// Increments, or sums since a row appeared. Each field is as in
        /// [`ProcessRow`](crate::model::ProcessRow).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(super) struct Counts {
            $(pub $record: u64,)*
            $(pub $other: u64,)*
        }

        impl From<TaskCounters> for Counts {
            fn from(counters: TaskCounters) -> Self {
                Self { $($record: counters.$record,)* $($other: 0,)* }
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, more: Self) {
                $(self.$record += more.$record;)*
                $(self.$other += more.$other;)*
            }
        }
    };
}

counts! {
    // Of task records, under the same names.
    of_record {
        read_bytes,
        write_bytes,
        minor_faults,
        major_faults,
        voluntary,
        involuntary,
        run_delay_ns,
        block_delay_ns,
    }
    // Of other sources.
    of_others {}
}

/// Counters that not every record of a source has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(u32);

impl Known {
    /// What the record of a process says of itself.
    pub fn of(flags: u32) -> Self {
        Self(flags & (TaskFlags::RUN_DELAY | TaskFlags::BLOCK_DELAY))
    }

    /// `value`, if its counter (one flag of [`TaskFlags`]) is known.
    pub fn then(self, flag: u32, value: u64) -> Option<u64> {
        (self.0 & flag != 0).then_some(value)
    }
}

impl BitOrAssign for Known {
    fn bitor_assign(&mut self, more: Self) {
        self.0 |= more.0;
    }
}
