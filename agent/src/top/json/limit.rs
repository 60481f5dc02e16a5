//! Limits, and descriptors by type.

use std::net::IpAddr;

use hostlens_ebpf::wire::FdType;
use serde::Serialize;

use crate::model::{FdRow, LimitRow, Limited, Owner};

#[derive(Default, Serialize)]
pub struct Limit<'a> {
    pub resource: &'static str,
    pub folded: bool,
    pub process: Option<&'a str>,
    pub user: Option<&'a str>,
    pub service: Option<&'a str>,
    pub listen_ip: Option<IpAddr>,
    pub listen_port: Option<u16>,
    pub local_ip: Option<IpAddr>,
    pub remote_ip: Option<IpAddr>,
    pub remote_port: Option<u16>,
    pub device: Option<&'a str>,
    pub mountpoint: Option<&'a str>,
    pub fstype: Option<&'a str>,
    pub used: u64,
    pub limit: u64,
    pub used_ratio: f64,
    pub to_full_seconds: Option<f64>,
}

#[derive(Serialize)]
pub struct Fds<'a> {
    pub process: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub socket: u64,
    pub file: u64,
    pub pipe: u64,
    pub anon: u64,
    pub other: u64,
}

impl<'a> Limit<'a> {
    pub(super) fn new(row: &'a LimitRow) -> Self {
        let mut limit = Self {
            resource: row.resource.name(),
            used: row.used,
            limit: row.limit,
            used_ratio: row.ratio(),
            to_full_seconds: row.seconds_to_full,
            ..Self::default()
        };
        match &row.of {
            Limited::Host => {}
            Limited::Process(owner) => {
                limit.process = Some(&owner.process);
                limit.user = Some(&owner.user);
                limit.service = service(owner);
            }
            Limited::User(user) => limit.user = Some(user),
            Limited::Service(service) => limit.service = Some(service),
            Limited::Listener { ip, port, owner } => {
                limit.process = Some(&owner.process);
                limit.user = Some(&owner.user);
                limit.service = service(owner);
                limit.listen_ip = Some(*ip);
                limit.listen_port = Some(*port);
            }
            Limited::Ports {
                local,
                remote,
                port,
            } => {
                limit.local_ip = Some(*local);
                limit.remote_ip = Some(*remote);
                limit.remote_port = Some(*port);
            }
            Limited::Filesystem {
                device,
                mountpoint,
                fstype,
            } => {
                limit.device = Some(device);
                limit.mountpoint = Some(mountpoint);
                limit.fstype = Some(fstype);
            }
            Limited::Folded => limit.folded = true,
        }
        limit
    }
}

/// `None` without one.
fn service(owner: &Owner) -> Option<&str> {
    Some(&*owner.service).filter(|service| !service.is_empty())
}

impl<'a> Fds<'a> {
    pub(super) fn new(row: &'a FdRow) -> Self {
        let of = |kind: FdType| {
            let counts = FdType::ALL.into_iter().zip(row.counts);
            counts.filter(|(it, _)| *it == kind).map(|(_, n)| n).sum()
        };
        Self {
            process: &row.owner.process,
            user: &row.owner.user,
            service: service(&row.owner),
            socket: of(FdType::Socket),
            file: of(FdType::File),
            pipe: of(FdType::Pipe),
            anon: of(FdType::Anon),
            other: of(FdType::Other),
        }
    }
}
