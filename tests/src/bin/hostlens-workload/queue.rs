//! Threads that wait for one CPU.

use std::{fs, thread};

use clap::Args;

use crate::{cpu, door::pin, hold_on};

/// Burns on several threads that share one CPU; prints how long they waited for it, then holds.
#[derive(Debug, Args)]
pub struct Queue {
    /// Threads beside the first.
    count: u64,
    /// Rounds of each.
    rounds: u64,
}

impl Queue {
    /// Does it. What the threads beside the first waited is read by each just before it ends.
    pub fn run(&self) {
        pin(Some(0));
        let threads: Vec<_> = (0..self.count)
            .map(|_| {
                let rounds = self.rounds;
                thread::spawn(move || {
                    cpu::burn(rounds);
                    waited_ns()
                })
            })
            .collect();
        let ended: u64 = threads
            .into_iter()
            .map(|thread| thread.join().expect("a burning thread"))
            .sum();
        println!("{{\"ended_ns\":{ended},\"own_ns\":{}}}", waited_ns());
        hold_on();
    }
}

/// What this thread waited so far.
fn waited_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("own schedstat");
    let second = text.split(' ').nth(1).expect("a second number");
    second.parse().expect("nanoseconds")
}
