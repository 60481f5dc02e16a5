//! Work for a CPU: loops that only count, so that nothing refreshes the kernel's books meanwhile.

use std::{
    hint::black_box, os::unix::process::CommandExt, path::Path, process::Command, thread,
    time::Duration,
};

use clap::Args;
use nix::time::ClockId;

use crate::hold_on;

/// Counts to `rounds`.
pub fn burn(rounds: u64) {
    for round in 0..rounds {
        black_box(round);
    }
}

/// Rounds that take about `millis` of CPU. Measured on this thread's clock, as others may have
/// the CPU meanwhile.
pub fn calibrate(millis: u64) -> u64 {
    const PROBE: u64 = 20_000_000;
    let clock = || {
        Duration::from(
            ClockId::CLOCK_THREAD_CPUTIME_ID
                .now()
                .expect("own CPU clock"),
        )
    };
    let start = clock();
    burn(PROBE);
    let taken = clock() - start;
    (Duration::from_millis(millis).as_secs_f64() / taken.as_secs_f64() * PROBE as f64) as u64
}

/// Burns on several threads, some of which end early.
#[derive(Debug, Args)]
pub struct Threads {
    /// Threads beside the first.
    count: u64,
    /// Rounds of the longest-lived thread; the others burn 1/count, 2/count, … of it.
    rounds: u64,
    /// The first thread ends before all others.
    #[arg(long)]
    leader_first: bool,
    /// Stay, once all threads beside the first have ended, until standard input ends.
    #[arg(long, conflicts_with = "leader_first")]
    hold: bool,
}

impl Threads {
    /// Does it.
    pub fn run(&self) {
        let threads: Vec<_> = (1..=self.count)
            .map(|number| {
                let rounds = self.rounds / self.count * number;
                thread::spawn(move || burn(rounds))
            })
            .collect();
        burn(self.rounds / self.count);
        if self.leader_first {
            // Not pthread_exit(3), which would unwind into the runtime's own frames.
            // SAFETY: ends only this thread; the process goes on until its last thread ends.
            // Nothing that lives on this thread's stack is used by the others.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
        for thread in threads {
            thread.join().expect("a burning thread");
        }
        if self.hold {
            println!("{{\"burnt\":true}}");
            hold_on();
        }
    }
}

/// Burns, then becomes `program burn rounds`.
pub fn burn_and_exec(rounds: u64, program: &Path) {
    burn(rounds);
    let error = Command::new(program)
        .args(["burn", &rounds.to_string()])
        .exec();
    panic!("exec {}: {error}", program.display());
}
