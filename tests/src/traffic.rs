//! TCP traffic of known size between workload processes.

use std::path::Path;

use serde_json::Value;

use crate::{
    netns::Netns,
    workload::{Start, Workload},
};

/// Payload bytes as the sockets of one side saw them, from that side's own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections completed or held.
    pub connections: u64,
    /// Payload bytes sent.
    pub sent: u64,
    /// Payload bytes received.
    pub received: u64,
}

impl Totals {
    /// Reads what a client prints.
    pub fn of(value: &Value) -> Self {
        let number = |key: &str| {
            value[key]
                .as_u64()
                .unwrap_or_else(|| panic!("{key} in {value}"))
        };
        Self {
            connections: number("connections"),
            sent: number("sent"),
            received: number("received"),
        }
    }
}

/// A server that answers each request with as many bytes as it asks for; ends when dropped.
#[derive(Debug)]
pub struct Server {
    /// Port it listens on.
    pub port: u16,
    process: Workload,
}

impl Server {
    /// Listens on `address` and a free port.
    pub fn start(program: &Path, address: &str, namespace: Option<&Netns>) -> Self {
        let mut start = Start::new(program, "serve").arg(address);
        if let Some(namespace) = namespace {
            start = start.within(namespace);
        }
        let mut process = start.spawn();
        let port = process.reply()["port"]
            .as_u64()
            .expect("port of the server");
        Self {
            port: port as u16,
            process,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Starts `arguments` (a client subcommand of the workload program), inside `namespace` if given.
pub fn client(program: &Path, arguments: &str, namespace: Option<&Netns>) -> Workload {
    let mut start = Start::new(program, arguments);
    if let Some(namespace) = namespace {
        start = start.within(namespace);
    }
    start.spawn()
}
