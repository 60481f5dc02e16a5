//! Resident memory of a running agent.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hostlens::model::ResponseMode;
use hostlens_tests::agent::Agent;

use super::{
    plan::{self, Held, Scale},
    report::{Report, Verdict},
};

/// Cycles until memory has settled.
const CYCLES: u64 = 15;
/// Protobuf scrapes, each of another snapshot.
const SCRAPES: u64 = 5;
/// Longest wait for cycles.
const PATIENCE: Duration = Duration::from_secs(120);

const PROTOBUF: &str = "Accept: application/vnd.google.protobuf; \
                        proto=io.prometheus.client.MetricFamily; encoding=delimited";
const TEXT: &str = "Accept: text/plain; version=0.0.4";

/// Measures and judges.
pub fn measure(
    scale: Scale,
    load: &mut Held,
    mode: ResponseMode,
    report: &mut Report,
) -> anyhow::Result<()> {
    let agent = Agent::start(match mode {
        ResponseMode::Off => "",
        ResponseMode::On => "--response-time on",
        ResponseMode::Auto => "--response-time auto",
    });
    let (name, pid) = (scale.name, agent.pid());
    await_cycles(&agent, load, CYCLES)?;
    let at_start = status(pid, "VmHWM")?;
    scrapes(&agent, load, TEXT)?;
    let steady = status(pid, "VmRSS")?;
    forget_peak(pid)?;
    let size = scrapes(&agent, load, PROTOBUF)?;
    let at_scrape = status(pid, "VmHWM")?;
    await_cycles(&agent, load, 2)?;
    let after = status(pid, "VmRSS")?;

    let (bound, target) = if scale == plan::LARGE {
        (40.0, "≤ 40 MiB")
    } else {
        (20.0, "≤ 20 MiB")
    };
    let mut judge = |what: &str, figure, bound, target| {
        let verdict = Verdict::of(figure <= bound);
        report.judged(name, what, format!("{figure:.1} MiB"), target, verdict);
    };
    judge("agent RSS, steady (text scrapes)", steady, bound, target);
    judge("agent RSS, peak since start", at_start, 40.0, "≤ 40 MiB");
    judge(
        "agent RSS, peak while scraped as protobuf",
        at_scrape,
        40.0,
        "≤ 40 MiB",
    );
    judge("agent RSS, after protobuf scrapes", after, bound, target);
    report.info(name, "protobuf exposition", format!("{} kB", size / 1000));
    Ok(())
}

/// Scrapes of different snapshots; size of the last body.
fn scrapes(agent: &Agent, load: &mut Held, accept: &str) -> anyhow::Result<usize> {
    let mut size = 0;
    for _ in 0..SCRAPES {
        await_cycles(agent, load, 1)?;
        let response = agent.get("/metrics", &[accept]);
        ensure!(response.status == 200, "/metrics says {}", response.status);
        size = response.body.len();
    }
    Ok(size)
}

/// Waits for more cycles and for memory of all processes to be known, the load doing something
/// all the while.
fn await_cycles(agent: &Agent, load: &mut Held, more: u64) -> anyhow::Result<()> {
    let goal = progress(agent)?.0 + more;
    let end = Instant::now() + PATIENCE;
    loop {
        let (cycles, pending) = progress(agent)?;
        if cycles >= goal && pending == 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < end,
            "{cycles} of {goal} cycles, {pending} processes not read"
        );
        load.stir()?;
        thread::sleep(Duration::from_millis(200));
    }
}

fn progress(agent: &Agent) -> anyhow::Result<(u64, u64)> {
    let status = agent.status();
    let number = |pointer: &str| {
        let value = status.pointer(pointer).and_then(|value| value.as_u64());
        value.with_context(|| format!("/status has no {pointer}"))
    };
    Ok((number("/cycle/cycles")?, number("/scope/memory_pending")?))
}

/// A line of /proc/PID/status, MiB.
fn status(pid: u32, key: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with(key));
    let figure = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    let kib: f64 = figure
        .with_context(|| format!("no {key} of the agent"))?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Sets the peak to what is resident now.
fn forget_peak(pid: u32) -> anyhow::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("cannot reset the agent's peak")
}
