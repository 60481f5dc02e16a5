//! Many network namespaces with few sockets each.

use std::{thread, time::Duration};

use hostlens::engine::EbpfMode;
use hostlens_tests::netns::Netns;

use super::{
    cycle::Cycles,
    helper::Helper,
    plan,
    report::{Report, Verdict, millis},
};

/// Namespaces.
const NAMESPACES: usize = 100;
/// Connections in each, both ends.
const CONNECTIONS: usize = 5;

/// Measures and judges.
pub fn measure(passes: usize, report: &mut Report) -> anyhow::Result<()> {
    let name = "100 × 10";
    eprintln!("{NAMESPACES} namespaces");
    let mut held = Vec::new();
    for _ in 0..NAMESPACES {
        let namespace = Netns::new();
        let arguments = format!("sockets --connections {CONNECTIONS} --active 100");
        held.push(Helper::start(&arguments, Some(&namespace))?);
    }
    for mode in [EbpfMode::On, EbpfMode::Off] {
        let mut engine = plan::engine(mode)?;
        let mut cycles = Cycles::default();
        // The first ones enter each namespace once.
        for pass in 0..passes + 3 {
            for helper in &mut held {
                helper.ask("round")?;
            }
            thread::sleep(Duration::from_millis(50));
            if pass == 3 {
                cycles = Cycles::default();
            }
            cycles.pass(&mut engine)?;
        }
        let figure = millis(&cycles.total);
        if mode == EbpfMode::Off {
            report.info(name, "hostlens cycle, --ebpf off", figure);
            continue;
        }
        report.info(name, "seen by hostlens", cycles.seen());
        let verdict = Verdict::of(cycles.total.median() <= 10.0);
        report.judged(name, "hostlens cycle", figure, "≤ 10 ms", verdict);
        for (stage, samples) in &cycles.stages {
            report.millis(name, &format!("… stage {stage}"), samples);
        }
    }
    Ok(())
}
