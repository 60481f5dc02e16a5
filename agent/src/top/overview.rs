//! The host in one line and the agent in another, as text; screen and batch show the same.

use crate::model::{HostOverview, ResponseState, Snapshot};

use super::{
    human::{bytes, latency},
    notice,
};

/// A piece of the line about the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// What it is now.
    pub text: String,
    /// Share of what there is, 0 to 1, where there is a limit.
    pub share: Option<f64>,
}

/// The figures that could be read.
pub fn host(host: &HostOverview) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(busy) = host.cpu_busy {
        // Ticks and the clock disagree by a little: nobody has more CPUs than there are.
        let busy = host.cpus.map_or(busy, |cpus| busy.min(cpus as f64));
        let share = host
            .cpus
            .filter(|&cpus| cpus > 0)
            .map(|cpus| busy / cpus as f64);
        let of = host
            .cpus
            .map(|cpus| format!(" of {cpus}"))
            .unwrap_or_default();
        let percent = share.map(|share| format!(" {:.0}%", share * 100.0));
        let text = format!("{busy:.2}{of}{}", percent.unwrap_or_default());
        figures.push(Figure {
            name: "CPU",
            text,
            share,
        });
    }
    if let (Some(total), Some(available)) = (host.memory_total, host.memory_available) {
        figures.push(used("Mem", total, available));
    }
    if let (Some(total), Some(free)) = (host.swap_total, host.swap_free)
        && total > 0
    {
        figures.push(used("Swap", total, free));
    }
    if let Some([one, five, fifteen]) = host.load {
        figures.push(Figure {
            name: "Load",
            text: format!("{one:.2} {five:.2} {fifteen:.2}"),
            share: None,
        });
    }
    figures
}

fn used(name: &'static str, total: u64, free: u64) -> Figure {
    let used = total.saturating_sub(free) as f64;
    let total = total as f64;
    let share = (total > 0.0).then(|| used / total);
    let percent = share.map(|share| format!(" {:.0}%", share * 100.0));
    Figure {
        name,
        text: format!(
            "{} of {}{}",
            bytes(used),
            bytes(total),
            percent.unwrap_or_default()
        ),
        share,
    }
}

/// Sources, cost of the last cycle, losses and reach: whole pieces, the most telling first.
pub fn agent(snapshot: &Snapshot) -> Vec<String> {
    let own = &snapshot.own;
    let mut parts = vec![notice::sources(own)];
    if own.response_time.state == ResponseState::Attached {
        parts.push("response: on".into());
    }
    if let Some(seconds) = notice::cycle_seconds(own) {
        let every = snapshot.interval.as_secs_f64();
        parts.push(format!("cycle {} every {every:.1}s", latency(seconds)));
    }
    let lost: u64 = own.lost.iter().map(|lost| lost.count).sum();
    if lost > 0 {
        parts.push(format!("{lost} events lost"));
    }
    parts.push(counted(own.scope.processes, "process", "processes"));
    parts.push(counted(own.scope.connections, "connection", "connections"));
    if own.scope.namespaces > 1 {
        parts.push(format!("{} net namespaces", own.scope.namespaces));
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
