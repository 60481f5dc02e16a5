//! A thread of another process that is kept from running while the rest of it goes on.

use std::{fs, io, ptr};

use crate::deadline::{PATIENCE, poll_until};

/// Holds one thread, as a debugger would; lets it go when dropped. For the thread that made it.
#[derive(Debug)]
pub struct HeldThread {
    tid: i32,
}

impl HeldThread {
    /// Holds the thread `name` of a process.
    ///
    /// # Panics
    /// When there is no such thread, or it cannot be held.
    pub fn hold(pid: u32, name: &str) -> Self {
        let tid = find(pid, name).unwrap_or_else(|| panic!("process {pid} has no thread {name}"));
        ptrace(libc::PTRACE_SEIZE, tid).expect("seize a thread");
        let held = Self { tid };
        ptrace(libc::PTRACE_INTERRUPT, tid).expect("interrupt a thread");
        poll_until("the thread to stop", PATIENCE, || {
            let mut status = 0;
            let options = libc::__WALL | libc::WNOHANG;
            // SAFETY: `status` may be written for the duration of the call.
            match unsafe { libc::waitpid(tid, &raw mut status, options) } {
                0 => Err("it runs".to_owned()),
                found if found == tid && libc::WIFSTOPPED(status) => Ok(()),
                other => Err(format!("waitpid says {other}, status {status}")),
            }
        });
        held
    }
}

impl Drop for HeldThread {
    fn drop(&mut self) {
        // It may be gone by now.
        let _ = ptrace(libc::PTRACE_DETACH, self.tid);
    }
}

fn find(pid: u32, name: &str) -> Option<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let comm = fs::read_to_string(task.path().join("comm")).ok()?;
        (comm.trim_end() == name).then(|| task.file_name().to_str()?.parse().ok())?
    })
}

fn ptrace(request: libc::c_uint, tid: i32) -> io::Result<()> {
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: none of the requests used here reads or writes through its last two arguments.
    match unsafe { libc::ptrace(request, tid, none, none) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
