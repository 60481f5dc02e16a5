//! CPU time of one pass over all sockets and processes: the lower bound, hostlens, and others.

mod growth;
mod others;
mod passes;

use super::{
    plan::{self, Held, Options, Scale},
    report::{Report, Verdict, millis, short},
    stats::Samples,
};

pub use growth::Growth;
pub use passes::{Cycles, warm_up};

/// What hostlens' own passes cost at one load; CPU milliseconds.
struct Own {
    raw_sockets: Samples,
    raw_tasks: Samples,
    bpf: Cycles,
    fallback: Cycles,
    /// What watching times to first byte cost meanwhile, if it was to be measured with that.
    watched: Option<String>,
}

/// Measures and judges.
pub fn measure(
    scale: Scale,
    load: &mut Held,
    options: &Options,
    growth: &mut Growth,
    report: &mut Report,
) -> anyhow::Result<()> {
    let own = passes::measure(load, options)?;
    let name = scale.name;
    if let Some(watched) = &own.watched {
        report.info(name, "times to first byte", watched);
    }
    report.info(name, "seen by hostlens", own.bpf.seen());
    report.millis(name, "raw iterators: sockets", &own.raw_sockets);
    report.millis(name, "raw iterators: tasks", &own.raw_tasks);
    let raw = own.raw_sockets.zip(&own.raw_tasks, |a, b| a + b);
    report.millis(name, "raw iterators", &raw);
    judge_cycle(scale, &own.bpf, &raw, report);
    for (stage, samples) in &own.bpf.stages {
        report.millis(name, &format!("… stage {stage}"), samples);
    }
    report.millis(name, "hostlens cycle, --ebpf off", &own.fallback.total);
    growth.add(scale, raw.median(), own.bpf.total.median());
    others::measure(scale, &own.bpf, options.passes as usize, report)
}

fn judge_cycle(scale: Scale, cycles: &Cycles, raw: &Samples, report: &mut Report) {
    let name = scale.name;
    let what = "hostlens cycle";
    let figure = millis(&cycles.total);
    if scale == plan::SMALL {
        let verdict = match cycles.strangers(scale) {
            None => Verdict::of(cycles.total.median() <= 5.0),
            Some(strangers) => Verdict::Unknown(strangers),
        };
        report.judged(name, what, figure, "≤ 5 ms", verdict);
    } else {
        report.info(name, what, figure);
    }
    // Pass by pass: what else the machine did weighs on both.
    let ratio = cycles.total.zip(raw, |cycle, raw| cycle / raw).median();
    let (what, figure) = ("hostlens cycle / raw iterators", short(ratio));
    if scale == plan::LARGE {
        report.judged(name, what, figure, "≤ 1.5", Verdict::of(ratio <= 1.5));
    } else {
        report.info(name, what, figure);
    }
}
