//! Time per request of the program that charges swap I/O: written to swap and read back, on a
//! device in compressed memory, where a request takes least.

use std::path::Path;

use hostlens::{
    engine::{EbpfMode, Engine},
    model::BirthGate,
};
use hostlens_tests::{
    host,
    swap::Swap,
    workload::{Start, Workload},
};

use super::{Report, Statistics, plan};

const PROGRAM: &str = "swap_queued";
const MEBIBYTES: u64 = 128;
const ROUNDS: usize = 3;

/// Measures, while the statistics are on.
pub fn measure(_statistics: &Statistics, report: &mut Report) -> anyhow::Result<()> {
    let name = "swap";
    if host::tool("mkswap").is_none() || !Path::new("/sys/class/zram-control").exists() {
        report.unknown(name, PROGRAM, "", "no zram or no mkswap here");
        return Ok(());
    }
    let mut engine = Engine::start(&plan::options(EbpfMode::On))?;
    let _swap = Swap::new(2 * MEBIBYTES);
    engine.drain();
    let mut holder = Start::new(&host::workload_path(), &format!("map {MEBIBYTES}")).spawn();
    holder.reply();
    for (what, word) in [("written", "out"), ("read back", "read")].repeat(ROUNDS) {
        let before = runs(&mut engine);
        tell(&mut holder, word);
        let after = runs(&mut engine);
        let (count, nanos) = (after.0 - before.0, after.1 - before.1);
        let what = format!("{PROGRAM}, {what}");
        match nanos.checked_div(count) {
            None => report.unknown(name, &what, "", "it did not run"),
            Some(each) => report.info(name, &what, format!("{each} ns per run ({count} runs)")),
        }
    }
    Ok(())
}

fn tell(holder: &mut Workload, word: &str) {
    holder.say(word);
    holder.reply();
}

/// Runs so far and their time, ns.
fn runs(engine: &mut Engine) -> (u64, u64) {
    let programs = engine.cycle(BirthGate::default()).own.programs;
    let program = programs.into_iter().find(|program| program.name == PROGRAM);
    program.map_or((0, 0), |program| {
        (
            program.run_count.unwrap_or(0),
            program.run_time_ns.unwrap_or(0),
        )
    })
}
