//! Lookups of names.

use std::{collections::BTreeMap, net::IpAddr};

use serde::Serialize;

use crate::model::{DnsKey, DnsRow, FailedName, OTHER, RCODES};

use super::records::service;

#[derive(Serialize)]
pub struct Dns<'a> {
    pub folded: bool,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub resolver: Option<IpAddr>,
    /// By response code.
    pub responses: BTreeMap<&'static str, u64>,
    pub timeouts: u64,
    pub answers_per_second: f64,
    pub failures_per_second: f64,
    pub seconds: Option<Quantiles>,
    pub failing: Vec<Failed<'a>>,
}

/// Quantiles over the last window.
#[derive(Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p95: f64,
}

#[derive(Serialize)]
pub struct Failed<'a> {
    pub name: &'a str,
    pub outcome: &'static str,
}

impl<'a> Dns<'a> {
    pub(super) fn new(row: &'a DnsRow) -> Self {
        let (owner, resolver) = match &row.key {
            DnsKey::Asker { owner, resolver } => (Some(owner), Some(*resolver)),
            DnsKey::Folded => (None, None),
        };
        Self {
            folded: resolver.is_none(),
            process: owner.map_or(OTHER, |owner| &owner.process),
            user: owner.map_or(OTHER, |owner| &owner.user),
            service: service(owner),
            resolver,
            responses: RCODES.into_iter().zip(row.responses).collect(),
            timeouts: row.timeouts,
            answers_per_second: row.rate,
            failures_per_second: row.failure_rate,
            seconds: row.quantiles.map(|[p50, p95]| Quantiles { p50, p95 }),
            failing: row.failing.iter().map(Failed::new).collect(),
        }
    }
}

impl<'a> Failed<'a> {
    fn new(failed: &'a FailedName) -> Self {
        Self {
            name: &failed.name,
            outcome: failed.outcome,
        }
    }
}
