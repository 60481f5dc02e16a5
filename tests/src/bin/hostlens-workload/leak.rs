//! Descriptors that are opened and never closed.

use std::{
    fs::File,
    net::TcpListener,
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        eventfd::EventFd,
        resource::{Resource, setrlimit},
    },
    unistd::pipe,
};

/// Open some descriptors of each kind, then one socket after another.
#[derive(Debug, clap::Args)]
pub struct Leak {
    /// `RLIMIT_NOFILE`.
    limit: u64,
    /// Files held from the start.
    files: usize,
    /// Pipes held from the start, two descriptors each.
    pipes: usize,
    /// Eventfds held from the start.
    events: usize,
    /// Milliseconds between two sockets.
    every: u64,
    /// Sockets in all.
    sockets: u64,
}

impl Leak {
    /// Prints once the first are held, and once the last socket is.
    pub fn run(self) {
        setrlimit(Resource::RLIMIT_NOFILE, self.limit, self.limit).expect("RLIMIT_NOFILE");
        let mut held: Vec<OwnedFd> = Vec::new();
        for _ in 0..self.files {
            held.push(File::open("/proc/self/exe").expect("open").into());
        }
        for _ in 0..self.pipes {
            let (read, write) = pipe().expect("pipe");
            held.extend([read, write]);
        }
        for _ in 0..self.events {
            held.push(EventFd::new().expect("eventfd").into());
        }
        println!("{{\"held\":{}}}", held.len());
        // On a grid: a late one does not make all that follow late.
        let start = Instant::now();
        for number in 0..self.sockets {
            let due = Duration::from_millis(self.every * number);
            thread::sleep(due.saturating_sub(start.elapsed()));
            held.push(TcpListener::bind("127.0.0.1:0").expect("bind").into());
        }
        println!("{{\"held\":{}}}", held.len());
        crate::hold_on();
    }
}
