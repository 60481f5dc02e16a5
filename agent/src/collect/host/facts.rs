//! What the host allows: facts for the doctor, no decisions.

use std::{fs, io::Read, path::Path};

use serde::Serialize;

use crate::kernel::btf::Btf;

/// Capabilities that some signal uses, by bit (`include/uapi/linux/capability.h`).
const CAPABILITIES: [(&str, u32); 7] = [
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_RESOURCE", 24),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// Facts of this host and this process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// Kernel release.
    pub kernel: Option<String>,
    /// Architecture.
    pub architecture: &'static str,
    /// The kernel shows its types.
    pub btf: bool,
    /// Effective capabilities of this process, among those that matter.
    pub capabilities: Vec<&'static str>,
    /// Those that matter and are missing.
    pub capabilities_missing: Vec<&'static str>,
    /// Lockdown mode: `none`, `integrity`, `confidentiality`; absent if the kernel does not know
    /// lockdown, or securityfs, which alone tells, is not mounted.
    pub lockdown: Option<String>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<u64>,
    /// The kernel counts runs and time of BPF programs.
    pub bpf_stats: Option<bool>,
    /// `/proc/kallsyms` shows us addresses of the kernel and not zeros.
    pub kernel_addresses: Option<bool>,
    /// Delay accounting is on.
    pub delay_accounting: Option<bool>,
    /// This process sees the host's processes, not those of a container.
    pub host_pid_namespace: Option<bool>,
}

/// Reads the facts.
pub fn read() -> Facts {
    let effective = effective_capabilities();
    let (held, missing) = CAPABILITIES
        .into_iter()
        .partition::<Vec<_>, _>(|(_, bit)| effective.is_some_and(|set| set >> bit & 1 == 1));
    Facts {
        kernel: line("/proc/sys/kernel/osrelease"),
        architecture: std::env::consts::ARCH,
        btf: Path::new(Btf::PATH).exists(),
        capabilities: held.into_iter().map(|(name, _)| name).collect(),
        capabilities_missing: missing.into_iter().map(|(name, _)| name).collect(),
        lockdown: line("/sys/kernel/security/lockdown").and_then(|modes| chosen(&modes)),
        unprivileged_bpf_disabled: number("/proc/sys/kernel/unprivileged_bpf_disabled"),
        bpf_stats: number("/proc/sys/kernel/bpf_stats_enabled").map(|on| on != 0),
        kernel_addresses: kernel_addresses(Path::new("/proc/kallsyms")),
        delay_accounting: number("/proc/sys/kernel/task_delayacct").map(|on| on != 0),
        host_pid_namespace: host_pid_namespace(),
    }
}

impl Facts {
    /// Name and value of each fact, for people.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let yes = |on: Option<bool>| match on {
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
            None => "unknown".to_owned(),
        };
        let unknown = || "unknown".to_owned();
        let none_if_empty = |names: &[&str]| match names {
            [] => "none".to_owned(),
            names => names.join(" "),
        };
        vec![
            ("kernel", self.kernel.clone().unwrap_or_else(unknown)),
            ("architecture", self.architecture.to_owned()),
            ("BTF", yes(Some(self.btf))),
            ("capabilities", none_if_empty(&self.capabilities)),
            (
                "capabilities missing",
                none_if_empty(&self.capabilities_missing),
            ),
            ("lockdown", self.lockdown.clone().unwrap_or_else(unknown)),
            ("BPF statistics", yes(self.bpf_stats)),
            ("kernel addresses shown", yes(self.kernel_addresses)),
            ("delay accounting", yes(self.delay_accounting)),
            ("host's processes seen", yes(self.host_pid_namespace)),
        ]
    }
}

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number(path: &str) -> Option<u64> {
    line(path)?.parse().ok()
}

/// The mode in brackets: `none [integrity] confidentiality`.
fn chosen(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn effective_capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// Looks at the first symbol only: the file has some hundred thousand lines.
fn kernel_addresses(kallsyms: &Path) -> Option<bool> {
    let mut address = [0; 8];
    fs::File::open(kallsyms)
        .ok()?
        .read_exact(&mut address)
        .ok()?;
    Some(address.iter().any(|digit| *digit != b'0'))
}

/// The initial pid namespace has a fixed inode number (`PROC_PID_INIT_INO`).
fn host_pid_namespace() -> Option<bool> {
    const INITIAL: &str = "pid:[4026531836]";
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_str() == Some(INITIAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_mode_is_in_brackets() {
        assert_eq!(
            chosen("none [integrity] confidentiality").as_deref(),
            Some("integrity")
        );
        assert_eq!(chosen("none"), None);
    }

    #[test]
    fn this_host_has_facts() {
        let facts = read();
        assert!(facts.kernel.is_some());
        assert_eq!(
            facts.capabilities.len() + facts.capabilities_missing.len(),
            CAPABILITIES.len()
        );
        assert_eq!(facts.lines().len(), 10);
    }
}
