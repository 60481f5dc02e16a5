//! What is missing and how to get it, in one line.

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

/// One line about what the sources cannot tell; `None` if all are at their best and everything is
/// in reach.
pub fn notice(own: &OwnStats) -> Option<String> {
    let degraded: Vec<&SourceStatus> = own
        .sources
        .iter()
        .filter(|source| source.degraded.is_some())
        .collect();
    let Some(first) = degraded.first() else {
        return unreadable(own);
    };
    let absent: Vec<&str> = degraded
        .iter()
        .filter(|source| source.source == "absent")
        .map(|source| meaning(source.signal))
        .collect();
    let what = if absent.is_empty() {
        let mut weaker: Vec<&str> = Vec::new();
        for source in &degraded {
            let area = area(source.signal);
            if !weaker.contains(&area) {
                weaker.push(area);
            }
        }
        format!("{} from {}", weaker.join(", "), short(first.source))
    } else {
        format!("not seen: {}", absent.join(", "))
    };
    let denied = degraded.iter().any(|source| {
        let reason = source
            .degraded
            .as_deref()
            .unwrap_or_default()
            .to_lowercase();
        PRIVILEGE.iter().any(|word| reason.contains(word))
    });
    let cure = if denied {
        "run as root (sudo hostlens top)".to_string()
    } else {
        let reason = first.degraded.as_deref().unwrap_or_default();
        format!("{reason}; see hostlens doctor")
    };
    Some(format!("{what}: {cure}").replace(['\n', '\r'], " "))
}

fn unreadable(own: &OwnStats) -> Option<String> {
    match own.scope.namespaces_unreadable {
        0 => None,
        1 => Some("1 network namespace is not readable: run as root (sudo hostlens top)".into()),
        many => Some(format!(
            "{many} network namespaces are not readable: run as root (sudo hostlens top)"
        )),
    }
}

/// What a person misses without a signal.
fn meaning(signal: &str) -> &str {
    match signal {
        "tcp_live" => "connections",
        "tcp_ended" => "connections shorter than a cycle",
        "process_live" => "processes",
        "process_ended" => "processes shorter than a cycle",
        other => other,
    }
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

/// Each area with the source of its living objects: `tcp bpf  process procfs`.
pub fn sources(own: &OwnStats) -> String {
    let live = own.sources.iter().filter_map(|source| {
        let area = source.signal.strip_suffix("_live")?;
        Some(format!("{area} {}", short(source.source)))
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
        assert_eq!(
            notice(&own(vec![source("tcp_live", "bpf_iter_tcp", None)])),
            None
        );
    }

    #[test]
    fn names_what_is_not_seen_and_the_cure_once() {
        let why = "bpf(2): Operation not permitted\n(errno 1)";
        let line = notice(&own(vec![
            source("tcp_live", "sock_diag", Some(why)),
            source("tcp_ended", "absent", Some(why)),
            source("process_live", "procfs", Some(why)),
            source("process_ended", "absent", Some(why)),
        ]));
        assert_eq!(
            line.as_deref(),
            Some(
                "not seen: connections shorter than a cycle, processes shorter than a cycle: \
                 run as root (sudo hostlens top)"
            )
        );
    }

    #[test]
    fn other_reasons_are_passed_on() {
        let line = notice(&own(vec![
            source("tcp_live", "sock_diag", Some("no BTF in this kernel")),
            source("tcp_names", "sock_diag", Some("no BTF in this kernel")),
        ]));
        assert_eq!(
            line.as_deref(),
            Some("tcp from sock_diag: no BTF in this kernel; see hostlens doctor")
        );
    }

    #[test]
    fn the_source_of_each_area() {
        let stats = own(vec![
            source("tcp_live", "bpf_sk_storage", None),
            source("tcp_ended", "bpf", None),
            source("process_live", "procfs", None),
        ]);
        assert_eq!(sources(&stats), "tcp bpf  process procfs");
    }
}
