//! Other programs that tell the same facts.

use std::{fs, io::Write as _, process::Command};

use anyhow::Context as _;
use hostlens_tests::host;

use super::Cycles;
use crate::{
    cpu,
    exporter::Exporter,
    plan::{self, Scale},
    report::{Report, Verdict, short},
    stats::Samples,
};

/// Every process by its name, as hostlens groups them (less the user).
const BY_NAME: &str =
    "process_names:\n  - name: \"{{.Comm}}\"\n    comm_regex: '.*'\n    cmdline: ['.*']\n";

/// Measures and judges hostlens' parts against them.
pub fn measure(
    scale: Scale,
    cycles: &Cycles,
    passes: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = scale.name;
    // What serves both parts counts for both.
    let shared = |stage: &str| matches!(stage, "snapshot" | "host");
    let connections =
        cycles.part(|stage| stage.starts_with("tcp_") || stage == "namespaces" || shared(stage));
    let processes = cycles.part(|stage| {
        stage.starts_with("process_") || matches!(stage, "memory" | "fds") || shared(stage)
    });
    report.millis(name, "hostlens: connections part", &connections);
    report.millis(name, "hostlens: processes part", &processes);

    let judge = |report: &mut Report, what, part: &Samples, other: &Samples, target, bound| {
        let ratio = other.median() / part.median();
        let figure = format!("1/{}", short(ratio));
        if scale == plan::LARGE {
            report.judged(name, what, figure, target, Verdict::of(ratio >= bound));
        } else {
            report.info(name, what, figure);
        }
    };
    let what = "connections part / ss -tin";
    match command("ss", "-tin", passes) {
        Ok(ss) => {
            report.millis(name, "ss -tin", &ss);
            judge(report, what, &connections, &ss, "≤ 1/5", 5.0);
        }
        Err(error) => report.unknown(name, what, "≤ 1/5", format!("{error:#}")),
    }
    match command("ss", "-tinp", passes.min(3)) {
        Ok(ss) => report.millis(name, "ss -tinp", &ss),
        Err(error) => report.unknown(name, "ss -tinp", "", format!("{error:#}")),
    }
    report.millis(
        name,
        "reading /proc/PID/{stat,status,io,fd}",
        &proc_files(passes)?,
    );

    let what = "processes part / process-exporter";
    match process_exporter(passes.min(3), true) {
        Ok(exporter) => {
            report.millis(name, "process-exporter", &exporter);
            judge(report, what, &processes, &exporter, "≤ 1/100", 100.0);
        }
        Err(error) => report.unknown(name, what, "≤ 1/100", format!("{error:#}")),
    }
    let what = "process-exporter without threads and smaps";
    match process_exporter(passes.min(3), false) {
        Ok(exporter) => report.millis(name, what, &exporter),
        Err(error) => report.unknown(name, what, "", format!("{error:#}")),
    }
    match node_exporter(passes.min(5)) {
        Ok(exporter) => report.millis(name, "node-exporter (whole host only)", &exporter),
        Err(error) => report.unknown(name, "node-exporter", "", format!("{error:#}")),
    }
    Ok(())
}

fn tool(name: &str) -> anyhow::Result<Command> {
    let path = host::tool(name).with_context(|| format!("{name} is not installed"))?;
    Ok(Command::new(path))
}

fn command(name: &str, arguments: &str, passes: usize) -> anyhow::Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..passes {
        samples.push(cpu::of_command(tool(name)?.arg(arguments))?.millis());
    }
    Ok(samples)
}

/// What any program pays that reads these files of every process, before it parses them.
fn proc_files(passes: usize) -> anyhow::Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..passes {
        let (bytes, cost) = cpu::own(read_proc)?;
        anyhow::ensure!(bytes? > 0, "/proc shows nothing");
        samples.push(cost.millis());
    }
    Ok(samples)
}

fn read_proc() -> anyhow::Result<usize> {
    let mut total = 0;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        if !entry
            .file_name()
            .as_encoded_bytes()
            .iter()
            .all(u8::is_ascii_digit)
        {
            continue;
        }
        // A process may end meanwhile.
        for file in ["stat", "status", "io"] {
            total += fs::read(entry.path().join(file)).map_or(0, |text| text.len());
        }
        total += fs::read_dir(entry.path().join("fd")).map_or(0, Iterator::count);
    }
    Ok(total)
}

fn process_exporter(passes: usize, all: bool) -> anyhow::Result<Samples> {
    let mut config = tempfile::NamedTempFile::new()?;
    config.write_all(BY_NAME.as_bytes())?;
    let mut command = tool("prometheus-process-exporter")?;
    command.arg("-config.path").arg(config.path());
    if !all {
        command.args(["-threads=false", "-gather-smaps=false"]);
    }
    Exporter::start(command, "-web.listen-address")?.scrapes(passes)
}

fn node_exporter(passes: usize) -> anyhow::Result<Samples> {
    let command = tool("prometheus-node-exporter")?;
    Exporter::start(command, "--web.listen-address")?.scrapes(passes)
}
