//! Time per series of each format.

use hostlens::{
    engine::EbpfMode,
    expose::{self, Format},
    model::{PeerKey, PeerRow, ProcessRow, Remote, ServerStats, Snapshot},
};

use super::{
    cpu,
    cycle::warm_up,
    plan::{self, Held},
    report::{Report, Verdict, short},
    stats::Samples,
};

/// Series of the exposition, as lines of text: the most an agent exposes by default.
const SERIES: usize = 25_000;

/// Measures and judges.
pub fn measure(load: &mut Held, passes: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut engine = plan::engine(EbpfMode::Auto)?;
    let mut snapshot = warm_up(&mut engine, load)?;
    let real = lines(&snapshot);
    multiply(&mut snapshot);
    let series = lines(&snapshot);
    let name = format!("{series} series");
    report.info(
        &name,
        "series of this load with default budgets",
        real.to_string(),
    );
    let formats = [
        (Format::Text, "text", Some((0.3, "≤ 0.3 µs"))),
        (Format::OpenMetrics, "OpenMetrics", Some((0.3, "≤ 0.3 µs"))),
        (Format::Protobuf, "protobuf", Some((1.2, "≤ 1.2 µs"))),
    ];
    for (format, what, target) in formats {
        let mut size = encode(&snapshot, format, 0).len();
        let mut samples = Samples::default();
        for _ in 0..passes {
            let (body, cost) = cpu::own(|| encode(&snapshot, format, size))?;
            size = body.len();
            samples.push(cost.millis() * 1e3 / series as f64);
        }
        let figure = format!(
            "{} µs per series (min {}; {} kB)",
            short(samples.median()),
            short(samples.min()),
            size / 1000
        );
        let what = format!("encoding {what}");
        match target {
            Some((bound, target)) => {
                let verdict = Verdict::of(samples.median() <= bound);
                report.judged(&name, &what, figure, target, verdict);
            }
            None => report.info(&name, &what, figure),
        }
    }
    Ok(())
}

fn encode(snapshot: &Snapshot, format: Format, expected: usize) -> Vec<u8> {
    expose::encode(snapshot, ServerStats::default(), SERIES, format, expected)
}

/// Series as a text exposition counts them.
fn lines(snapshot: &Snapshot) -> usize {
    let text = encode(snapshot, Format::Text, 0);
    let lines = text.split(|&byte| byte == b'\n');
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .count()
}

/// Repeats the rows under other names until the limit of series cuts off the rest.
fn multiply(snapshot: &mut Snapshot) {
    let peers = snapshot.peers.clone();
    let processes = snapshot.processes.clone();
    let mut copy = 0;
    while lines(snapshot) < SERIES - 200 && copy < 200 {
        copy += 1;
        let next = peers.iter().filter_map(|row| another_peer(row, copy));
        snapshot.peers.extend(next);
        let named = processes.iter().filter(|row| !row.folded);
        let next = named.map(|row| another_process(row, copy));
        snapshot.processes.extend(next);
    }
}

fn another_peer(row: &PeerRow, copy: u8) -> Option<PeerRow> {
    let rename = |remote| match remote {
        Remote::Ip(std::net::IpAddr::V4(address)) => {
            let [_, b, c, d] = address.octets();
            Some(Remote::Ip([copy, b, c, d].into()))
        }
        _ => None,
    };
    let mut row = row.clone();
    match &mut row.key {
        PeerKey::Inbound { remote, .. } | PeerKey::Outbound { remote, .. } => {
            *remote = rename(*remote)?;
        }
        PeerKey::Folded(_) => return None,
    }
    Some(row)
}

fn another_process(row: &ProcessRow, copy: u8) -> ProcessRow {
    let mut row = row.clone();
    row.process = format!("{}-{copy}", row.process).into();
    row
}
