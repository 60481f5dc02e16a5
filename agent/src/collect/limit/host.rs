//! Limits of the host as a whole, from `/proc`.

use std::path::Path;

use super::Use;
use crate::{
    collect::proc_file::{ProcReader, leading_number, proc_root},
    model::Resource,
};

/// Reads them.
pub struct HostLimits {
    proc: ProcReader,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self::new(&proc_root())
    }
}

impl HostLimits {
    fn new(proc: &Path) -> Self {
        Self {
            proc: ProcReader::new(proc),
        }
    }

    /// Each limit that could be read; one that the kernel does not have is left out.
    pub fn read(&mut self) -> Vec<(Resource, Use)> {
        let threads = self.threads();
        let [open, max] = self.open_files();
        let pids = self.number("sys/kernel/pid_max");
        let most = self.number("sys/kernel/threads-max");
        let tracked = self.number("sys/net/netfilter/nf_conntrack_count");
        let trackable = self.number("sys/net/netfilter/nf_conntrack_max");
        [
            (Resource::HostOpenFiles, Use::of(open, max)),
            (Resource::HostPids, Use::of(threads, pids)),
            (Resource::HostThreads, Use::of(threads, most)),
            (Resource::Conntrack, Use::of(tracked, trackable)),
        ]
        .into_iter()
        .filter_map(|(resource, used)| Some((resource, used?)))
        .collect()
    }

    fn number(&mut self, file: &str) -> Option<u64> {
        leading_number(self.proc.read_host(file).ok()?)
    }

    /// Open files and their limit: first and third of `fs.file-nr`.
    fn open_files(&mut self) -> [Option<u64>; 2] {
        let Ok(line) = self.proc.read_host("sys/fs/file-nr") else {
            return [None; 2];
        };
        let mut fields = line.split(u8::is_ascii_whitespace);
        let open = fields.next().and_then(leading_number);
        [open, fields.nth(1).and_then(leading_number)]
    }

    /// Threads of all namespaces: what stands behind the slash in `/proc/loadavg`
    /// (`nr_threads`, which `copy_process` holds against threads-max; each has an id of its own).
    fn threads(&mut self) -> Option<u64> {
        let line = self.proc.read_host("loadavg").ok()?;
        let slash = line.iter().position(|byte| *byte == b'/')?;
        leading_number(line.get(slash + 1..)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::collect::limit::fixture::Tree;

    #[test]
    fn what_a_kernel_has_is_read() {
        let tree = Tree::new("host-limits");
        let write = |file: &str, text: &str| tree.write(file, text);
        let mut limits = HostLimits::new(tree.root());
        assert_eq!(limits.read(), []);
        write("loadavg", "4.37 2.73 1.92 3/812 27054\n");
        write("sys/kernel/pid_max", "32768\n");
        write("sys/kernel/threads-max", "0\n");
        write("sys/fs/file-nr", "741\t0\t9223372036854775807\n");
        let used = |used, limit| Use { used, limit };
        assert_eq!(
            limits.read(),
            [
                (Resource::HostOpenFiles, used(741, i64::MAX as u64)),
                (Resource::HostPids, used(812, 32_768)),
            ]
        );
        write("sys/net/netfilter/nf_conntrack_count", "262143\n");
        write("sys/net/netfilter/nf_conntrack_max", "262144\n");
        write("sys/fs/file-nr", "nonsense\n");
        write("loadavg", "");
        assert_eq!(
            limits.read(),
            [(Resource::Conntrack, used(262_143, 262_144))]
        );
    }

    #[test]
    fn this_host_has_limits() {
        let limits = HostLimits::default().read();
        let threads = limits
            .iter()
            .find(|(resource, _)| *resource == Resource::HostThreads);
        let (_, threads) = threads.unwrap();
        assert!(threads.used > 0 && threads.used < threads.limit);
    }
}
