//! Many short-lived processes.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use nix::{
    errno::Errno,
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, fork},
};

use crate::cpu::burn;

/// Starts short-lived children at a steady rate.
#[derive(Debug, Args)]
pub struct Storm {
    /// Children per second.
    rate: f64,
    /// Children in all.
    count: u32,
    /// Fork children that burn this many rounds, instead of executing a program.
    #[arg(long)]
    fork: Option<u64>,
    /// Program to execute and its arguments.
    program: Vec<PathBuf>,
}

impl Storm {
    /// Starts all, waits for all, prints what they used.
    pub fn run(&self) {
        let start = Instant::now();
        let mut reaped = 0;
        for number in 0..self.count {
            let due = start + Duration::from_secs_f64(f64::from(number) / self.rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.start_one();
            // As soon as they end: the kernel frees those that are reaped together in one go.
            while reap(Some(WaitPidFlag::WNOHANG)) {
                reaped += 1;
            }
        }
        while reaped < self.count {
            reaped += u32::from(reap(None));
        }
        report(self.count);
    }

    #[expect(
        clippy::zombie_processes,
        reason = "whoever ends first is waited for by `reap`"
    )]
    fn start_one(&self) {
        if let Some(rounds) = self.fork {
            fork_one(rounds);
            return;
        }
        let (program, arguments) = self.program.split_first().expect("a program to execute");
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("start a child");
    }
}

/// Forks `children` processes as fast as possible, at most a few hundred at once.
pub fn bomb(children: u32, rounds: u64) {
    const AT_ONCE: u32 = 400;
    let mut alive = 0;
    for _ in 0..children {
        fork_one(rounds);
        alive += 1;
        if alive >= AT_ONCE {
            while alive > 0 {
                alive -= u32::from(reap(None));
            }
        }
    }
    while alive > 0 {
        alive -= u32::from(reap(None));
    }
    report(children);
}

fn fork_one(rounds: u64) {
    // SAFETY: this process has one thread; the child only counts and exits.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            burn(rounds);
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { .. } => {}
    }
}

/// Waits for a child that ended well, whichever it is; `false` if none has ended, with WNOHANG.
fn reap(how: Option<WaitPidFlag>) -> bool {
    match waitpid(None, how) {
        Ok(WaitStatus::Exited(_, 0)) => true,
        Ok(WaitStatus::StillAlive) => false,
        Err(Errno::ECHILD) if how.is_some() => false,
        other => panic!("a child ended with {other:?}"),
    }
}

fn report(children: u32) {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!(
        "{}",
        serde_json::json!({ "children": children, "cpu_seconds": micros as f64 / 1e6 })
    );
}
