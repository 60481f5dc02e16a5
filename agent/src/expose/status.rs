//! `/status`: the agent's own state as JSON, described in `docs/status.md`.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::{door, scrapers::Scraper};
use crate::{
    clock::Moment,
    metric::{program_state, response_mode, response_state},
    model::{
        ConfigStatus, Detached, OwnStats, ResponseState, ResponseStatus, ServerStats, Snapshot,
    },
};

/// The state as JSON text. Before the first cycle only what is known then.
pub(super) fn json(
    snapshot: Option<&Snapshot>,
    server: &ServerStats,
    exposure: Value,
    scrapers: &[Scraper],
    now: Moment,
) -> String {
    let mut status = Map::new();
    let mut put = |key: &str, value| status.insert(key.to_owned(), value);
    put("version", json!(env!("CARGO_PKG_VERSION")));
    put("ready", json!(snapshot.is_some()));
    put("server", json!(server_value(server)));
    put("exposure", exposure);
    put("scrapers", list(scrapers, scraper_value));
    if let Some(snapshot) = snapshot {
        let own = &snapshot.own;
        let degraded = own.sources.iter().any(|source| source.degraded.is_some());
        put("degraded", json!(degraded));
        put("cycle", cycle(snapshot, now.wall));
        put("agent", agent(own));
        put("scope", scope(own));
        put("response_time", response_time(&own.response_time));
        put("config", own.config.as_ref().map_or(Value::Null, config));
        for (key, value) in door::entries(snapshot) {
            put(key, value);
        }
        put(
            "sources",
            list(&own.sources, |source| {
                json!({
                    "signal": source.signal,
                    "source": source.source,
                    "degraded": source.degraded,
                })
            }),
        );
        put(
            "programs",
            list(&own.programs, |program| {
                let (state, reason) = program_state(&program.state);
                json!({
                    "object": program.object,
                    "name": program.name,
                    "hook": program.hook,
                    "state": state,
                    "reason": (!reason.is_empty()).then_some(reason),
                    "runs": program.run_count,
                    "run_seconds": program.run_time_ns.map(|ns| ns as f64 / 1e9),
                })
            }),
        );
        put(
            "stages",
            list(&own.stages, |stage| {
                json!({
                    "name": stage.name,
                    "last_seconds": stage.last_seconds,
                    "total_seconds": stage.total_seconds,
                })
            }),
        );
        put(
            "budgets",
            list(&own.budgets, |budget| {
                json!({
                    "name": budget.name,
                    "limit": budget.limit,
                    "named": budget.named,
                    "folded": budget.folded,
                    "folds": budget.folds,
                    "evictions": budget.evictions,
                })
            }),
        );
        put(
            "lost",
            list(
                &own.lost,
                |lost| json!({"event": lost.what, "count": lost.count}),
            ),
        );
        put(
            "maps",
            list(
                &own.maps,
                |map| json!({"map": map.map, "used": map.used, "capacity": map.capacity}),
            ),
        );
        put(
            "cross_checks",
            list(&own.cross_checks, |check| {
                json!({
                    "signal": check.signal,
                    "ours": check.ours,
                    "kernel": check.kernel,
                    "relative_error": check.relative_error(),
                })
            }),
        );
    }
    format!("{:#}\n", Value::Object(status))
}

fn list<T>(items: &[T], value: impl Fn(&T) -> Value) -> Value {
    items.iter().map(value).collect()
}

fn cycle(snapshot: &Snapshot, now: SystemTime) -> Value {
    // A wall clock that was set back makes an age of zero, not an error.
    let seconds = |from: SystemTime, to: SystemTime| {
        to.duration_since(from).unwrap_or_default().as_secs_f64()
    };
    json!({
        "sequence": snapshot.sequence,
        "finished_at_seconds": seconds(UNIX_EPOCH, snapshot.at),
        "age_seconds": seconds(snapshot.at, now),
        "interval_seconds": snapshot.interval.as_secs_f64(),
        "cycles": snapshot.own.cycles,
        "failed_cycles": snapshot.own.failed_cycles,
    })
}

fn agent(own: &OwnStats) -> Value {
    json!({
        "cpu_seconds": own.cpu_seconds,
        "resident_bytes": own.rss_bytes,
        "held_label_sets": own.held_series_sets,
    })
}

fn config(config: &ConfigStatus) -> Value {
    let success_at = config.success_at.duration_since(UNIX_EPOCH);
    json!({
        "rules": config.rules,
        "last_reload_successful": config.successful,
        "last_reload_success_at_seconds": success_at.unwrap_or_default().as_secs_f64(),
        "reloads": config.reloads,
        "failed_reloads": config.failed_reloads,
        "error": config.error,
    })
}

fn response_time(status: &ResponseStatus) -> Value {
    let (state, reason) = response_state(&status.state);
    let retry_in = match status.state {
        ResponseState::Detached(Detached::TooExpensive { retry_in }) => Some(retry_in),
        _ => None,
    };
    json!({
        "mode": response_mode(status.mode),
        "state": state,
        "reason": (!reason.is_empty()).then_some(reason),
        "retry_in_seconds": retry_in.map(|time| time.as_secs_f64()),
        "asked_for_seconds": status.asked_for.map(|time| time.as_secs_f64()),
        "budget_cores": status.budget_cores,
        "cost_cores": status.cost_cores,
        "runs": status.runs,
        "run_seconds": status.run_ns.map(|ns| ns / 1e9),
        "detachments": status.detachments,
    })
}

fn scope(own: &OwnStats) -> Value {
    json!({
        "namespaces": own.scope.namespaces,
        "namespaces_unreadable": own.scope.namespaces_unreadable,
        "connections": own.scope.connections,
        "processes": own.scope.processes,
        "memory_pending": own.scope.memory_pending,
    })
}

fn server_value(server: &ServerStats) -> Value {
    json!({
        "connections": server.connections,
        "connections_rejected": server.connections_rejected,
        "connections_timed_out": server.connections_timed_out,
        "scrapers_evicted": server.scrapers_evicted,
        "series_limit": server.series_limit,
        "formats": list(&server.formats, |format| json!({
            "format": format.format,
            "scrapes": format.scrapes,
            "encodings": format.encodings,
            "encode_seconds": format.encode_seconds,
        })),
    })
}

fn scraper_value(scraper: &Scraper) -> Value {
    json!({
        "address": scraper.address.map(|address| address.to_string()),
        "user_agent": scraper.user_agent,
        "ago_seconds": scraper.ago.as_secs_f64(),
        "sequence": scraper.sequence,
    })
}
