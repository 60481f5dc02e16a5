//! Pools of peers, and local ports in use.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{OTHER, PortUseRow, UpstreamRow};

use super::records::service;

#[derive(Serialize)]
pub struct Upstream<'a> {
    pub folded: bool,
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub remote_port: Option<u16>,
    pub peers: u64,
    pub by_connections: Option<Heaviest>,
    pub by_bytes: Option<Heaviest>,
}

/// The heaviest peer of a pool.
#[derive(Serialize)]
pub struct Heaviest {
    pub ratio: f64,
    pub peer: IpAddr,
}

#[derive(Serialize)]
pub struct Ports {
    pub folded: bool,
    pub local_ip: Option<IpAddr>,
    pub remote_ip: Option<IpAddr>,
    pub remote_port: Option<u16>,
    pub network_namespace: u32,
    pub used: u64,
    pub available: u64,
    pub used_ratio: f64,
}

impl From<crate::model::Heaviest> for Heaviest {
    fn from(heaviest: crate::model::Heaviest) -> Self {
        Self {
            ratio: heaviest.ratio,
            peer: heaviest.peer,
        }
    }
}

impl<'a> Upstream<'a> {
    pub(super) fn new(row: &'a UpstreamRow) -> Self {
        let owner = row.owner.as_ref();
        Self {
            folded: owner.is_none(),
            process: owner.map_or(OTHER, |owner| &owner.process),
            user: owner.map_or(OTHER, |owner| &owner.user),
            service: service(owner),
            remote_port: owner.map(|_| row.remote_port),
            peers: row.peers,
            by_connections: row.by_connections.map(Heaviest::from),
            by_bytes: row.by_bytes.map(Heaviest::from),
        }
    }
}

impl Ports {
    pub(super) fn new(row: &PortUseRow) -> Self {
        Self {
            folded: row.ends.is_none(),
            local_ip: row.ends.map(|(local, _)| local),
            remote_ip: row.ends.map(|(_, remote)| remote),
            remote_port: row.ends.map(|_| row.remote_port),
            network_namespace: row.netns,
            used: row.used,
            available: row.available,
            used_ratio: row.ratio(),
        }
    }
}
