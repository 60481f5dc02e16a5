//! What the agent does to traffic it watches: one connection, 64 bytes to and fro.

use anyhow::Context as _;
use hostlens_tests::agent::Agent;

use super::{
    helper::Helper,
    report::{Report, Verdict, short},
    stats::Samples,
};

/// Round trips of one measurement.
const TRIPS: u32 = 100_000;

/// Measures and judges.
pub fn measure(passes: usize, report: &mut Report) -> anyhow::Result<()> {
    eprintln!("ping-pong");
    let mut load = Helper::start("pingpong", None)?;
    let mut without = Trips::default();
    let mut with = Trips::default();
    trip(&mut load)?;
    for _ in 0..passes {
        without.push(trip(&mut load)?);
        // Once per second: five times as often as by default.
        let agent = Agent::start("--interval 1s");
        with.push(trip(&mut load)?);
        drop(agent);
    }
    judge("time per round trip", &with.wall, &without.wall, report);
    judge("CPU per round trip", &with.cpu, &without.cpu, report);
    Ok(())
}

/// Microseconds per round trip.
#[derive(Default)]
struct Trips {
    wall: Samples,
    cpu: Samples,
}

impl Trips {
    fn push(&mut self, (wall, cpu): (f64, f64)) {
        self.wall.push(wall);
        self.cpu.push(cpu);
    }
}

fn trip(load: &mut Helper) -> anyhow::Result<(f64, f64)> {
    let answer = load.ask(&TRIPS.to_string())?;
    let micros = |word: Option<&str>| -> anyhow::Result<f64> {
        let nanos: f64 = word.context("half an answer")?.parse()?;
        Ok(nanos / 1e3 / f64::from(TRIPS))
    };
    let mut words = answer.split_ascii_whitespace();
    Ok((micros(words.next())?, micros(words.next())?))
}

/// Beyond this spread of the rounds, per cent, the machine is too busy to tell.
const TOO_NOISY: f64 = 15.0;

/// Within noise: the medians differ by less than the middle half of the rounds without an agent
/// do among themselves.
fn judge(what: &str, with: &Samples, without: &Samples, report: &mut Report) {
    let noise = without.spread();
    let more = with.median() - without.median();
    let percent = |figure: f64| 100.0 * figure / without.median();
    report.judged(
        "ping-pong",
        &format!("{what}, with agent"),
        format!(
            "{} µs; without {} µs ({:+.1} %)",
            short(with.median()),
            short(without.median()),
            percent(more)
        ),
        &format!("within noise (here {:.1} %)", percent(noise)),
        if percent(noise) > TOO_NOISY {
            Verdict::Unknown("the machine is too busy".into())
        } else {
            Verdict::of(more <= noise)
        },
    );
}
