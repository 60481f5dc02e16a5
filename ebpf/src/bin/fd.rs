//! Descriptors of one process by what they stand for.
#![no_std]
#![no_main]

use core::ffi::c_void;

use hostlens_ebpf::probe::{fd, iter};

/// Writes a byte for each descriptor (`struct bpf_iter__task_file`: meta, task, fd, file).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
fn fd_types(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has four slots; the file is null at the end of the walk.
    unsafe {
        let file = iter::slot(ctx, 3);
        if !file.is_null() {
            iter::emit(ctx, &(fd::of(file) as u8));
        }
    }
    0
}
