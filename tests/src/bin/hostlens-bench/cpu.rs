//! CPU time, to the nanosecond where the kernel has it: user and system of all threads.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::{
    sys::{
        resource::{Usage, UsageWho, getrusage},
        time::TimeVal,
    },
    time::ClockId,
    unistd::Pid,
};

/// CPU time of one pass of something.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU time.
    pub cpu: Duration,
    /// Time that passed.
    pub wall: Duration,
}

impl Cost {
    /// CPU time in milliseconds.
    pub fn millis(self) -> f64 {
        self.cpu.as_secs_f64() * 1e3
    }
}

/// What `job` costs this process.
pub fn own<T>(job: impl FnOnce() -> T) -> anyhow::Result<(T, Cost)> {
    let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
    let (start, before) = (Instant::now(), Duration::from(clock.now()?));
    let value = job();
    let cost = Cost {
        cpu: Duration::from(clock.now()?).saturating_sub(before),
        wall: start.elapsed(),
    };
    Ok((value, cost))
}

/// CPU time another process has used since it started.
pub fn of_process(pid: u32) -> anyhow::Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    let clock = ClockId::pid_cpu_clock_id(pid).context("no CPU clock of that process")?;
    Ok(clock.now()?.into())
}

/// What a command costs from start to end, its children included; its output goes nowhere.
pub fn of_command(command: &mut Command) -> anyhow::Result<Cost> {
    let (start, before) = (Instant::now(), children()?);
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(Cost {
        cpu: children()?.saturating_sub(before),
        wall: start.elapsed(),
    })
}

/// CPU time of all children that ended and were waited for.
fn children() -> anyhow::Result<Duration> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
