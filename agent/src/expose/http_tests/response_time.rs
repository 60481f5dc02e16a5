//! Who may have times to first byte watched, for how long, and what they are told.

use std::{net::Ipv4Addr, time::Duration};

use super::*;
use crate::{
    expose::{
        asker::{Asker, Client},
        connection, response_time,
    },
    model::{Detached, ResponseState, ResponseStatus},
    request::ResponseRequest,
};

const PATH: &str = "/api/response-time";

/// A server with a snapshot, and what is asked there.
fn server(state: ResponseState) -> (Running, ResponseRequest) {
    let request = ResponseRequest::default();
    let server = Running::with(ServerOptions {
        response: request.clone(),
        ..ServerOptions::default()
    });
    let mut snapshot = fixture::small();
    snapshot.own.response_time = ResponseStatus {
        state,
        ..ResponseStatus::default()
    };
    server.store.put(1, snapshot);
    (server, request)
}

#[test]
fn a_post_from_this_host_is_noted_and_ended() {
    let (server, request) = server(ResponseState::Detached(Detached::NotWanted));
    let ask = |query: &str| server.ask(&post(&format!("{PATH}{query}"), ""));
    // Some of it has passed when we look, though never so much.
    let about = |minutes: u64| {
        let left = request.remaining().unwrap_or_default();
        let most = Duration::from_secs(minutes * 60);
        left <= most && left > most - PATIENCE
    };
    for (query, minutes) in [
        ("", 10),
        ("?for=2h", 120),
        ("?for=3m", 3),
        ("?for=24h", 1_440),
    ] {
        let answer = ask(query);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert!(answer.text().starts_with("watched for "));
        assert!(about(minutes), "{query}: {request:?}");
    }
    assert_eq!(ask("?for=0s").status, 200);
    assert!(!request.wanted());
}

#[test]
fn nonsense_is_named_and_changes_nothing() {
    let (server, request) = server(ResponseState::Detached(Detached::NotWanted));
    for query in [
        "for",
        "for=",
        "for=ten",
        "for=25h",
        "for=-1s",
        "for=1m&for=2m",
        "until=5m",
        "for=1e9h",
    ] {
        let answer = server.ask(&post(&format!("{PATH}?{query}"), ""));
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.text().lines().count(), 1);
        assert!(answer.text().contains(query) && answer.text().contains("give for=10m"));
    }
    for method in ["GET", "HEAD", "PUT"] {
        let answer = server.ask(&post(PATH, "").replace("POST", method));
        assert_eq!((answer.status, answer.header("allow")), (405, "post"));
    }
    let page = server.ask(&post(PATH, "origin: http://elsewhere.example\r\n"));
    assert_eq!(page.status, 403);
    assert!(!request.wanted());
    assert!(!server.get("/").text().contains(&format!("href=\"{PATH}\"")));
}

#[test]
fn a_rest_is_told_to_who_asks() {
    let retry_in = Duration::from_secs(25);
    let (server, request) = server(ResponseState::Detached(Detached::TooExpensive { retry_in }));
    let answer = server.ask(&post(PATH, ""));
    assert_eq!(answer.status, 200);
    assert!(
        answer.text().contains("at rest for 25 s"),
        "{}",
        answer.text()
    );
    assert!(request.wanted());
}

#[test]
fn what_cannot_be_had_is_not_promised() {
    let why = "no kernel programs".to_owned();
    let (server, request) = server(ResponseState::Detached(Detached::Unsupported(why)));
    let answer = server.ask(&post(PATH, ""));
    assert_eq!(
        (answer.status, answer.text()),
        (503, "no times to first byte: no kernel programs\n")
    );
    let early = Running::new(Limits::default());
    assert_eq!(early.ask(&post(PATH, "")).status, 503);
    assert!(!request.wanted());
}

#[test]
fn others_may_not_ask() {
    let request = ResponseRequest::default();
    let snapshot = fixture::small();
    let ask = |address: &str| -> connection::Answer {
        let asker = Asker {
            client: Client::Ip(address.parse().unwrap()),
            from_page: false,
        };
        response_time::answer(&request, None, asker, Some(&snapshot))
    };
    for address in ["10.0.0.1", "0.0.0.0", "fe80::1", "2001:db8::1"] {
        assert_eq!(ask(address).status(), 403, "{address}");
    }
    assert!(!request.wanted());
    for address in [Ipv4Addr::LOCALHOST.to_string(), "::1".into()] {
        assert_eq!(ask(&address).status(), 200, "{address}");
    }
    assert!(request.wanted());
}

#[test]
fn the_status_says_whether_it_is_watched_and_why_not() {
    let status = |state| {
        let (server, _) = server(state);
        let json: Value = serde_json::from_slice(&server.get("/status").body).unwrap();
        let status = json.get("response_time").unwrap().clone();
        let word = |key: &str| status[key].as_str().unwrap_or("-").to_owned();
        assert_eq!(word("mode"), "off");
        (
            word("state"),
            word("reason"),
            status["retry_in_seconds"].as_f64(),
        )
    };
    let words = |state: &str, reason: &str, retry| (state.to_owned(), reason.to_owned(), retry);
    assert_eq!(
        status(ResponseState::Attached),
        words("attached", "-", None)
    );
    let detached = |why| status(ResponseState::Detached(why));
    assert_eq!(
        detached(Detached::NotWanted),
        words("detached", "not_wanted", None)
    );
    let retry_in = Duration::from_secs(30);
    let rests = detached(Detached::TooExpensive { retry_in });
    assert_eq!(rests, words("detached", "too_expensive", Some(30.0)));
    let cannot = detached(Detached::Unsupported("no BTF".into()));
    assert_eq!(cannot, words("unsupported", "no BTF", None));
}
