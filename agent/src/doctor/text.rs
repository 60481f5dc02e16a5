//! The report for people.

use std::fmt::Write as _;

use super::report::{Health, Report, ResponseReport};
use crate::top::human::{self, Unit};

/// Renders the report; lines stay whole, however long a reason is.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let verdict = match report.health {
        Health::Healthy => "healthy: every signal has its best source",
        Health::Degraded => "degraded: see the reasons below",
        Health::Unusable => "unusable",
    };
    writeln!(text, "hostlens {}: {verdict}", report.version)?;
    if let Some(error) = &report.error {
        writeln!(text, "  {error}")?;
    }
    writeln!(text, "\nHOST")?;
    for (name, value) in report.host.lines() {
        writeln!(text, "  {name:<24} {value}")?;
    }
    let seen = report.seen;
    writeln!(
        text,
        "  {:<24} {} network namespaces ({} unreadable), {} sockets, {} processes",
        "seen now", seen.namespaces, seen.namespaces_unreadable, seen.connections, seen.processes
    )?;
    if !report.signals.is_empty() {
        writeln!(text, "\nSIGNALS")?;
    }
    for signal in &report.signals {
        let mark = if signal.degraded.is_some() { '!' } else { '+' };
        writeln!(text, "{mark} {:<24} {}", signal.signal, signal.source)?;
        if let Some(why) = &signal.degraded {
            writeln!(text, "    {why}")?;
        }
    }
    if let Some(response) = &report.response_time {
        write_response(text, response)?;
    }
    if !report.programs.is_empty() {
        writeln!(text, "\nPROGRAMS")?;
    }
    for program in &report.programs {
        let mark = if program.reason.is_some() { '!' } else { '+' };
        let name = format!("{}/{}", program.object, program.program);
        writeln!(
            text,
            "{mark} {name:<24} {:<12} {}",
            program.state, program.hook
        )?;
        if let Some(why) = &program.reason {
            writeln!(text, "    {why}")?;
        }
    }
    if !report.balance.is_empty() {
        writeln!(text, "\nBALANCE")?;
    }
    for balance in &report.balance {
        let bytes = |bytes: u64| human::format(bytes as f64, Unit::Bytes);
        write!(
            text,
            "  {:<24} {} in processes, {} by {}",
            balance.what,
            bytes(balance.processes_bytes),
            bytes(balance.kernel_bytes),
            balance.kernel_source
        )?;
        match balance.error() {
            Some(error) => writeln!(text, " ({:+.1} %)", error * 100.0)?,
            None => writeln!(text)?,
        }
        if let Some(why) = &balance.explanation {
            writeln!(text, "    {why}")?;
        }
    }
    Ok(())
}

/// What there is on demand; where it is always wanted, it is a signal like the others.
fn write_response(text: &mut String, report: &ResponseReport) -> std::fmt::Result {
    let name = "response_time";
    match (report.mode, report.state) {
        ("off", "unsupported") => {
            let why = report.reason.as_deref().unwrap_or_default();
            writeln!(text, "  {name:<24} absent, not asked for\n    {why}")
        }
        ("off", _) => writeln!(
            text,
            "  {name:<24} on demand: key t in top, POST /api/response-time, --response-time auto"
        ),
        _ => Ok(()),
    }
}
