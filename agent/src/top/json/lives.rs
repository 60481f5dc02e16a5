//! Lives of connections, and attempts that came to nothing.

use serde::Serialize;

use crate::model::{FailureKey, FailureRow, OTHER, ServiceKey, ServiceRow};

use super::records::{direction, name, service};

#[derive(Serialize)]
pub struct Service<'a> {
    pub folded: bool,
    pub live: bool,
    pub direction: &'static str,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub port: Option<u16>,
    pub connections: u64,
    pub opened: u64,
    pub opened_per_second: f64,
    pub closed: Option<Closed>,
    pub closed_per_second: Option<f64>,
    pub aborted: Option<Aborted>,
    pub lost_unread_bytes: Option<u64>,
    pub lost_unread_bytes_per_second: Option<f64>,
    pub lost_unacked_bytes: Option<u64>,
    pub lost_unacked_bytes_per_second: Option<f64>,
    pub lifetime_median_seconds: Option<f64>,
    pub connect_median_seconds: Option<f64>,
    pub storm: bool,
}

/// Ends by reason.
#[derive(Serialize)]
pub struct Closed {
    pub closed: u64,
    pub reset_received: u64,
    pub reset_sent: u64,
    pub timeout: u64,
    pub aborted_unread: u64,
}

/// Connections cut off by cause.
#[derive(Serialize)]
pub struct Aborted {
    pub unread: u64,
    pub linger: u64,
    pub never_accepted: u64,
    pub timeout: u64,
}

#[derive(Serialize)]
pub struct Failure<'a> {
    pub folded: bool,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub remote_ip: String,
    pub remote_port: Option<u16>,
    pub error_type: &'static str,
    pub failures: u64,
    pub failures_per_second: f64,
}

impl<'a> Service<'a> {
    pub(super) fn new(row: &'a ServiceRow) -> Self {
        let (owner, port) = match &row.key {
            ServiceKey::Service { owner, port, .. } => (Some(owner), Some(*port)),
            ServiceKey::Folded(_) => (None, None),
        };
        let rates = &row.rates;
        Self {
            folded: port.is_none(),
            live: row.live,
            direction: direction(row.direction()),
            process: owner.map_or(OTHER, |owner| &owner.process),
            user: owner.map_or(OTHER, |owner| &owner.user),
            service: service(owner),
            port,
            connections: row.connections,
            opened: row.opened,
            opened_per_second: rates.opened,
            closed: row.closed.map(
                |[closed, reset_received, reset_sent, timeout, aborted_unread]| Closed {
                    closed,
                    reset_received,
                    reset_sent,
                    timeout,
                    aborted_unread,
                },
            ),
            closed_per_second: row.closed.map(|_| rates.closed),
            aborted: row
                .aborted
                .map(|[unread, linger, never_accepted, timeout]| Aborted {
                    unread,
                    linger,
                    never_accepted,
                    timeout,
                }),
            lost_unread_bytes: row.unread_bytes,
            lost_unread_bytes_per_second: row.unread_bytes.map(|_| rates.unread_bytes),
            lost_unacked_bytes: row.unacked_bytes,
            lost_unacked_bytes_per_second: row.unacked_bytes.map(|_| rates.unacked_bytes),
            lifetime_median_seconds: rates.lifetime_median,
            connect_median_seconds: rates.connect_median,
            storm: rates.storm,
        }
    }
}

impl<'a> Failure<'a> {
    pub(super) fn new(row: &'a FailureRow) -> Self {
        let count = (row.failures, row.rate);
        match &row.key {
            FailureKey::Attempt {
                owner,
                remote,
                remote_port,
                error,
            } => Self {
                folded: false,
                process: &owner.process,
                user: &owner.user,
                service: service(Some(owner)),
                remote_ip: name(*remote),
                remote_port: Some(*remote_port),
                error_type: error.name(),
                failures: count.0,
                failures_per_second: count.1,
            },
            FailureKey::Folded => Self {
                folded: true,
                process: OTHER,
                user: OTHER,
                service: None,
                remote_ip: OTHER.to_owned(),
                remote_port: None,
                error_type: OTHER,
                failures: count.0,
                failures_per_second: count.1,
            },
        }
    }
}
