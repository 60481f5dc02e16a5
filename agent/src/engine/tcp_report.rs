//! What the TCP stage says of itself.

use super::{part::Part, tcp::TcpStage, tcp_source::Source};
use crate::model::{Budget, Lost, MapFill, ProgramStatus, SourceStatus};

impl Part for TcpStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let (live, ended) = match &self.source {
            Source::Storage(_) => ("bpf_sk_storage", "bpf_inet_sock_set_state"),
            Source::Hash(_) => ("bpf_iter_tcp", "bpf_inet_sock_set_state"),
            Source::Diag(_) => ("sock_diag", "absent"),
        };
        let beyond = self.unreadable.values().next().map(|(why, _)| {
            format!(
                "{} network namespaces not read: {why}",
                self.unreadable.len()
            )
        });
        let degraded = match (&self.degraded, beyond) {
            (Some(why), Some(more)) => Some(format!("{why}; {more}")),
            (Some(why), None) => Some(why.clone()),
            (None, more) => more,
        };
        let ended_degraded = match &self.source {
            Source::Diag(_) => Some(format!(
                "connections that open and close between two cycles are not seen, nor how any \
                 connection ends: {}",
                self.degraded.as_deref().unwrap_or("no kernel programs")
            )),
            _ => None,
        };
        vec![
            SourceStatus {
                signal: "tcp_live",
                source: live,
                degraded,
            },
            SourceStatus {
                signal: "tcp_ended",
                source: ended,
                degraded: ended_degraded,
            },
            self.connect.source(),
            SourceStatus {
                signal: "tcp_rtt",
                source: match &self.ack {
                    Some(_) => "bpf_tcp_probe",
                    None => live,
                },
                degraded: self.no_ack.clone(),
            },
            SourceStatus {
                signal: "tcp_time_wait",
                source: "sock_diag",
                degraded: self.time_wait_failed.clone(),
            },
            self.source.owner_status(self.owners_unknown.as_deref()),
        ]
    }

    fn programs(&self) -> Vec<ProgramStatus> {
        let mut programs = self.source.programs();
        programs.extend(self.connect.programs());
        programs.extend(self.refused.iter().cloned());
        programs
    }

    fn lost(&self) -> Vec<Lost> {
        let mut lost = self.table.lost_detail();
        lost.push(Lost {
            what: "time_wait",
            count: self.time_wait_lost,
        });
        if let Some(ack) = &self.ack {
            lost.push(Lost {
                what: "rtt_ack",
                count: ack.lost(),
            });
        }
        lost.extend(self.connect.lost());
        let malformed = self.malformed + self.source.ends().map_or(0, |ends| ends.malformed());
        lost.push(Lost {
            what: "malformed",
            count: malformed,
        });
        lost.extend(self.source.door_lost());
        lost
    }

    fn maps(&self) -> Vec<MapFill> {
        let ends = self.source.ends().map(|ends| ends.fill());
        let ack = self.ack.as_ref().map(|ack| ack.fill());
        let maps = ends.into_iter().chain(self.source.door_fill());
        maps.chain(ack).chain(self.connect.map()).collect()
    }

    fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    fn held(&self) -> u64 {
        self.table.held()
    }
}
