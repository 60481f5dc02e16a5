//! Names of signals.

use std::borrow::Cow;

/// The name of a signal as `kill -l` prints it, e.g. `SIGKILL`; real-time signals relative to
/// glibc's `SIGRTMIN`, whichever C library the agent has; `None` for what cannot end a process.
/// The other numbers differ by architecture, hence libc's constants.
pub fn signal_name(number: u8) -> Option<Cow<'static, str>> {
    /// Below it lie the two real-time signals that glibc keeps for itself.
    const SIGRTMIN: i32 = 34;

    let name = match i32::from(number) {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGSTKFLT => "SIGSTKFLT",
        libc::SIGCHLD => "SIGCHLD",
        libc::SIGCONT => "SIGCONT",
        libc::SIGSTOP => "SIGSTOP",
        libc::SIGTSTP => "SIGTSTP",
        libc::SIGTTIN => "SIGTTIN",
        libc::SIGTTOU => "SIGTTOU",
        libc::SIGURG => "SIGURG",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGVTALRM => "SIGVTALRM",
        libc::SIGPROF => "SIGPROF",
        libc::SIGWINCH => "SIGWINCH",
        libc::SIGIO => "SIGIO",
        libc::SIGPWR => "SIGPWR",
        libc::SIGSYS => "SIGSYS",
        SIGRTMIN => "SIGRTMIN",
        // 127: all that fits the signal part of an exit code; MIPS has that many.
        other @ 32..=127 => return Some(Cow::Owned(format!("SIGRTMIN{:+}", other - SIGRTMIN))),
        _ => return None,
    };
    Some(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_a_name_and_nothing_else_has() {
        let mut seen = std::collections::HashSet::new();
        for number in 1..=127 {
            let name = signal_name(number).unwrap_or_default();
            assert!(name.starts_with("SIG"), "{number}: {name:?}");
            assert!(seen.insert(name.clone()), "{name} twice");
        }
        assert_eq!(signal_name(9).as_deref(), Some("SIGKILL"));
        assert_eq!(signal_name(36).as_deref(), Some("SIGRTMIN+2"));
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_name(32).as_deref(), Some("SIGRTMIN-2"));
        assert_eq!(signal_name(128), None);
    }
}
