//! What the kernel is and what it lets us do: facts that `doctor` explains signals by. Nothing is
//! chosen by them; sources are chosen by trying.

use std::path::Path;

use crate::collect::proc_file::{leading_number, line_value};

/// Facts about this host. Absent where the file that tells is missing or not readable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Kernel release, e.g. `6.12.48-amd64`.
    pub kernel_release: Option<String>,
    /// Machine the agent is built for, e.g. `x86_64`.
    pub architecture: &'static str,
    /// Effective capabilities by name, without `CAP_` and in lower case, in the kernel's order.
    pub capabilities: Option<Vec<&'static str>>,
    /// Effective user id.
    pub euid: Option<u32>,
    /// Size of `/sys/kernel/btf/vmlinux`, bytes; without it no kernel structure can be read.
    pub btf_bytes: Option<u64>,
    /// Kernel lockdown: `none`, `integrity` or `confidentiality`. Told only where securityfs is
    /// mounted.
    pub lockdown: Option<String>,
    /// `kernel.unprivileged_bpf_disabled`: 0 allows unprivileged BPF, 1 and 2 do not.
    pub unprivileged_bpf_disabled: Option<u64>,
    /// `kernel.bpf_stats_enabled`: the kernel measures run time and count of BPF programs.
    pub bpf_stats_enabled: Option<bool>,
    /// `kernel.kptr_restrict`: who sees addresses of the kernel.
    pub kptr_restrict: Option<u64>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<u64>,
    /// `/proc/kallsyms` shows us addresses and not zeros.
    pub kallsyms_addresses: Option<bool>,
}

/// Capabilities by number (`include/uapi/linux/capability.h`).
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

impl HostFacts {
    /// Reads them all.
    pub fn read() -> Self {
        Self::read_below(Path::new("/"))
    }

    fn read_below(root: &Path) -> Self {
        let text = |path: &str| std::fs::read(root.join(path)).ok();
        let sysctl = |name: &str| leading_number(&text(&format!("proc/sys/kernel/{name}"))?);
        let status = text("proc/self/status").unwrap_or_default();
        Self {
            kernel_release: text("proc/sys/kernel/osrelease")
                .map(|release| String::from_utf8_lossy(release.trim_ascii()).into_owned()),
            architecture: std::env::consts::ARCH,
            capabilities: line_value(&status, b"CapEff:").and_then(capabilities),
            euid: line_value(&status, b"Uid:").and_then(euid),
            btf_bytes: std::fs::metadata(root.join("sys/kernel/btf/vmlinux"))
                .ok()
                .map(|metadata| metadata.len()),
            lockdown: text("sys/kernel/security/lockdown").and_then(|modes| lockdown(&modes)),
            unprivileged_bpf_disabled: sysctl("unprivileged_bpf_disabled"),
            bpf_stats_enabled: sysctl("bpf_stats_enabled").map(|enabled| enabled != 0),
            kptr_restrict: sysctl("kptr_restrict"),
            perf_event_paranoid: sysctl("perf_event_paranoid"),
            kallsyms_addresses: kallsyms_addresses(&root.join("proc/kallsyms")),
        }
    }

    /// Whether a capability is effective; `None` if that is not known.
    pub fn has_capability(&self, name: &str) -> Option<bool> {
        Some(self.capabilities.as_ref()?.contains(&name))
    }
}

/// Names of the bits of a hexadecimal mask; bits of capabilities newer than our list are left out.
fn capabilities(mask: &[u8]) -> Option<Vec<&'static str>> {
    let mask = u64::from_str_radix(std::str::from_utf8(mask).ok()?, 16).ok()?;
    let set = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(bit, _)| mask >> bit & 1 == 1)
        .map(|(_, name)| *name);
    Some(set.collect())
}

/// The second of real, effective, saved and file system id.
fn euid(ids: &[u8]) -> Option<u32> {
    let effective = ids.split(|byte| *byte == b'\t').nth(1)?;
    u32::try_from(leading_number(effective)?).ok()
}

/// The mode in brackets: `none [integrity] confidentiality`.
fn lockdown(modes: &[u8]) -> Option<String> {
    let from = modes.iter().position(|byte| *byte == b'[')? + 1;
    let mode = modes.get(from..)?;
    let to = mode.iter().position(|byte| *byte == b']')?;
    Some(String::from_utf8_lossy(mode.get(..to)?).into_owned())
}

/// Looks at the first symbol only: the file has some hundred thousand lines.
fn kallsyms_addresses(path: &Path) -> Option<bool> {
    use std::io::Read;

    let mut first = [0; 8];
    std::fs::File::open(path)
        .ok()?
        .read_exact(&mut first)
        .ok()?;
    Some(first.iter().any(|digit| *digit != b'0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn capabilities_by_name() {
        assert_eq!(
            capabilities(b"0000018000200000"),
            Some(vec!["sys_admin", "bpf", "checkpoint_restore"])
        );
        assert_eq!(capabilities(b"0"), Some(vec![]));
        assert_eq!(capabilities(b"ffffffffffffffff").unwrap().len(), 41);
        assert_eq!(capabilities(b"xyz"), None);
    }

    #[test]
    fn lockdown_is_the_mode_in_brackets() {
        assert_eq!(
            lockdown(b"none [integrity] confidentiality\n").as_deref(),
            Some("integrity")
        );
        assert_eq!(lockdown(b"none"), None);
        assert_eq!(lockdown(b"[none"), None);
    }

    #[test]
    fn this_host() {
        let facts = HostFacts::read();
        assert!(
            facts
                .kernel_release
                .unwrap()
                .starts_with(|first: char| first.is_ascii_digit())
        );
        // SAFETY: geteuid has no preconditions.
        assert_eq!(facts.euid, Some(unsafe { libc::geteuid() }));
        assert!(facts.capabilities.is_some());
    }

    #[test]
    fn nothing_readable_is_nothing_known() {
        let facts = HostFacts::read_below(Path::new("/nonexistent"));
        let expected = HostFacts {
            architecture: std::env::consts::ARCH,
            ..HostFacts::default()
        };
        assert_eq!(facts, expected);
        assert_eq!(facts.has_capability("bpf"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (capabilities(&bytes), euid(&bytes), lockdown(&bytes));
        }
    }
}
