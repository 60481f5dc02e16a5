//! Families of the agent itself.

use std::time::UNIX_EPOCH;

use super::{Desc, Exposed, Family, Kind, LabelValues, Points, Row, Unit};
use crate::model::{ConfigStatus, OwnStats, ProgramState, ProgramStatus};

impl Row for OwnStats {
    const AREA: &'static str = "The agent";
    const LABELS: &'static [&'static str] = &[];
    const FAMILIES: &'static [Family<Self>] = OWN_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        std::slice::from_ref(&exposed.snapshot.own)
    }

    fn label_values(&self, _values: &mut LabelValues) {}
}

type Fill = fn(&OwnStats, &mut dyn Points);

const fn gauge(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
    fill: Fill,
) -> Family<OwnStats> {
    family(Kind::Gauge, name, unit, labels, help, fill)
}

const fn counter(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
    fill: Fill,
) -> Family<OwnStats> {
    family(Kind::Counter, name, unit, labels, help, fill)
}

const fn family(
    kind: Kind,
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
    fill: Fill,
) -> Family<OwnStats> {
    Family {
        desc: Desc {
            name,
            help,
            kind,
            unit,
            labels,
            source: "the agent",
        },
        fill,
    }
}

/// Every family [`OwnStats`] fills.
pub const OWN_FAMILIES: &[Family<OwnStats>] = &[
    gauge(
        "agent_build_info",
        Unit::None,
        &["version"],
        "Always 1; the label tells what runs.",
        |_, points| points.gauge(&[env!("CARGO_PKG_VERSION")], 1.0),
    ),
    counter(
        "agent_cycles_total",
        Unit::None,
        &[],
        "Cycles finished.",
        |own, points| points.count(&[], own.cycles, false),
    ),
    counter(
        "agent_failed_cycles_total",
        Unit::None,
        &[],
        "Cycles in which some source failed.",
        |own, points| points.count(&[], own.failed_cycles, false),
    ),
    gauge(
        "agent_cycle_stage_last_seconds",
        Unit::Seconds,
        &["stage"],
        "Time one stage took in the last cycle.",
        |own, points| {
            for stage in &own.stages {
                points.gauge(&[stage.name], stage.last_seconds);
            }
        },
    ),
    counter(
        "agent_cycle_stage_seconds_total",
        Unit::Seconds,
        &["stage"],
        "Time one stage took in all cycles.",
        |own, points| {
            for stage in &own.stages {
                points.counter(&[stage.name], stage.total_seconds, false);
            }
        },
    ),
    gauge(
        "agent_source_info",
        Unit::None,
        &["signal", "source", "reason"],
        "Always 1; the labels tell where a signal comes from and, if degraded, why not from better.",
        |own, points| {
            for source in &own.sources {
                let reason = source.degraded.as_deref().unwrap_or_default();
                points.gauge(&[source.signal, source.source, reason], 1.0);
            }
        },
    ),
    gauge(
        "agent_program_info",
        Unit::None,
        &["object", "program", "hook", "state", "reason"],
        "Always 1; the labels tell what became of a kernel program.",
        |own, points| {
            for program in &own.programs {
                let (state, reason) = program_state(&program.state);
                points.gauge(
                    &[program.object, &program.name, &program.hook, state, reason],
                    1.0,
                );
            }
        },
    ),
    counter(
        "agent_program_runs_total",
        Unit::None,
        &["object", "program"],
        "Runs of a kernel program; absent unless kernel.bpf_stats_enabled is on.",
        |own, points| {
            for program in &own.programs {
                if let Some(runs) = program.run_count {
                    points.count(&program_labels(program), runs, false);
                }
            }
        },
    ),
    counter(
        "agent_program_run_seconds_total",
        Unit::Seconds,
        &["object", "program"],
        "Time spent in a kernel program; absent unless kernel.bpf_stats_enabled is on.",
        |own, points| {
            for program in &own.programs {
                if let Some(ns) = program.run_time_ns {
                    points.counter(&program_labels(program), ns as f64 / 1e9, false);
                }
            }
        },
    ),
    counter(
        "agent_events_lost_total",
        Unit::None,
        &["event"],
        "Events or records lost; their counters are in the groups named other, their detail is gone.",
        |own, points| {
            for lost in &own.lost {
                points.count(&[lost.what], lost.count, false);
            }
        },
    ),
    gauge(
        "agent_map_used",
        Unit::None,
        &["map"],
        "Entries (of a ring buffer: bytes) in use of a bounded kernel map.",
        |own, points| {
            for map in &own.maps {
                points.gauge(&[map.map], map.used as f64);
            }
        },
    ),
    gauge(
        "agent_map_capacity",
        Unit::None,
        &["map"],
        "Entries (of a ring buffer: bytes) that a bounded kernel map holds at most.",
        |own, points| {
            for map in &own.maps {
                points.gauge(&[map.map], map.capacity as f64);
            }
        },
    ),
    gauge(
        "agent_budget_limit",
        Unit::None,
        &["budget"],
        "Label sets that a budget allows.",
        |own, points| {
            for budget in &own.budgets {
                points.gauge(&[budget.name], budget.limit as f64);
            }
        },
    ),
    gauge(
        "agent_budget_named",
        Unit::None,
        &["budget"],
        "Label sets of a budget that are named now, ended ones included while still exposed.",
        |own, points| {
            for budget in &own.budgets {
                points.gauge(&[budget.name], budget.named as f64);
            }
        },
    ),
    gauge(
        "agent_budget_folded",
        Unit::None,
        &["budget"],
        "Live groups that are folded into other now.",
        |own, points| {
            for budget in &own.budgets {
                points.gauge(&[budget.name], budget.folded as f64);
            }
        },
    ),
    counter(
        "agent_budget_folds_total",
        Unit::None,
        &["budget"],
        "Groups folded into other at first sight.",
        |own, points| {
            for budget in &own.budgets {
                points.count(&[budget.name], budget.folds, false);
            }
        },
    ),
    counter(
        "agent_budget_evictions_total",
        Unit::None,
        &["budget"],
        "Named groups folded into other to make room for heavier ones.",
        |own, points| {
            for budget in &own.budgets {
                points.count(&[budget.name], budget.evictions, false);
            }
        },
    ),
    gauge(
        "agent_crosscheck_error_ratio",
        Unit::Ratio,
        &["signal"],
        "(Our sum - the kernel's own total) / the kernel's own total, over the last comparison.",
        |own, points| {
            for check in &own.cross_checks {
                if let Some(error) = check.relative_error() {
                    points.gauge(&[check.signal], error);
                }
            }
        },
    ),
    gauge(
        "agent_network_namespaces",
        Unit::None,
        &["state"],
        "Network namespaces whose sockets are seen, and those known but unreadable.",
        |own, points| {
            points.gauge(&["seen"], own.scope.namespaces as f64);
            points.gauge(&["unreadable"], own.scope.namespaces_unreadable as f64);
        },
    ),
    gauge(
        "agent_tracked_connections",
        Unit::None,
        &[],
        "Living sockets tracked.",
        |own, points| points.gauge(&[], own.scope.connections as f64),
    ),
    gauge(
        "agent_tracked_processes",
        Unit::None,
        &[],
        "Living processes tracked.",
        |own, points| points.gauge(&[], own.scope.processes as f64),
    ),
    gauge(
        "agent_memory_pending_processes",
        Unit::None,
        &[],
        "Processes whose memory is yet to be read for the first time.",
        |own, points| points.gauge(&[], own.scope.memory_pending as f64),
    ),
    gauge(
        "agent_held_label_sets",
        Unit::None,
        &[],
        "Label sets whose counters are shown as 0 until every active scraper has seen that.",
        |own, points| points.gauge(&[], own.held_series_sets as f64),
    ),
    gauge(
        "agent_config_rules",
        Unit::None,
        &[],
        "Grouping rules in force; absent without a configuration file.",
        |own, points| {
            if let Some(config) = &own.config {
                points.gauge(&[], config.rules as f64);
            }
        },
    ),
    gauge(
        "agent_config_last_reload_successful",
        Unit::None,
        &[],
        "1 if the configuration file was last read without a mistake, else 0: the rules from before are in force.",
        |own, points| {
            if let Some(config) = &own.config {
                points.gauge(&[], f64::from(u8::from(config.successful)));
            }
        },
    ),
    gauge(
        "agent_config_last_reload_success_timestamp_seconds",
        Unit::Seconds,
        &[],
        "When the configuration in force was read, seconds since the epoch.",
        |own, points| {
            let since = |config: &ConfigStatus| config.success_at.duration_since(UNIX_EPOCH).ok();
            if let Some(since) = own.config.as_ref().and_then(since) {
                points.gauge(&[], since.as_secs_f64());
            }
        },
    ),
    counter(
        "agent_config_reloads_total",
        Unit::None,
        &["result"],
        "Reloads of the configuration file that were taken, and those refused for a mistake.",
        |own, points| {
            if let Some(config) = &own.config {
                points.count(&["success"], config.reloads, false);
                points.count(&["failure"], config.failed_reloads, false);
            }
        },
    ),
    counter(
        "agent_cpu_seconds_total",
        Unit::Seconds,
        &[],
        "CPU time of the agent, user and system.",
        |own, points| {
            if let Some(seconds) = own.cpu_seconds {
                points.counter(&[], seconds, false);
            }
        },
    ),
    gauge(
        "agent_resident_memory_bytes",
        Unit::Bytes,
        &[],
        "Resident memory of the agent.",
        |own, points| {
            if let Some(bytes) = own.rss_bytes {
                points.gauge(&[], bytes as f64);
            }
        },
    ),
];

fn program_labels(program: &ProgramStatus) -> [&str; 2] {
    [program.object, &program.name]
}

/// Name of a program's state and the reason for it; empty where there is none.
pub(crate) fn program_state(state: &ProgramState) -> (&'static str, &str) {
    match state {
        ProgramState::Attached => ("attached", ""),
        ProgramState::Loaded => ("loaded", ""),
        ProgramState::Unused => ("unused", ""),
        ProgramState::Unsupported(reason) => ("unsupported", reason),
        ProgramState::Refused(reason) => ("refused", reason),
    }
}
