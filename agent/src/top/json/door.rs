//! Listeners and refused ports.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{
    ListenSettings, ListenerKey, ListenerRow, OTHER, RefusedKey, RefusedRow, Saturation,
};

use super::records::{names, service};

#[derive(Serialize)]
pub struct Listener<'a> {
    pub folded: bool,
    pub live: bool,
    pub listen_ip: Option<IpAddr>,
    pub listen_port: Option<u16>,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub sockets: u64,
    pub queue_length: Option<u64>,
    pub queue_limit: Option<u64>,
    pub queue_high_water: Option<u64>,
    pub oldest_wait_seconds: Option<f64>,
    pub drops: u64,
    pub drops_per_second: f64,
    pub accepted: Option<u64>,
    pub accepted_per_second: Option<f64>,
    pub resets: Option<u64>,
    pub processes: Option<u64>,
    pub threads: Option<u64>,
    pub accept_imbalance_ratio: Option<f64>,
    pub network_namespace: Option<u32>,
    pub somaxconn: Option<u64>,
    pub judged: bool,
    pub saturation: Option<Verdict<'a>>,
}

#[derive(Serialize)]
pub struct Verdict<'a> {
    pub reason: &'static str,
    pub network_namespace: u32,
    pub what: &'a str,
    pub advice: &'a str,
}

#[derive(Serialize)]
pub struct Settings {
    pub abort_on_overflow: Option<bool>,
    pub somaxconn: Option<u64>,
}

#[derive(Serialize)]
pub struct Refused<'a> {
    pub folded: bool,
    pub listen_ip: Option<IpAddr>,
    pub listen_port: Option<u16>,
    pub last_process: Option<&'a str>,
    pub last_user: Option<&'a str>,
    pub last_service: Option<&'a str>,
    pub refused: u64,
    pub refused_per_second: f64,
    pub gone_seconds: Option<f64>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(row: &'a ListenerRow) -> Self {
        let (place, owner) = match &row.key {
            ListenerKey::Bound { ip, port, owner } => (Some((*ip, *port)), Some(owner)),
            ListenerKey::Folded => (None, None),
        };
        Self {
            folded: row.key == ListenerKey::Folded,
            live: row.live,
            listen_ip: place.map(|(ip, _)| ip),
            listen_port: place.map(|(_, port)| port),
            process: owner.map_or(OTHER, |owner| &owner.process),
            user: owner.map_or(OTHER, |owner| &owner.user),
            service: service(owner),
            sockets: row.sockets,
            queue_length: row.live.then_some(row.queue_length),
            queue_limit: row.live.then_some(row.queue_limit),
            queue_high_water: row.live.then_some(row.high_water),
            oldest_wait_seconds: row.oldest_wait_seconds.filter(|_| row.live),
            drops: row.drops,
            drops_per_second: row.rates.drops,
            accepted: row.accepted,
            accepted_per_second: row.accepted.map(|_| row.rates.accepted),
            resets: row.resets,
            processes: row.processes.filter(|_| row.live),
            threads: row.threads.filter(|_| row.live),
            accept_imbalance_ratio: row.accept_imbalance.filter(|_| row.live),
            network_namespace: row.live.then_some(row.netns),
            somaxconn: row.somaxconn,
            judged: row.judged,
            saturation: row.saturation.as_ref().map(Verdict::new),
        }
    }
}

impl<'a> Verdict<'a> {
    fn new(saturation: &'a Saturation) -> Self {
        Self {
            reason: saturation.reason.name(),
            network_namespace: saturation.netns,
            what: &saturation.what,
            advice: &saturation.advice,
        }
    }
}

impl Settings {
    pub(super) fn new(settings: ListenSettings) -> Self {
        Self {
            abort_on_overflow: settings.abort_on_overflow,
            somaxconn: settings.somaxconn,
        }
    }
}

impl<'a> Refused<'a> {
    pub(super) fn new(row: &'a RefusedRow) -> Self {
        let (place, last) = match &row.key {
            RefusedKey::Port { ip, port, last } => (Some((*ip, *port)), last.as_ref()),
            RefusedKey::Folded => (None, None),
        };
        let (last_process, last_user) = names(last);
        Self {
            folded: row.key == RefusedKey::Folded,
            listen_ip: place.map(|(ip, _)| ip),
            listen_port: place.map(|(_, port)| port),
            last_process,
            last_user,
            last_service: service(last),
            refused: row.refused,
            refused_per_second: row.rate,
            gone_seconds: row.gone_seconds,
        }
    }
}
