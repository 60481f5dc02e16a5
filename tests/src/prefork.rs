//! A server that forks its worker beforehand, and a client.

use crate::{
    agent::Agent,
    holder::{Holder, await_listener},
    netns::Netns,
    puppet::Puppet,
    top::Top,
    workload::Names,
};

const WORKER: u32 = 54_031;
const CLIENT: u32 = 54_032;

/// A parent that listens, a worker under another name and user that accepts and reads.
pub struct PreFork {
    /// Where they are.
    pub namespace: Netns,
    /// Port of the listener.
    pub port: u16,
    /// Parent, and from its fork on the worker.
    pub server: Puppet,
    /// Who opened the connection.
    pub client: Puppet,
}

impl PreFork {
    /// Starts them and lets one connection be accepted and read from.
    pub fn start(names: &Names) -> Self {
        let namespace = Netns::new();
        let mut server = Puppet::start(names, "preparent", &namespace, 0);
        let mut client = Puppet::start(names, "preclient", &namespace, CLIENT);
        let port = server.listen("127.0.0.1:0");
        server.fork("preworker", WORKER);
        client.connect("127.0.0.1", port, 1);
        server.tell("accept");
        client.tell("write 100");
        server.tell("read 100");
        Self {
            namespace,
            port,
            server,
            client,
        }
    }

    /// The accepting end.
    pub fn worker(&self) -> Holder<'static> {
        Holder {
            direction: "inbound",
            port: self.port,
            process: "preworker",
            user: "54031",
            pid: self.server.pid,
        }
    }

    /// The opening end.
    pub fn opener(&self) -> Holder<'static> {
        Holder {
            direction: "outbound",
            port: self.port,
            process: "preclient",
            user: "54032",
            pid: self.client.pid,
        }
    }

    /// Waits until every view names both ends, and the listener's group once.
    pub fn check(&self, agent: &Agent, top: &Top) {
        self.worker().await_seen(agent, top, &self.namespace);
        self.opener().await_seen(agent, top, &self.namespace);
        await_listener(agent, self.port, ("preparent", "root"), 2.0);
    }
}
