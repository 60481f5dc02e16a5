//! What an examination found.

use serde::Serialize;

use super::balance::{Balance, balances};
use crate::{
    collect::host::facts::Facts,
    metric::{response_mode, response_state},
    model::{ProgramState, ProgramStatus, ResponseStatus, Snapshot, SourceStatus},
};

/// How well the host can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Every signal has its best source.
    Healthy,
    /// Some signal has a lesser source, or none.
    Degraded,
    /// Neither sockets nor processes can be seen.
    Unusable,
}

impl Health {
    /// 0, 1, 2.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Degraded => 1,
            Self::Unusable => 2,
        }
    }
}

/// A signal and where it comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Signal {
    /// Name.
    pub signal: &'static str,
    /// Source.
    pub source: &'static str,
    /// Why not a better one; absent if this is the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
}

/// A kernel program.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramReport {
    /// Object.
    pub object: &'static str,
    /// Name.
    pub program: String,
    /// Hook.
    pub hook: String,
    /// `attached`, `loaded`, `unused`, `unsupported` or `refused`.
    pub state: &'static str,
    /// The kernel's reason, for the last two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether times to first byte are watched.
#[derive(Clone, Debug, Serialize)]
pub struct ResponseReport {
    /// `off`, `on` or `auto`.
    pub mode: &'static str,
    /// `attached`, `detached` or `unsupported`.
    pub state: &'static str,
    /// Why they are not; absent while they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Cores it may cost; absent if not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_cores: Option<f64>,
    /// Cores it cost when last measured; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_cores: Option<f64>,
}

/// What is seen now.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Seen {
    /// Network namespaces read.
    pub namespaces: u64,
    /// Network namespaces known and not readable.
    pub namespaces_unreadable: u64,
    /// Sockets.
    pub connections: u64,
    /// Processes.
    pub processes: u64,
}

/// An examination of this host.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of hostlens.
    pub version: &'static str,
    /// Verdict.
    pub health: Health,
    /// Why the host cannot be seen at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the host is like.
    pub host: Facts,
    /// What is seen.
    pub seen: Seen,
    /// Signals.
    pub signals: Vec<Signal>,
    /// Times to first byte; absent if nothing could be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_time: Option<ResponseReport>,
    /// Kernel programs.
    pub programs: Vec<ProgramReport>,
    /// Our sums against the kernel's totals.
    pub balance: Vec<Balance>,
}

impl Report {
    /// From a finished cycle.
    pub fn new(host: Facts, snapshot: &Snapshot) -> Self {
        let own = &snapshot.own;
        let signals: Vec<Signal> = own.sources.iter().map(Signal::from).collect();
        let seen = Seen {
            namespaces: own.scope.namespaces,
            namespaces_unreadable: own.scope.namespaces_unreadable,
            connections: own.scope.connections,
            processes: own.scope.processes,
        };
        let health = if seen.processes == 0 && seen.namespaces == 0 {
            Health::Unusable
        } else if signals.iter().any(|signal| signal.degraded.is_some()) {
            Health::Degraded
        } else {
            Health::Healthy
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            health,
            error: None,
            host,
            seen,
            signals,
            response_time: Some(ResponseReport::from(&own.response_time)),
            programs: own.programs.iter().map(ProgramReport::from).collect(),
            balance: balances(snapshot),
        }
    }

    /// Nothing could be started.
    pub fn unusable(host: Facts, error: String) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            health: Health::Unusable,
            error: Some(error),
            host,
            seen: Seen::default(),
            signals: Vec::new(),
            response_time: None,
            programs: Vec::new(),
            balance: Vec::new(),
        }
    }

    /// Verdict.
    pub fn health(&self) -> Health {
        self.health
    }
}

impl From<&SourceStatus> for Signal {
    fn from(status: &SourceStatus) -> Self {
        Self {
            signal: status.signal,
            source: status.source,
            degraded: status.degraded.clone(),
        }
    }
}

impl From<&ResponseStatus> for ResponseReport {
    fn from(status: &ResponseStatus) -> Self {
        let (state, reason) = response_state(&status.state);
        Self {
            mode: response_mode(status.mode),
            state,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            budget_cores: status.budget_cores,
            cost_cores: status.cost_cores,
        }
    }
}

impl From<&ProgramStatus> for ProgramReport {
    fn from(status: &ProgramStatus) -> Self {
        let (state, reason) = match &status.state {
            ProgramState::Attached => ("attached", None),
            ProgramState::Loaded => ("loaded", None),
            ProgramState::Unused => ("unused", None),
            ProgramState::Unsupported(why) => ("unsupported", Some(why.clone())),
            ProgramState::Refused(why) => ("refused", Some(why.clone())),
        };
        Self {
            object: status.object,
            program: status.name.clone(),
            hook: status.hook.clone(),
            state,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::model::{OwnStats, Scope};

    fn snapshot(sources: Vec<SourceStatus>, scope: Scope) -> Snapshot {
        Snapshot {
            interval: Duration::from_secs(1),
            own: OwnStats {
                sources,
                scope,
                ..OwnStats::default()
            },
            ..Snapshot::empty(2, SystemTime::UNIX_EPOCH)
        }
    }

    #[test]
    fn the_verdict_follows_from_the_signals() {
        let scope = Scope {
            namespaces: 1,
            processes: 10,
            ..Scope::default()
        };
        let best = SourceStatus {
            signal: "tcp_live",
            source: "bpf_sk_storage",
            degraded: None,
        };
        let lesser = SourceStatus {
            degraded: Some("no BTF".into()),
            ..best.clone()
        };
        let verdict = |sources, scope| {
            Report::new(Facts::default(), &snapshot(sources, scope))
                .health()
                .exit_code()
        };
        assert_eq!(verdict(vec![best.clone()], scope), 0);
        assert_eq!(verdict(vec![best, lesser.clone()], scope), 1);
        assert_eq!(verdict(vec![lesser], Scope::default()), 2);
        assert_eq!(
            Report::unusable(Facts::default(), "x".into())
                .health()
                .exit_code(),
            2
        );
    }
}
