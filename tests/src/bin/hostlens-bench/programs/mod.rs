//! Time per run of each kernel program, from the kernel's own statistics.

mod kernel;
mod swap;

use std::{thread, time::Duration};

use hostlens::{
    engine::{EbpfMode, Engine, EngineOptions, RttSource},
    model::{BirthGate, ProgramStatus},
};

use super::{helper::Helper, plan, report::Report};
use kernel::EmptyProgram;
pub use kernel::Statistics;

/// Rounds of the storm, drained in between.
const ROUNDS: usize = 10;
/// Round trips on one connection beside each round.
const TRIPS: &str = "5000";

/// Measures.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let name = "storm";
    eprintln!("time per program run");
    let mut sockets = Helper::start("sockets --connections 2000", None)?;
    let mut storm = Helper::start("storm --processes 100 --connections 200", None)?;
    let statistics = match Statistics::enable() {
        Ok(statistics) => statistics,
        Err(error) => {
            report.unknown(name, "time per run", "", format!("{error:#}"));
            return Ok(());
        }
    };
    let empty = EmptyProgram::attach();
    let mut engine = Engine::start(&EngineOptions {
        rtt_source: RttSource::Ack,
        dns: true,
        ..plan::options(EbpfMode::On)
    })?;
    let mut pingpong = Helper::start("pingpong", None)?;
    for _ in 0..ROUNDS {
        pingpong.ask(TRIPS)?;
        storm.ask("round")?;
        sockets.ask("round")?;
        // Freeing a process takes the kernel some time.
        thread::sleep(Duration::from_millis(50));
        engine.drain();
        engine.cycle(BirthGate::default());
    }
    let snapshot = engine.cycle(BirthGate::default());
    drop(engine);
    swap::measure(&statistics, report)?;
    drop(statistics);
    match empty.and_then(|empty| empty.runs()) {
        Ok((runs, nanos)) => report.info(
            name,
            "floor: an empty program",
            format!("{} ns per run ({runs} runs)", nanos / runs.max(1)),
        ),
        Err(error) => report.unknown(name, "floor: an empty program", "", format!("{error:#}")),
    }
    for program in &snapshot.own.programs {
        show(name, program, report);
    }
    Ok(())
}

/// Time per run of one program.
pub fn show(name: &str, program: &ProgramStatus, report: &mut Report) {
    let what = format!("{} ({})", program.name, program.hook);
    match (program.run_count, program.run_time_ns) {
        (Some(runs), Some(nanos)) if runs > 0 => report.info(
            name,
            &what,
            format!("{} ns per run ({runs} runs)", nanos / runs),
        ),
        _ => report.unknown(name, &what, "", "it did not run"),
    }
}
