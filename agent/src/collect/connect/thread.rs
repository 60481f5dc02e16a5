//! Whether a thread has left the `connect()` it was in. One that lost its CPU inside, however long
//! for, must not be taken for one that failed.

use std::{fs, io};

use crate::collect::proc_file;

/// More CPU time than `connect()` needs from where attempts are noted to `SYN_SENT`, ns, and than
/// the scheduler's books may lag behind.
const ENOUGH_NS: u64 = 50_000_000;
/// System calls inside of which a connection is opened.
const OPENING: [libc::c_long; 5] = [
    libc::SYS_connect,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_enter,
];

/// Where a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has left.
    Elsewhere,
    /// It may still be inside.
    Unclear,
    /// It has ended.
    Ended,
}

/// Looks for a thread (process id × 2³² + thread id) that had used `runtime_ns` of CPU time when it
/// was inside.
pub fn place(thread: u64, runtime_ns: u64) -> Place {
    let (tgid, tid) = (thread >> 32, thread & u64::from(u32::MAX));
    let folder = proc_file::proc_root().join(format!("{tgid}/task/{tid}"));
    let call = match fs::read_to_string(folder.join("syscall")) {
        Ok(call) => call,
        Err(error) if is_gone(&error) => return Place::Ended,
        // No CAP_SYS_PTRACE, or a kernel without it.
        Err(_) => "running".to_owned(),
    };
    if let Some(elsewhere) = waits_elsewhere(&call) {
        return if elsewhere {
            Place::Elsewhere
        } else {
            Place::Unclear
        };
    }
    let used = match fs::read_to_string(folder.join("schedstat")) {
        Ok(text) => text
            .split(' ')
            .next()
            .and_then(|first| first.parse::<u64>().ok()),
        Err(error) if is_gone(&error) => return Place::Ended,
        Err(_) => None,
    };
    match used {
        Some(used) if used.saturating_sub(runtime_ns) >= ENOUGH_NS => Place::Elsewhere,
        _ => Place::Unclear,
    }
}

/// Whether a thread has ended.
pub fn has_ended(thread: u64) -> bool {
    let (tgid, tid) = (thread >> 32, thread & u64::from(u32::MAX));
    let folder = proc_file::proc_root().join(format!("{tgid}/task/{tid}"));
    matches!(fs::metadata(folder), Err(error) if is_gone(&error))
}

fn is_gone(error: &io::Error) -> bool {
    proc_file::is_gone(error)
}

/// What `/proc/PID/task/TID/syscall` tells of a thread: `running` (or able to: nothing), or the
/// number of the call it waits in, -1 outside of any.
fn waits_elsewhere(call: &str) -> Option<bool> {
    let number: libc::c_long = call.split_whitespace().next()?.parse().ok()?;
    Some(!OPENING.contains(&number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
        time::Instant,
    };

    use super::*;

    fn await_place(thread: u64, runtime_ns: u64, expected: Place) {
        let begun = Instant::now();
        // One look decides: a second one might find the thread elsewhere again.
        loop {
            let seen = place(thread, runtime_ns);
            if seen == expected {
                return;
            }
            assert!(
                begun.elapsed().as_secs() < 60,
                "{seen:?} instead of {expected:?}"
            );
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_waits_runs_or_ended_is_told() {
        // SAFETY: no arguments.
        let own_tid = || u64::from(unsafe { libc::gettid() } as u32);
        let process = u64::from(std::process::id()) << 32;
        let (tell, told) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let running = std::thread::spawn(move || {
            tell.send(own_tid()).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let thread = process | told.recv().unwrap();
        // It has hardly used any time since, or a lot.
        await_place(thread, u64::MAX, Place::Unclear);
        await_place(thread, 0, Place::Elsewhere);
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap();

        let (tell, told) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let waiting = std::thread::spawn(move || {
            tell.send(own_tid()).unwrap();
            let _ = stopped.recv();
        });
        let thread = process | told.recv().unwrap();
        // In futex().
        await_place(thread, u64::MAX, Place::Elsewhere);
        assert!(!has_ended(thread));
        drop(stop);
        waiting.join().unwrap();
        assert_eq!(place(thread, 0), Place::Ended);
        assert!(has_ended(thread));
    }

    #[test]
    fn calls_that_open_connections_are_not_left() {
        assert_eq!(waits_elsewhere("running\n"), None);
        assert_eq!(waits_elsewhere("-1 0x7f 0x5\n"), Some(true));
        let inside = format!("{} 0x3 0x7f\n", libc::SYS_connect);
        assert_eq!(waits_elsewhere(&inside), Some(false));
        assert_eq!(waits_elsewhere(""), None);
    }
}
