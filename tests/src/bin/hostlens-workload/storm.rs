//! Many short-lived processes.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork},
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

enum Kid {
    Executed(Child),
    Forked(Pid),
}

impl Storm {
    /// Starts all, waits for all, prints what they used.
    pub fn run(&self) {
        let start = Instant::now();
        let mut kids = Vec::new();
        for number in 0..self.count {
            let due = start + Duration::from_secs_f64(f64::from(number) / self.rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            kids.push(self.start_one());
            // Reap what is surely done; the last few follow below.
            if kids.len() > 50 {
                kids.drain(..25).for_each(reap);
            }
        }
        kids.drain(..).for_each(reap);
        report(self.count);
    }

    fn start_one(&self) -> Kid {
        if let Some(rounds) = self.fork {
            return Kid::Forked(fork_one(rounds));
        }
        let (program, arguments) = self.program.split_first().expect("a program to execute");
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("start a child");
        Kid::Executed(child)
    }
}

/// Forks `children` processes as fast as possible, at most a few hundred at once.
pub fn bomb(children: u32, rounds: u64) {
    const AT_ONCE: usize = 400;
    let mut kids = Vec::new();
    for _ in 0..children {
        kids.push(Kid::Forked(fork_one(rounds)));
        if kids.len() >= AT_ONCE {
            kids.drain(..).for_each(reap);
        }
    }
    kids.drain(..).for_each(reap);
    report(children);
}

fn fork_one(rounds: u64) -> Pid {
    // SAFETY: this process has one thread; the child only counts and exits.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            burn(rounds);
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => child,
    }
}

fn reap(kid: Kid) {
    match kid {
        Kid::Executed(mut child) => assert!(child.wait().expect("wait").success()),
        Kid::Forked(pid) => drop(waitpid(pid, None).expect("waitpid")),
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
