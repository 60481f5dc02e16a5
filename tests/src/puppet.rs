//! Processes that do with sockets what the test says, step by step.

use serde_json::Value;

use crate::{
    netns::Netns,
    workload::{Names, Start, Workload},
};

/// A running puppet; killed when dropped.
#[derive(Debug)]
pub struct Puppet {
    /// The process it was started as.
    pub process: Workload,
    /// Who obeys now: that process, or a worker it forked.
    pub pid: u64,
}

impl Puppet {
    /// Starts one under a name, inside a namespace, as a user (0: root).
    pub fn start(names: &Names, name: &str, namespace: &Netns, uid: u32) -> Self {
        let start = Start::new(&names.workload(name), "puppet").within(namespace);
        let mut process = match uid {
            0 => start.spawn(),
            uid => start.user(uid).spawn(),
        };
        let pid = process.reply()["pid"].as_u64().expect("a process id");
        Self { process, pid }
    }

    /// Says a command without waiting for what comes of it.
    pub fn say(&mut self, command: &str) {
        self.process.say(command);
    }

    /// Says a command and waits for the answer.
    pub fn tell(&mut self, command: &str) -> Value {
        self.process.say(command);
        self.process.reply()
    }

    /// As [`Puppet::tell`], for one number of the answer.
    ///
    /// # Panics
    /// When the answer has no such number.
    pub fn ask(&mut self, command: &str, key: &str) -> u64 {
        let answer = self.tell(command);
        answer[key]
            .as_u64()
            .unwrap_or_else(|| panic!("{command}: {answer}"))
    }

    /// Listens on an address and port (0: one that is free); the port.
    pub fn listen(&mut self, address: &str) -> u16 {
        self.ask(&format!("listen {address}"), "port") as u16
    }

    /// Opens connections.
    ///
    /// # Panics
    /// When one of them fails.
    pub fn connect(&mut self, address: &str, port: u16, count: u64) {
        let opened = self.ask(&format!("connect {address}:{port} {count}"), "opened");
        assert_eq!(opened, count, "connections to {address}:{port}");
    }

    /// Forks a worker under a name and user of its own, who obeys from now on.
    pub fn fork(&mut self, name: &str, uid: u32) {
        self.pid = self.ask(&format!("fork {name} {uid}"), "pid");
    }
}
