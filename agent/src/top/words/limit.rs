//! What a limit means, who feels its end, and what moves it.

use std::fmt::Write;

use hostlens_ebpf::wire::FdType;

use crate::{
    model::{LimitRow, Limited, Resource, Snapshot, fd_type},
    top::{
        columns::limit::{amount, pressing},
        human::{self, Unit},
    },
};

/// The words for a limit.
pub(super) fn words(row: &LimitRow, snapshot: &Snapshot) -> String {
    let (used, limit) = (amount(row, row.used), amount(row, row.limit));
    let mut words = match row.resource {
        Resource::OpenFiles => format!("{used} of {limit} descriptors in the fullest process"),
        Resource::HostOpenFiles => format!("{used} of {limit} files open on this host"),
        Resource::HostPids => format!("{used} of {limit} process ids taken"),
        Resource::HostThreads => format!("{used} of {limit} threads on this host"),
        Resource::UserThreads => format!("{used} threads, {limit} allowed to this user"),
        Resource::ServicePids => format!("{used} threads, {limit} allowed to this service"),
        Resource::ServiceMemory => format!("{used} of {limit}, without page cache to spare"),
        Resource::Conntrack => format!("{used} of {limit} connections tracked"),
        Resource::ListenBacklog => format!("{used} of {limit} waited at most in the last minute"),
        Resource::EphemeralPorts => format!("{used} of {limit} local ports taken"),
        Resource::FilesystemBytes => format!("{used} of {limit} used"),
        Resource::FilesystemInodes => format!("{used} of {limit} inodes used"),
    };
    words.push_str(&types(row, snapshot));
    words.push('.');
    // Writing to a String cannot fail.
    if let Some(left) = row.seconds_to_full {
        let left = human::format(left, Unit::Span);
        let _ = write!(words, " All in use in {left} at this pace.");
    }
    if pressing(row) {
        let _ = write!(words, " {}", cure(row.resource));
    }
    words
}

/// `: socket 3700, file 120`, where it is known.
fn types(row: &LimitRow, snapshot: &Snapshot) -> String {
    let (Resource::OpenFiles, Limited::Process(owner)) = (row.resource, &row.of) else {
        return String::new();
    };
    let Some(fds) = snapshot.fds.iter().find(|fds| fds.owner == *owner) else {
        return String::new();
    };
    let mut counts: Vec<_> = FdType::ALL.into_iter().zip(fds.counts).collect();
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let counts = counts.into_iter();
    let counts: Vec<_> = counts
        .map(|(kind, count)| format!("{} {count}", fd_type(kind)))
        .collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!("; of the group: {}", counts.join(", ")),
    }
}

/// What happens at the end, and what to do.
const fn cure(resource: Resource) -> &'static str {
    match resource {
        Resource::OpenFiles => {
            "Then open, accept and socket fail (EMFILE): find what is not closed, or raise \
             LimitNOFILE."
        }
        Resource::HostOpenFiles => "Then open fails for everyone (ENFILE): raise fs.file-max.",
        Resource::HostPids => "Then nothing can start (EAGAIN): raise kernel.pid_max.",
        Resource::HostThreads => "Then nothing can start (EAGAIN): raise kernel.threads-max.",
        Resource::UserThreads => {
            "Then this user can start nothing (EAGAIN): find what forks, or raise LimitNPROC."
        }
        Resource::ServicePids => {
            "Then it can start nothing (EAGAIN): find what forks, or raise pids.max (TasksMax)."
        }
        Resource::ServiceMemory => {
            "Then one of its processes is killed: find what grows, or raise memory.max (MemoryMax)."
        }
        Resource::Conntrack => {
            "Then packets of new connections are dropped: raise \
             net.netfilter.nf_conntrack_max, or track less."
        }
        Resource::ListenBacklog => {
            "Beyond it requests are dropped, or refused: the view of listeners tells why."
        }
        Resource::EphemeralPorts => {
            "Then connect fails (EADDRNOTAVAIL): keep connections open, or use more addresses."
        }
        Resource::FilesystemBytes => "Then writes fail (ENOSPC).",
        Resource::FilesystemInodes => "Then no file can be made (ENOSPC): remove small files.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture;

    #[test]
    fn what_leaks_and_what_to_do() {
        let snapshot = fixture::small();
        let words = |at: usize| words(&snapshot.limits[at], &snapshot);
        assert_eq!(
            words(0),
            "3900 of 4096 descriptors in the fullest process; of the group: socket 3700, file \
             120, pipe 40, anon 35, other 5. All in use in 45m31s at this pace. Then open, accept \
             and socket fail (EMFILE): find what is not closed, or raise LimitNOFILE."
        );
        assert_eq!(words(2), "1000 of 4096 files open on this host.");
    }
}
