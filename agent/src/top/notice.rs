//! What is missing and how to get it, in one line.

use std::os::unix::fs::MetadataExt;

use crate::model::{OwnStats, SourceStatus};

/// Words in a reason that point to missing privileges.
const PRIVILEGE: [&str; 6] = [
    "permi", // "permission denied", "operation not permitted", "not permitted"
    "privilege",
    "eperm",
    "eacces",
    "cap_",
    "root",
];

/// How this process would get to see more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// By becoming root.
    Root,
    /// It is root, in a container or under a unit that took capabilities away.
    Capabilities,
}

impl Cure {
    /// The one for this process.
    pub fn here() -> Self {
        match std::fs::metadata("/proc/self") {
            Ok(own) if own.uid() == 0 => Self::Capabilities,
            _ => Self::Root,
        }
    }

    fn words(self, capabilities: &'static str) -> &'static str {
        match self {
            Self::Root => "run as root (sudo)",
            Self::Capabilities => capabilities,
        }
    }
}

/// Told by a line of its own, to those who ask.
const TOLD: &str = "response_time";

/// One line about what the sources cannot tell; `None` if all are at their best and everything is
/// in reach.
pub fn notice(own: &OwnStats, cure: Cure) -> Option<String> {
    let degraded = own.sources.iter();
    let degraded = degraded.filter(|source| source.signal != TOLD);
    let degraded = degraded.filter_map(|source| Some((source, source.degraded.as_deref()?)));
    let degraded: Vec<(&SourceStatus, &str)> = degraded.collect();
    let absent = degraded.iter().copied();
    let absent: Vec<_> = absent
        .filter(|(source, _)| source.source == "absent")
        .collect();
    let (what, causes) = match (absent.first(), degraded.first()) {
        (Some(_), _) => (format!("missing: {}", meaning(&absent)), absent),
        (None, Some((first, _))) => {
            let what = format!("{} only from {}", area(first.signal), short(first.source));
            (what, degraded)
        }
        (None, None) => return unreachable_namespaces(own, cure),
    };
    let denied = causes.iter().any(|(_, reason)| {
        let reason = reason.to_lowercase();
        PRIVILEGE.iter().any(|word| reason.contains(word))
    });
    let line = if denied {
        format!("{what}; {}", cure.words("needs CAP_BPF, CAP_PERFMON"))
    } else {
        // What an absent signal would tell stands before its reason, and is said already.
        let reason = causes
            .first()
            .map_or("", |(source, reason)| match source.source {
                "absent" => reason.split_once(": ").map_or(*reason, |(_, cause)| cause),
                _ => reason,
            });
        format!("{what}; {reason}; see hostlens doctor")
    };
    Some(line.replace(['\n', '\r'], " "))
}

fn unreachable_namespaces(own: &OwnStats, cure: Cure) -> Option<String> {
    let many = own.scope.namespaces_unreadable;
    let cure = cure.words("needs CAP_SYS_ADMIN");
    (many > 0).then(|| format!("missing: {many} network namespaces; {cure}"))
}

/// What a person misses without these signals.
fn meaning(absent: &[(&SourceStatus, &str)]) -> String {
    let mut short_lived = Vec::new();
    let mut missing = Vec::new();
    for (source, _) in absent {
        match source.signal.strip_suffix("_ended") {
            Some("tcp") => short_lived.push("connections"),
            Some("process") => short_lived.push("processes"),
            _ => missing.push(source.signal.replace('_', " ")),
        }
    }
    if !short_lived.is_empty() {
        missing.insert(0, format!("short-lived {}", short_lived.join(" and ")));
    }
    missing.join(", ")
}

/// `tcp` of `tcp_live`.
fn area(signal: &str) -> &str {
    signal.split('_').next().unwrap_or(signal)
}

/// `bpf` for each of its ways, else the source's own name.
fn short(source: &str) -> &str {
    if source.starts_with("bpf") {
        "bpf"
    } else {
        source
    }
}

/// Each area with the source of its living objects: `tcp: bpf  process: procfs`.
pub fn sources(own: &OwnStats) -> String {
    let live = own.sources.iter().filter_map(|source| {
        let area = source.signal.strip_suffix("_live")?;
        Some(format!("{area}: {}", short(source.source)))
    });
    live.collect::<Vec<_>>().join("  ")
}

/// Seconds the last cycle took, all stages; `None` if none was measured.
pub fn cycle_seconds(own: &OwnStats) -> Option<f64> {
    let sum = own.stages.iter().map(|stage| stage.last_seconds).sum();
    (!own.stages.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(signal: &'static str, source: &'static str, why: Option<&str>) -> SourceStatus {
        SourceStatus {
            signal,
            source,
            degraded: why.map(str::to_string),
        }
    }

    fn own(sources: Vec<SourceStatus>) -> OwnStats {
        OwnStats {
            sources,
            ..OwnStats::default()
        }
    }

    #[test]
    fn silent_when_nothing_is_missing() {
        let own = own(vec![source("tcp_live", "bpf_iter_tcp", None)]);
        assert_eq!(notice(&own, Cure::Capabilities), None);
    }

    #[test]
    fn times_to_first_byte_have_a_line_of_their_own() {
        let own = own(vec![
            source("tcp_live", "bpf_iter_tcp", None),
            source("response_time", "bpf", Some("not watched")),
        ]);
        assert_eq!(notice(&own, Cure::Root), None);
    }

    #[test]
    fn what_is_missing_and_its_cure_fit_on_a_line() {
        let why = "bpf(2): Operation not permitted\n(errno 1)";
        let own = own(vec![
            source("tcp_live", "sock_diag", Some(why)),
            source("tcp_ended", "absent", Some(why)),
            source("process_live", "procfs", Some(why)),
            source("process_ended", "absent", Some(why)),
        ]);
        let line = notice(&own, Cure::Root).unwrap_or_default();
        assert_eq!(
            line,
            "missing: short-lived connections and processes; run as root (sudo)"
        );
        assert!(line.len() <= 80);
    }

    #[test]
    fn other_reasons_are_passed_on() {
        let own = own(vec![
            source("tcp_live", "sock_diag", Some("no BTF in this kernel")),
            source("tcp_names", "sock_diag", Some("no BTF in this kernel")),
        ]);
        assert_eq!(
            notice(&own, Cure::Capabilities).as_deref(),
            Some("tcp only from sock_diag; no BTF in this kernel; see hostlens doctor")
        );
    }

    #[test]
    fn nobody_is_sent_for_privileges_that_would_not_help() {
        let off = "switched off (--ebpf off)";
        let ended = format!("short ones are not seen: {off}");
        let live = format!("{off}; disk I/O of 1 process needs CAP_SYS_PTRACE");
        let own = own(vec![
            source("tcp_live", "sock_diag", Some(off)),
            source("process_live", "procfs", Some(&live)),
            source("process_ended", "absent", Some(&ended)),
        ]);
        assert_eq!(
            notice(&own, Cure::Capabilities).as_deref(),
            Some("missing: short-lived processes; switched off (--ebpf off); see hostlens doctor")
        );
    }

    #[test]
    fn namespaces_out_of_reach() {
        let mut own = own(Vec::new());
        own.scope.namespaces_unreadable = 3;
        assert_eq!(
            notice(&own, Cure::Capabilities).as_deref(),
            Some("missing: 3 network namespaces; needs CAP_SYS_ADMIN")
        );
    }

    #[test]
    fn the_source_of_each_area() {
        let stats = own(vec![
            source("tcp_live", "bpf_sk_storage", None),
            source("tcp_ended", "bpf", None),
            source("process_live", "procfs", None),
        ]);
        assert_eq!(sources(&stats), "tcp: bpf  process: procfs");
    }
}
