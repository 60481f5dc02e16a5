//! `POST /api/response-time`: watches times to first byte for a while.

use std::time::Duration;

use hyper::StatusCode;

use super::{asker::Asker, connection::Answer, routes::plain};
use crate::{
    duration,
    model::{Detached, ResponseMode, ResponseState, Snapshot},
    request::ResponseRequest,
};

/// For how long if that is not said.
const DEFAULT: Duration = Duration::from_secs(600);
/// And at most: who wants it for longer starts the agent with it.
const MOST: Duration = Duration::from_secs(24 * 3_600);
/// How to ask.
const CURE: &str = "give for=10m, or anything from 0s (which ends it) to 24h";

/// Notes what was asked for; the engine looks at it several times a second. `latest` tells
/// whether it can be had at all.
pub(super) fn answer(
    request: &ResponseRequest,
    query: Option<&str>,
    asker: Asker,
    latest: Option<&Snapshot>,
) -> Answer {
    if !asker.is_local() {
        return plain(
            StatusCode::FORBIDDEN,
            "only from this host; ask over a loopback address\n",
        );
    }
    let time = match time(query.unwrap_or_default()) {
        Ok(time) => time,
        Err(why) => return plain(StatusCode::BAD_REQUEST, format!("{why}\n")),
    };
    let Some(snapshot) = latest else {
        return unavailable("the first cycle is not done yet");
    };
    let status = &snapshot.own.response_time;
    if let ResponseState::Detached(Detached::Unsupported(why)) = &status.state {
        return unavailable(&format!("no times to first byte: {why}"));
    }
    request.ask_for(time);
    let mut done = match (time.is_zero(), status.mode) {
        (true, ResponseMode::Off) => "no longer watched, unless top looks at it".to_owned(),
        (false, ResponseMode::Off) => format!("watched for {} s from now on", time.as_secs_f64()),
        (_, ResponseMode::On) => "watched always (--response-time on)".to_owned(),
        (_, ResponseMode::Auto) => "watched always (--response-time auto)".to_owned(),
    };
    if let ResponseState::Detached(Detached::TooExpensive { retry_in }) = status.state {
        let seconds = retry_in.as_secs();
        done += &format!("; now at rest for {seconds} s, as it cost more than --response-budget");
    }
    plain(StatusCode::OK, format!("{done}\n"))
}

fn unavailable(why: &str) -> Answer {
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
}

/// The time a query asks for.
fn time(query: &str) -> Result<Duration, String> {
    if query.is_empty() {
        return Ok(DEFAULT);
    }
    let text = query.strip_prefix("for=").unwrap_or_default();
    duration::within(text, Duration::ZERO, MOST, "").map_err(|_| format!("?{query}: {CURE}"))
}
