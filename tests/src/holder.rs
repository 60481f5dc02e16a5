//! Whose a connection is, as all views must agree on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    agent::Agent,
    netns::Netns,
    scrape::Scrape,
    top::{self, Top},
};

/// Longest wait for the agent to come to see something.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Who has the one connection of a port, at one of its ends.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Which end: `inbound` or `outbound`.
    pub direction: &'a str,
    /// Port of the listener.
    pub port: u16,
    /// Name of the process.
    pub process: &'a str,
    /// Its user.
    pub user: &'a str,
    /// Its id.
    pub pid: u64,
}

impl Holder<'_> {
    /// Waits until the list of connections says so; that row.
    pub fn await_row(&self, top: &Top, state: &str, namespace: &Netns) -> Value {
        let place = match self.direction {
            "inbound" => "local_port",
            _ => "remote_port",
        };
        let fields = [
            ("direction", json!(self.direction)),
            (place, json!(self.port)),
            ("network_namespace", json!(namespace.inode())),
        ];
        top.await_cycle(self.process, PATIENCE, |cycle| {
            let row = top::row(cycle, "connections", &fields)?;
            let right = row["process"] == json!(self.process)
                && row["user"] == json!(self.user)
                && row["pid"] == json!(self.pid)
                && row["state"] == json!(state);
            right
                .then(|| row.clone())
                .ok_or_else(|| format!("{row} instead of {self:?}"))
        })
    }

    /// Sum of a family over this end of the port, of one process (with this user) or of all.
    pub fn sum(&self, scrape: &Scrape, family: &str, process: Option<&str>) -> f64 {
        let port = self.port.to_string();
        let place = match self.direction {
            "inbound" => "listen_port",
            _ => "remote_port",
        };
        let mut labels = vec![("direction", self.direction), (place, port.as_str())];
        if let Some(process) = process {
            labels.extend([("process", process), ("user", self.user)]);
        }
        scrape.sum(&format!("hostlens_tcp_{family}"), &labels)
    }

    /// Waits until a family of lives has so many of this holder, and of nobody else.
    pub fn await_alone(&self, agent: &Agent, family: &str, count: f64) {
        agent.await_scrape(family, PATIENCE, |scrape| {
            let own = self.sum(scrape, family, Some(self.process));
            let all = self.sum(scrape, family, None);
            (own == count && all == count)
                .then_some(())
                .ok_or_else(|| format!("{own} of {all}, not {count}: {self:?}"))
        });
    }

    /// Waits for both, of one established connection.
    pub fn await_seen(&self, agent: &Agent, top: &Top, namespace: &Netns) {
        self.await_row(top, "ESTAB", namespace);
        self.await_alone(agent, "established_connections", 1.0);
        println!("{self:?}");
    }
}

/// Waits until a listener is in its panel once, under these names, with so many who hold it.
pub fn await_listener(agent: &Agent, port: u16, (process, user): (&str, &str), holders: f64) {
    let port = port.to_string();
    agent.await_scrape("the listener", PATIENCE, |scrape| {
        // Alone by the port: nobody else's.
        let sockets = scrape.series("hostlens_tcp_listener_sockets", &[("listen_port", &port)]);
        let [one] = sockets[..] else {
            return Err(format!("not one row: {sockets:?}"));
        };
        let processes =
            scrape.value("hostlens_tcp_listener_processes", &[("listen_port", &port)])?;
        let right = one.has(&[("process", process), ("user", user)]);
        (right && one.value == 1.0 && processes == holders)
            .then_some(())
            .ok_or_else(|| format!("{one:?}, {processes} processes"))
    });
}
