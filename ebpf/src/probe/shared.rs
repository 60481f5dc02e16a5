//! Numbers that several CPUs and user space use at once. The library's atomics have no addition on
//! this target, nor any width but 64 bits.

use core::{arch::asm, cell::UnsafeCell};

macro_rules! shared {
    ($(#[$doc:meta])* $name:ident, $number:ty, $size:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name(UnsafeCell<$number>);

        // SAFETY: all access is volatile or one atomic instruction.
        unsafe impl Sync for $name {}

        impl $name {
            /// The value now.
            #[inline(always)]
            pub fn get(&self) -> $number {
                // SAFETY: in place as long as `self` is.
                unsafe { self.0.get().read_volatile() }
            }

            /// Replaces the value.
            #[inline(always)]
            pub fn set(&self, value: $number) {
                // SAFETY: as for `get`.
                unsafe { self.0.get().write_volatile(value) }
            }

            /// Adds atomically. Without a result, which would take an instruction of 5.12.
            #[inline(always)]
            pub fn add(&self, more: u64) {
                // SAFETY: one instruction on memory that may be written through a shared
                // reference.
                unsafe {
                    asm!(
                        concat!("lock *(", $size, " *)({at} + 0) += {more}"),
                        at = in(reg) self.0.get(),
                        more = in(reg) more,
                    );
                }
            }
        }
    };
}

shared! {
    /// 32 bits.
    Shared32, u32, "u32"
}
shared! {
    /// 64 bits.
    Shared64, u64, "u64"
}
