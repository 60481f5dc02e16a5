//! Plays workloads whose size is known: each prints what it did as one JSON object per line, and
//! those that hold something do so until their standard input ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a workload that cannot do its work must fail"
)]

mod answer;
mod attempt;
mod converse;
mod cpu;
mod disk;
mod dns;
mod door;
mod hold;
mod leak;
mod net;
mod puppet;
mod queue;
mod requests;
mod serve;
mod storm;

use std::{
    io::{self, BufRead},
    path::PathBuf,
};

use clap::Parser;

/// Which workload to play.
#[derive(Debug, Parser)]
enum Work {
    /// Answer requests; prints the port.
    Serve { address: std::net::IpAddr },
    /// Hold connections and exchange a request and an answer on each, again and again.
    Ping(net::Ping),
    /// Open connections that live for a moment, one exchange each.
    Short(net::Short),
    /// Hold connections from and to many loopback addresses; one exchange each per input line.
    Fan(net::Fan),
    /// Answer requests, each after a while, and say how long it took; prints the port.
    Answer(answer::Answer),
    /// Ask such a server, and say how long it took.
    Converse(converse::Converse),
    /// Try to connect, whatever comes of it.
    Attempt(attempt::Attempt),
    /// Accept connections and read them to their end; prints the port.
    Sink { address: std::net::IpAddr },
    /// Do with sockets what each line of standard input says.
    Puppet,
    /// Answer lookups.
    Resolve(dns::Resolve),
    /// Look names up.
    Ask(dns::Ask),
    /// Fork workers that share a listening socket; prints the port.
    Door(door::Door),
    /// Clients that connect, wait for an answer and connect again.
    Crowd(door::Crowd),
    /// Clients that all come at once, again and again.
    Bursts(door::Bursts),
    /// Fill the queue of a server that defers while others wait; prints how many were reset.
    Push(door::Push),
    /// Spin on one CPU until standard input ends.
    Spin { cpu: usize },
    /// Spin for a number of rounds.
    Burn { rounds: u64 },
    /// Print how many rounds take about this many milliseconds of CPU.
    Calibrate { millis: u64 },
    /// Burn on several threads, some of which end early.
    Threads(cpu::Threads),
    /// Burn on several threads that share one CPU; prints how long they waited, then holds.
    Queue(queue::Queue),
    /// Burn, then exec another program with the same number of rounds to burn.
    Exec { rounds: u64, program: PathBuf },
    /// Start short-lived children at a steady rate; prints what they used.
    Storm(storm::Storm),
    /// Fork children as fast as possible, each burning a little; prints what they used.
    Bomb { children: u32, rounds: u64 },
    /// Write and read a file, directly and through the page cache; prints, then holds.
    Disk { file: PathBuf, mebibytes: usize },
    /// Ask a disk or file for something, once per input line; prints when it is done.
    Requests(requests::Requests),
    /// Hold this many descriptors.
    Descriptors { count: u64 },
    /// Open descriptors and close none.
    Leak(leak::Leak),
    /// Hold a mapping without a file, pushed out to swap if asked: at once, or at the word `out`.
    /// At the word `read` all of it is read.
    Map(hold::Mapping),
    /// Hold nothing.
    Idle,
}

fn main() {
    match Work::parse() {
        Work::Serve { address } => serve::run(address),
        Work::Ping(work) => work.run(),
        Work::Short(work) => work.run(),
        Work::Fan(work) => work.run(),
        Work::Answer(work) => work.run(),
        Work::Converse(work) => work.run(),
        Work::Attempt(work) => work.run(),
        Work::Sink { address } => attempt::sink(address),
        Work::Puppet => puppet::Puppet::default().run(),
        Work::Resolve(work) => work.run(),
        Work::Ask(work) => work.run(),
        Work::Door(work) => work.run(),
        Work::Crowd(work) => work.run(),
        Work::Bursts(work) => work.run(),
        Work::Push(work) => work.run(),
        Work::Spin { cpu } => door::spin(cpu),
        Work::Burn { rounds } => cpu::burn(rounds),
        Work::Calibrate { millis } => println!("{}", cpu::calibrate(millis)),
        Work::Threads(work) => work.run(),
        Work::Queue(work) => work.run(),
        Work::Exec { rounds, program } => cpu::burn_and_exec(rounds, &program),
        Work::Storm(work) => work.run(),
        Work::Bomb { children, rounds } => storm::bomb(children, rounds),
        Work::Disk { file, mebibytes } => disk::run(&file, mebibytes),
        Work::Requests(work) => work.run(),
        Work::Descriptors { count } => hold::descriptors(count),
        Work::Leak(work) => work.run(),
        Work::Map(work) => work.run(),
        Work::Idle => hold_on(),
    }
}

/// Returns when standard input ends.
fn hold_on() {
    while wait_for_line() {}
}

/// Waits for a line of standard input; `false` when it has ended.
fn wait_for_line() -> bool {
    next_line().is_some()
}

/// The next line of standard input; `None` when it has ended.
fn next_line() -> Option<String> {
    let mut line = String::new();
    let bytes = io::stdin().lock().read_line(&mut line).unwrap_or(0);
    (bytes > 0).then(|| line.trim_end().to_owned())
}
