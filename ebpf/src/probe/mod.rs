//! What the programs share: loads from kernel structures, iterator contexts, logic of each area.
//! Compiled for the kernel only; the thin entry points are in `src/bin`.

pub mod block;
pub mod connect;
pub mod current;
pub mod dns;
pub mod fd;
pub mod iter;
pub mod load;
pub mod shared;
pub mod swap;
pub mod task;
pub mod tcp;

/// Objects declare both licences: helpers of the GPL kind are used.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the verifier refuses any program in which this is reachable.
    unsafe { core::hint::unreachable_unchecked() }
}
