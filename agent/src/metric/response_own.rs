//! Families of what watching times to first byte costs.

use super::{
    Exposed, Family, LabelValues, Row, Unit,
    define::{counter, gauge},
};
use crate::model::{Detached, ResponseMode, ResponseState, ResponseStatus};

const SOURCE: &str = "the agent";

impl Row for ResponseStatus {
    const AREA: &'static str = "The agent: times to first byte";
    const LABELS: &'static [&'static str] = &[];
    const FAMILIES: &'static [Family<Self>] = RESPONSE_OWN_FAMILIES;

    fn rows(exposed: Exposed<'_>) -> &[Self] {
        std::slice::from_ref(&exposed.snapshot.own.response_time)
    }

    fn label_values(&self, _values: &mut LabelValues) {}
}

/// Name of a mode, as in the flag.
pub(crate) fn response_mode(mode: ResponseMode) -> &'static str {
    match mode {
        ResponseMode::Off => "off",
        ResponseMode::On => "on",
        ResponseMode::Auto => "auto",
    }
}

/// State and the reason for it; empty where there is none.
pub(crate) fn response_state(state: &ResponseState) -> (&'static str, &str) {
    match state {
        ResponseState::Attached => ("attached", ""),
        ResponseState::Detached(Detached::NotWanted) => ("detached", "not_wanted"),
        // When it is tried again would be another series each time.
        ResponseState::Detached(Detached::TooExpensive { .. }) => ("detached", "too_expensive"),
        ResponseState::Detached(Detached::Unsupported(why)) => ("unsupported", why),
    }
}

/// Every family a [`ResponseStatus`] fills.
pub const RESPONSE_OWN_FAMILIES: &[Family<ResponseStatus>] = &[
    gauge(
        "agent_response_time_info",
        Unit::None,
        &["mode", "state", "reason"],
        "Always 1; the labels tell whether times to first byte are watched and, if not, why.",
        SOURCE,
        |status, points| {
            let (state, reason) = response_state(&status.state);
            points.gauge(&[response_mode(status.mode), state, reason], 1.0);
        },
    ),
    gauge(
        "agent_response_time_cost_ratio",
        Unit::Ratio,
        &[],
        "Share of one core that the programs took when last measured; absent before.",
        "their runs, each 64th of a CPU timed",
        |status, points| {
            if let Some(cores) = status.cost_cores {
                points.gauge(&[], cores);
            }
        },
    ),
    gauge(
        "agent_response_time_budget_ratio",
        Unit::Ratio,
        &[],
        "Share of one core above which they are detached; absent where nothing limits them.",
        "--response-budget",
        |status, points| {
            if let Some(cores) = status.budget_cores {
                points.gauge(&[], cores);
            }
        },
    ),
    gauge(
        "agent_response_time_run_seconds",
        Unit::Seconds,
        &[],
        "Time one run took on average when last measured; absent before.",
        "each 64th run of a CPU",
        |status, points| {
            if let Some(ns) = status.run_ns {
                points.gauge(&[], ns / 1e9);
            }
        },
    ),
    counter(
        "agent_response_time_runs_total",
        Unit::None,
        &[],
        "Runs of the programs.",
        SOURCE,
        |status, points| points.count(&[], status.runs, false),
    ),
    counter(
        "agent_response_time_detachments_total",
        Unit::None,
        &[],
        "Times the programs were detached as they took more than their budget.",
        SOURCE,
        |status, points| points.count(&[], status.detachments, false),
    ),
];
