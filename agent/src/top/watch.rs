//! Whether times to first byte are watched, what that costs and what it leaves out, in one line.

use std::fmt::Write;

use hostlens_ebpf::wire::Excluded;

use crate::model::{Detached, ResponseMode, ResponseState, ResponseStatus, Snapshot};

use super::{
    answers,
    columns::View,
    human::{self, Unit},
    stack::Part,
    words,
};

/// Whether this view shows times to first byte.
pub fn shows(view: View) -> bool {
    matches!(view, View::Peers | View::Listeners)
}

/// Parts that the bars of this view have.
pub fn legend(view: View) -> &'static [(Part, &'static str)] {
    match view {
        View::Peers => &[(Part::Network, "network"), (Part::Peer, "peer (in: here)")],
        View::Listeners => &[
            (Part::Network, "network"),
            (Part::Wait, "wait"),
            (Part::Serve, "serve"),
        ],
        _ => &[],
    }
}

/// The line; `None` while they are off and nobody asked. `asked`: by the key.
pub fn line(snapshot: &Snapshot, asked: bool) -> Option<String> {
    let status = &snapshot.own.response_time;
    let mut line = match &status.state {
        ResponseState::Attached => on(status),
        ResponseState::Detached(Detached::NotWanted) if asked => "response times: starting".into(),
        ResponseState::Detached(Detached::NotWanted) if answers::watched(snapshot) => {
            "response times: off, the last minute's".into()
        }
        ResponseState::Detached(Detached::NotWanted) => return None,
        ResponseState::Detached(Detached::TooExpensive { retry_in }) => {
            let cost = status.cost_cores.map_or("too expensive".into(), cores);
            let budget = status.budget_cores.map(|cores| cores * 100.0);
            // As it was given: a budget may be far smaller than what is told of a cost.
            let budget = budget.map(|percent| format!(" (budget {} %)", given(percent)));
            let next = human::format(retry_in.as_secs_f64(), Unit::Span);
            format!(
                "response times: off, {cost}{}, next try in {next}",
                budget.unwrap_or_default()
            )
        }
        ResponseState::Detached(Detached::Unsupported(_))
            if !asked && status.mode == ResponseMode::Off =>
        {
            return None;
        }
        ResponseState::Detached(Detached::Unsupported(why)) => {
            return Some(format!("response times: not to be had: {}", plain(why)));
        }
    };
    let mut excluded = [0; Excluded::COUNT];
    for one in &snapshot.response_exclusions {
        for (sum, count) in excluded.iter_mut().zip(one.excluded) {
            *sum += count;
        }
    }
    let total: u64 = excluded.iter().sum();
    if total > 0 {
        // Writing to a String cannot fail.
        let _ = write!(line, ", {total} excl ({})", words::excluded(&excluded));
    }
    if let (ResponseMode::Off, Some(left)) = (status.mode, status.asked_for) {
        let left = human::format(left.as_secs_f64(), Unit::Span);
        let _ = write!(line, ", for {left} more");
    }
    Some(line)
}

/// `response times: on, 0.31 % of a core`.
fn on(status: &ResponseStatus) -> String {
    let mut line = String::from("response times: on");
    if let Some(cost) = status.cost_cores {
        let _ = write!(line, ", {}", cores(cost));
    }
    line
}

fn cores(cost: f64) -> String {
    format!("{} of a core", share(cost))
}

fn share(cost: f64) -> String {
    if cost > 0.0 && cost < 0.000_1 {
        return "less than 0.01 %".into();
    }
    format!("{} %", human::format(cost * 100.0, Unit::Percent))
}

/// At most six decimals, none for nothing.
fn given(percent: f64) -> String {
    let text = format!("{percent:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn plain(why: &str) -> String {
    why.replace(['\n', '\r'], " ")
}

/// What the key does, for the line of keys: whether they are watched now.
pub fn key(snapshot: &Snapshot, asked: bool) -> &'static str {
    match snapshot.own.response_time.state {
        ResponseState::Attached => "Response:on",
        ResponseState::Detached(_) if asked => "Response:asked",
        ResponseState::Detached(_) => "Response:off",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use hostlens_ebpf::wire::Direction;

    use super::*;
    use crate::model::ResponseExclusions;

    fn snapshot(state: ResponseState) -> Snapshot {
        let mut snapshot = Snapshot::empty(2, UNIX_EPOCH);
        snapshot.own.response_time = ResponseStatus {
            state,
            budget_cores: Some(0.01),
            cost_cores: Some(0.0142),
            ..ResponseStatus::default()
        };
        snapshot
    }

    #[test]
    fn each_state_says_what_it_is() {
        let detached = |why| snapshot(ResponseState::Detached(why));
        let off = detached(Detached::NotWanted);
        assert_eq!(line(&off, false), None);
        assert_eq!(
            line(&off, true).as_deref(),
            Some("response times: starting")
        );
        let retry_in = Duration::from_secs(90);
        assert_eq!(
            line(&detached(Detached::TooExpensive { retry_in }), true).as_deref(),
            Some("response times: off, 1.4 % of a core (budget 1 %), next try in 1m30s")
        );
        let why = Detached::Unsupported("tcp_probe cannot be\nattached".into());
        let mut unsupported = detached(why);
        assert_eq!(line(&unsupported, false), None, "nobody asked");
        assert!(line(&unsupported, true).is_some());
        unsupported.own.response_time.mode = ResponseMode::Auto;
        assert_eq!(
            line(&unsupported, false).as_deref(),
            Some("response times: not to be had: tcp_probe cannot be attached")
        );
        let mut on = snapshot(ResponseState::Attached);
        on.own.response_time.asked_for = Some(Duration::from_secs(570));
        for direction in [Direction::Inbound, Direction::Outbound] {
            on.response_exclusions.push(ResponseExclusions {
                direction,
                held: false,
                excluded: [600, 0, 0, 0, 17],
            });
        }
        assert_eq!(
            line(&on, false).as_deref(),
            Some(
                "response times: on, 1.4 % of a core, 1234 excl (1200 overlap, 34 closed), for \
                 9m30s more"
            )
        );
    }
}
