//! Time per run of each program and per turn, by what the segments carry.

use anyhow::Context as _;
use hostlens::collect::tcp::turns::PROGRAMS;
use hostlens_ebpf::wire::TurnCost;

use super::source::{Runs, Source};
use crate::{
    helper::Helper,
    programs::Statistics,
    report::{Report, short},
    stats::Samples,
};

/// Entering and leaving a program, which it cannot time itself, ns: as the agent counts it.
const AROUND: f64 = 40.0;
/// What `auto` spends by default, cores.
const BUDGET: f64 = 0.01;

/// Segments of one kind.
struct Segments {
    what: &'static str,
    load: &'static str,
    amount: &'static str,
    /// Turns that makes, those of both ends; 0: none that could be told apart.
    turns: u64,
}

const ALL: [Segments; 3] = [
    Segments {
        what: "each segment a question or an answer",
        load: "pingpong",
        amount: "50000",
        turns: 100_000,
    },
    Segments {
        what: "as a thousand requests a second",
        load: "pingpong",
        amount: "2000 1000",
        turns: 4_000,
    },
    Segments {
        what: "bulk in one direction",
        load: "bulk",
        amount: "2000",
        turns: 0,
    },
];

/// Measures.
pub fn measure(passes: usize, report: &mut Report) -> anyhow::Result<()> {
    for (hash, name) in [(false, "socket storage"), (true, "hash of sockets")] {
        let setting = format!("turns, {name}");
        let mut source = match Source::start(hash) {
            Ok(source) => source,
            Err(why) => {
                report.unknown(&setting, "time per run", "", why);
                continue;
            }
        };
        for segments in &ALL {
            segments.measure(&setting, &mut source, passes, report)?;
        }
    }
    Ok(())
}

impl Segments {
    fn measure(
        &self,
        setting: &str,
        source: &mut Source,
        passes: usize,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut load = Helper::start(self.load, None)?;
        load.ask(self.amount)?;
        source.take();
        let plain = self.own(setting, source, passes, &mut load, report)?;
        self.kernels(setting, source, passes, &mut load, report)?;
        if self.turns > 0 {
            let rate = BUDGET * 1e9 / plain;
            let figure = format!("{rate:.0} a second and end ({} ns each)", short(plain));
            report.info(
                setting,
                &format!("turns for 1 % of a core, {}", self.what),
                figure,
            );
        }
        Ok(())
    }

    /// Without the kernel's statistics, as the agent measures: ns per turn and end.
    fn own(
        &self,
        setting: &str,
        source: &mut Source,
        passes: usize,
        load: &mut Helper,
        report: &mut Report,
    ) -> anyhow::Result<f64> {
        let [mut each, mut turn] = [(); 2].map(|()| Samples::default());
        let (mut answers, mut excluded, mut runs) = (0, 0, 0);
        for _ in 0..passes {
            let before = source.cost();
            load.ask(self.amount)?;
            let spent = since(source.cost(), before);
            let seen = source.take();
            answers += seen.answers;
            excluded += seen.excluded;
            runs += spent.runs;
            let nanos = mean(spent).context("the programs timed none of their runs")?;
            each.push(nanos);
            turn.push((nanos + AROUND) * spent.runs as f64 / self.turns.max(1) as f64);
        }
        let mut figure = format!(
            "{} ns per run ({runs} runs; {answers} answers, {excluded} left out",
            short(each.median()),
        );
        if self.turns > 0 {
            figure += &format!(" of {}", self.turns * passes as u64);
        }
        figure += ")";
        report.info(setting, &format!("own figure, {}", self.what), figure);
        Ok(turn.median())
    }

    /// By the kernel's statistics, and the programs' own figure meanwhile.
    fn kernels(
        &self,
        setting: &str,
        source: &mut Source,
        passes: usize,
        load: &mut Helper,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let statistics = match Statistics::enable() {
            Ok(statistics) => statistics,
            Err(error) => {
                report.unknown(setting, "the kernel's figure", "", format!("{error:#}"));
                return Ok(());
            }
        };
        let cost = source.cost();
        let before = PROGRAMS.map(|program| source.runs(program));
        for _ in 0..passes {
            load.ask(self.amount)?;
        }
        let spent = since(source.cost(), cost);
        let mut all = Runs::default();
        for (program, before) in PROGRAMS.iter().zip(before) {
            let runs = source.runs(program).since(before);
            all.count += runs.count;
            all.nanos += runs.nanos;
            let Some(each) = runs.nanos.checked_div(runs.count) else {
                continue;
            };
            let mut figure = format!("{each} ns per run ({} runs", runs.count);
            if self.turns > 0 {
                let turns = self.turns as f64 * passes as f64;
                figure += &format!("; {} per turn and end", short(runs.count as f64 / turns));
            }
            report.info(setting, &format!("{program}, {}", self.what), figure + ")");
        }
        drop(statistics);
        if let (Some(own), Some(kernels)) = (mean(spent), all.nanos.checked_div(all.count)) {
            let figure = format!("{} ns, the kernel's {kernels}", short(own));
            report.info(
                setting,
                &format!("own figure beside it, {}", self.what),
                figure,
            );
        }
        source.take();
        Ok(())
    }
}

fn since(now: TurnCost, before: TurnCost) -> TurnCost {
    TurnCost {
        runs: now.runs - before.runs,
        timed: now.timed - before.timed,
        timed_ns: now.timed_ns - before.timed_ns,
    }
}

/// ns per run that was timed.
fn mean(cost: TurnCost) -> Option<f64> {
    (cost.timed > 0).then(|| cost.timed_ns as f64 / cost.timed as f64)
}
