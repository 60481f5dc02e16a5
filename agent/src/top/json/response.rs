//! Times to first byte.

use std::net::IpAddr;

use rustc_hash::FxHashSet;
use serde::Serialize;

use hostlens_ebpf::wire::Excluded;

use crate::{
    metric::{response_mode, response_state},
    model::{
        Detached, ListenerKey, OTHER, PeerKey, QUANTILES, ResponseExclusions, ResponseState,
        ResponseStatus,
    },
    top::{
        answers::{Answer, P95, Turns},
        item::Item,
        stack::Part,
    },
};

use super::{
    fields::Quantiles,
    records::{direction, name, service},
};

/// Whether they are watched, and what that costs.
#[derive(Serialize)]
pub struct ResponseTime {
    pub mode: &'static str,
    pub state: &'static str,
    pub reason: Option<String>,
    pub retry_in_seconds: Option<f64>,
    pub asked_for_seconds: Option<f64>,
    pub budget_cores: Option<f64>,
    pub cost_cores: Option<f64>,
    pub runs: u64,
    pub run_seconds: Option<f64>,
    pub detachments: u64,
}

/// Turns left out, by reason.
#[derive(Serialize)]
pub struct Reasons {
    pub overlap: u64,
    pub push: u64,
    pub retransmit: u64,
    pub stamp: u64,
    pub closed: u64,
}

#[derive(Serialize)]
pub struct Exclusions {
    pub direction: &'static str,
    pub excluded: Reasons,
}

#[derive(Serialize)]
pub struct Response {
    pub direction: &'static str,
    pub folded: bool,
    pub listen_ip: Option<IpAddr>,
    pub listen_port: Option<u16>,
    pub remote_ip: String,
    pub remote_port: Option<u16>,
    pub response_seconds: Option<Quantiles>,
    pub peer_seconds: Option<Quantiles>,
    pub network_ratio: Option<f64>,
    pub answers: u64,
    pub answers_per_second: f64,
    pub excluded: Reasons,
}

#[derive(Serialize)]
pub struct ListenerTurns<'a> {
    pub folded: bool,
    pub listen_ip: Option<IpAddr>,
    pub listen_port: Option<u16>,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub network_seconds: Option<Quantiles>,
    pub wait_seconds: Option<Quantiles>,
    pub serve_seconds: Option<Quantiles>,
    pub answers: u64,
    pub answers_per_second: f64,
}

impl ResponseTime {
    pub(super) fn new(status: &ResponseStatus) -> Self {
        let (state, reason) = response_state(&status.state);
        let retry_in = match status.state {
            ResponseState::Detached(Detached::TooExpensive { retry_in }) => Some(retry_in),
            _ => None,
        };
        Self {
            mode: response_mode(status.mode),
            state,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            retry_in_seconds: retry_in.map(|time| time.as_secs_f64()),
            asked_for_seconds: status.asked_for.map(|left| left.as_secs_f64()),
            budget_cores: status.budget_cores,
            cost_cores: status.cost_cores,
            runs: status.runs,
            run_seconds: status.run_ns.map(|ns| ns / 1e9),
            detachments: status.detachments,
        }
    }
}

impl From<[u64; Excluded::COUNT]> for Reasons {
    fn from(counts: [u64; Excluded::COUNT]) -> Self {
        let [overlap, push, retransmit, stamp, closed] = counts;
        Self {
            overlap,
            push,
            retransmit,
            stamp,
            closed,
        }
    }
}

impl From<[f64; QUANTILES.len()]> for Quantiles {
    fn from([p50, p75, p95, p99, max]: [f64; QUANTILES.len()]) -> Self {
        Self {
            p50,
            p75,
            p95,
            p99,
            max,
        }
    }
}

impl Exclusions {
    pub(super) fn new(row: &ResponseExclusions) -> Self {
        Self {
            direction: direction(row.direction),
            excluded: row.excluded.into(),
        }
    }
}

impl Response {
    /// Those of the listed peers, each once: processes may share a peer.
    pub(super) fn all(peers: &[Item<'_>]) -> Vec<Self> {
        let mut seen = FxHashSet::default();
        let answers = peers.iter().filter_map(|item| match item {
            Item::Peer(_, answer) | Item::Answers(_, answer) => Some(answer),
            _ => None,
        });
        let new = |answer: &&Answer<'_>| answer.row.is_some_and(|row| seen.insert(row.key));
        answers.filter(new).filter_map(Self::new).collect()
    }

    fn new(answer: &Answer<'_>) -> Option<Self> {
        let row = answer.row?;
        let (listen, remote, remote_port) = match row.key {
            PeerKey::Inbound {
                listen_ip,
                listen_port,
                remote,
            } => (Some((listen_ip, listen_port)), name(remote), None),
            PeerKey::Outbound {
                remote,
                remote_port,
            } => (None, name(remote), Some(remote_port)),
            PeerKey::Folded(_) => (None, OTHER.to_string(), None),
        };
        let stack = answer.stack(P95);
        Some(Self {
            direction: direction(row.key.direction()),
            folded: matches!(row.key, PeerKey::Folded(_)),
            listen_ip: listen.map(|(ip, _)| ip),
            listen_port: listen.map(|(_, port)| port),
            remote_ip: remote,
            remote_port,
            response_seconds: row.quantiles.map(Quantiles::from),
            peer_seconds: row.peer_quantiles.map(Quantiles::from),
            network_ratio: stack.and_then(|stack| stack.share(Part::Network)),
            answers: row.response.count(),
            answers_per_second: row.rate,
            excluded: row.excluded.into(),
        })
    }
}

impl<'a> ListenerTurns<'a> {
    pub(super) fn new(turns: Turns<'a>) -> Option<Self> {
        let row = turns.row?;
        let (place, owner) = match &row.key {
            ListenerKey::Bound { ip, port, owner } => (Some((*ip, *port)), Some(owner)),
            ListenerKey::Folded => (None, None),
        };
        Some(Self {
            folded: row.key == ListenerKey::Folded,
            listen_ip: place.map(|(ip, _)| ip),
            listen_port: place.map(|(_, port)| port),
            process: owner.map_or(OTHER, |owner| &owner.process),
            user: owner.map_or(OTHER, |owner| &owner.user),
            service: service(owner),
            network_seconds: turns.network.map(Quantiles::from),
            wait_seconds: row.wait_quantiles.map(Quantiles::from),
            serve_seconds: row.serve_quantiles.map(Quantiles::from),
            answers: row.serve.count(),
            answers_per_second: row.rate,
        })
    }
}
