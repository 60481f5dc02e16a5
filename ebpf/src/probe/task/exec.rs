//! Arguments of interpreters at `sched_process_exec`.

use aya_ebpf::helpers::generated::bpf_probe_read_user;

use crate::{
    offsets::at,
    probe::load::{member, pointer, words},
    wire::{EXEC_ARGS_BYTES, ExecRecord, TaskKind},
};

/// Starts of command names whose processes are named by their script.
const PREFIXES: [&[u8]; 8] = [
    b"python", b"node", b"java", b"ruby", b"perl", b"php", b"pypy", b"Rscript",
];
/// Whole command names of shells.
const SHELLS: [&[u8]; 6] = [b"sh\0", b"bash\0", b"dash\0", b"zsh\0", b"ksh\0", b"ash\0"];

/// Whether the task's command name is that of an interpreter.
///
/// # Safety
/// `task` is a `struct task_struct` known to the verifier.
#[inline(always)]
pub unsafe fn interpreter(task: *const u8) -> bool {
    // SAFETY: promised by the caller.
    let name = unsafe { words(task, &at::TASK_COMM) };
    let head = u64::from(name[0]) | u64::from(name[1]) << 32;
    starts_with_any(head, &PREFIXES) || starts_with_any(head, &SHELLS)
}

#[inline(always)]
fn starts_with_any(head: u64, names: &[&[u8]]) -> bool {
    let mut found = false;
    for name in names {
        let mut wanted = 0u64;
        let mut mask = 0u64;
        for (at, byte) in name.iter().enumerate() {
            wanted |= (*byte as u64) << (8 * at);
            mask |= 0xFF << (8 * at);
        }
        found |= head & mask == wanted;
    }
    found
}

/// Fills a record with the task's arguments; they lie in the new address space, which the task is
/// already running in. False if they cannot be read without sleeping.
///
/// # Safety
/// `task` is the first argument of `tp_btf/sched_process_exec`, `record` writable memory.
#[inline(always)]
pub unsafe fn read_args(task: *const u8, record: *mut ExecRecord) -> bool {
    // SAFETY: promised by the caller.
    unsafe {
        let mm = pointer(task, &at::TASK_MM);
        let start: u64 = member(mm, &at::MM_ARG_START);
        let end: u64 = member(mm, &at::MM_ARG_END);
        let mut len = end.wrapping_sub(start);
        if len > EXEC_ARGS_BYTES as u64 {
            len = EXEC_ARGS_BYTES as u64;
        }
        (*record).kind = TaskKind::Exec as u32;
        (*record).tgid = member(task, &at::TASK_TGID);
        (*record).start_ns = member(task, &at::TASK_START_BOOTTIME);
        (*record).exec_id = member(task, &at::TASK_EXEC_ID);
        (*record).len = len as u32;
        let args = (&raw mut (*record).args).cast();
        bpf_probe_read_user(args, len as u32, start as *const _) == 0
    }
}
