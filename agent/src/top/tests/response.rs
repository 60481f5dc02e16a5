//! Times to first byte on the screen and in pipes.

use crossterm::event::KeyCode;
use ratatui::style::Color;

use super::{
    answering, fixture,
    golden::check,
    session::{self, Session, options},
};
use crate::{
    model::{Detached, ResponseMode, ResponseState},
    top::{batch, columns::View, json, layout::fit},
};

#[test]
fn the_views_while_it_is_watched() {
    for (width, height) in [(80, 24), (40, 10), (120, 24), (200, 50)] {
        for view in [View::Peers, View::Listeners] {
            let mut session = Session::new(fixture::answering(), width, height);
            session.keys(&view.key().to_string());
            let name = view.table().title.to_lowercase();
            check(
                &format!("{name}_answering_{width}x{height}.txt"),
                &session.text(),
            );
        }
    }
    let mut session = Session::new(fixture::answering(), 120, 24);
    session.theme.unicode = false;
    session.keys("2");
    let text = session.text();
    assert!(text.is_ascii(), "{text}");
    check("peers_answering_ascii_120x24.txt", &text);
}

#[test]
fn batch_tells_it_too() {
    let mut options = options();
    for view in [View::Peers, View::Listeners] {
        options.view = view;
        let name = view.table().title.to_lowercase();
        let text = batch::render(&options, &fixture::answering());
        check(&format!("batch_{name}_answering.txt"), &text);
    }
}

#[test]
fn each_figure_sorts_and_what_is_not_known_stays_below() {
    for (view, column, first) in [
        ('2', "resp50", "fd00:1234:5678:9abc:def0:1111:2222:3333"),
        ('2', "resp95", "fd00:1234:5678:9abc:def0:1111:2222:3333"),
        ('2', "where95", "fd00:1234:5678:9abc:def0:1111:2222:3333"),
        ('2', "peer95", "10.9.9.9"),
        ('2', "net", "fd00:1234:5678:9abc:def0:1111:2222:3333"),
        ('2', "excl", "10.8.8.8"),
        ('4', "wait95", "gunicorn"),
        ('4', "serve95", "python3 report_generator"),
        ('4', "where50", "gunicorn"),
    ] {
        let mut session = Session::new(fixture::answering(), 80, 24);
        session.keys(&view.to_string());
        let table = session.state.view.table();
        let at = table.position(column).unwrap();
        while session.state.place().sort != at {
            session.keys(">");
        }
        let names = session.names();
        assert!(names[0].contains(first), "{column}: {names:?}");
        assert_eq!(names.last().unwrap(), "other");
        let header = table.columns[at].header;
        assert!(
            session.text().contains(header),
            "{column} is sorted by and seen"
        );
    }
}

#[test]
fn nothing_of_it_takes_room_while_nobody_watches() {
    for snapshot in [
        fixture::host(),
        answering::ended(fixture::answering(), false),
    ] {
        for view in ["2", "4"] {
            let mut session = Session::new(snapshot.clone(), 300, 50);
            session.keys(view);
            let text = session.text();
            for word in ["RESP", "WHERE", "NET", "response times"] {
                assert!(
                    !text.contains(&format!(" {word}")) || word == "NET",
                    "{word}:\n{text}"
                );
            }
            assert!(text.contains("tResponse:off"), "{text}");
        }
    }
    // Of what was measured in the last minute the figures stay for as long.
    let mut session = Session::new(answering::ended(fixture::answering(), true), 120, 24);
    session.keys("2");
    let text = session.text();
    assert!(
        text.contains("WHERE95") && text.contains("off, the last minute's"),
        "{text}"
    );
}

#[test]
fn the_key_asks_and_ends() {
    let mut session = Session::new(fixture::host(), 80, 24);
    session.keys("2t");
    assert!(session.state.watching);
    let text = session.text();
    assert!(text.contains("response times: starting"), "{text}");
    assert!(text.contains("tResponse:asked"), "{text}");
    assert!(text.contains("LISTEN") && text.contains("p95"), "{text}");
    let sorted =
        |session: &Session| session.state.view.table().columns[session.state.place().sort].id;
    assert_eq!(sorted(&session), "resp95", "the slowest first");
    session.keys("4");
    assert_eq!(sorted(&session), "where95");
    session.keys("<");
    let chosen = sorted(&session);
    session.keys("t");
    assert_eq!(sorted(&session), chosen, "an order that was chosen stays");
    session.keys("2");
    assert_eq!(sorted(&session), "p95");
    session.keys("t");
    session.keys("t");
    assert!(!session.state.watching);
    assert!(!session.text().contains("response times"));
    // A letter of a filter is no key.
    session.press(KeyCode::Char('/'));
    session.keys("t");
    assert!(!session.state.watching);
}

#[test]
fn why_it_cannot_be_watched_is_said_at_any_width() {
    let mut snapshot = fixture::host();
    let why = "tracepoint tcp_probe cannot be attached".to_owned();
    snapshot.own.response_time.state = ResponseState::Detached(Detached::Unsupported(why));
    let mut session = Session::new(snapshot.clone(), 80, 24);
    session.keys("2");
    assert!(!session.text().contains("response times"), "nobody asked");
    session.keys("t");
    let text = session.text();
    assert!(
        text.contains("not to be had: tracepoint tcp_probe"),
        "{text}"
    );
    snapshot.own.response_time.mode = ResponseMode::On;
    let text = batch::render(&options(), &snapshot);
    assert!(
        text.contains("not to be had: tracepoint tcp_probe"),
        "{text}"
    );
}

#[test]
fn parts_have_their_colours_and_their_shapes() {
    let mut session = Session::new(fixture::answering(), 120, 24);
    session.keys("4");
    session.press(KeyCode::End);
    let buffer = session.buffer();
    let line = session::text(&buffer);
    let (y, _) = line
        .lines()
        .enumerate()
        .find(|(_, line)| line.starts_with("gunicorn ") && line.contains('▒'))
        .unwrap();
    let cells = |symbol: &str| {
        let row = (0..120u16).map(|x| &buffer[(x, y as u16)]);
        let found: Vec<Color> = row
            .filter(|cell| cell.symbol() == symbol)
            .map(|cell| cell.fg)
            .collect();
        found
    };
    let wait = cells("▒");
    assert!(wait.len() >= 14, "{line}");
    assert!(wait.iter().all(|color| *color == Color::Yellow));
    session.theme.color = false;
    let buffer = session.buffer();
    assert!(session::text(&buffer).contains("▒▒▒▒"));
}

#[test]
fn the_words_name_who_is_to_blame() {
    let mut session = Session::new(fixture::answering(), 120, 24);
    session.keys("2");
    let text = session.text();
    assert!(
        text.contains("95 % of answers came within 382ms: 375ms network, 7.50ms the peer itself."),
        "{text}"
    );
    assert!(text.contains("Mostly the network"), "{text}");
    session.press(KeyCode::End);
    session.press(KeyCode::Up);
    session.press(KeyCode::Up);
    let text = session.text();
    assert!(
        text.contains("1200 of 1203 turns left out: 1150 overlap, 50 push. What is left does not"),
        "{text}"
    );
    session.keys("4");
    let text = session.text();
    assert!(
        text.contains("95 % of answers: 360us network, 360ms waiting to be read, 7.50ms serving."),
        "{text}"
    );
}

#[test]
fn json_knows_the_parts() {
    let line = json::line(&options(), &fixture::answering());
    let document: serde_json::Value = serde_json::from_str(&line).unwrap();
    let responses = document["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 5, "each once");
    let far = &responses
        .iter()
        .find(|row| row["remote_port"] == 443)
        .unwrap();
    assert_eq!(far["response_seconds"]["p50"], 0.255);
    assert_eq!(far["peer_seconds"]["p50"], 0.005);
    let share = far["network_ratio"].as_f64().unwrap();
    assert!((share - 0.98).abs() < 0.005, "{share}");
    let resolver = &responses
        .iter()
        .find(|row| row["remote_port"] == 53)
        .unwrap();
    assert_eq!(resolver["response_seconds"], serde_json::Value::Null);
    assert_eq!(resolver["excluded"]["overlap"], 1_150);
    assert_eq!(document["response_time"]["state"], "attached");
    assert_eq!(document["response_time"]["cost_cores"], 0.0031);
    let gunicorn = &document["listener_turns"][0];
    assert_eq!(gunicorn["process"], "gunicorn");
    assert_eq!(gunicorn["network_seconds"]["p50"], 0.00036);
    assert_eq!(gunicorn["wait_seconds"]["p50"], 0.24);
    let ended = answering::ended(fixture::answering(), false);
    let line = json::line(&options(), &ended);
    let document: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        document["responses"].as_array().unwrap().len(),
        5,
        "counters stay"
    );
}

#[test]
fn both_bars_fit_on_eighty_cells() {
    for view in [View::Peers, View::Listeners] {
        let columns = view.table().columns;
        let filled = |column: &crate::top::columns::Column| {
            !column.optional || !["process", "user", "service"].contains(&column.id)
        };
        let slots = fit(columns, 80, 0, filled);
        for id in ["where50", "where95"] {
            let seen = slots.iter().any(|slot| columns[slot.index].id == id);
            assert!(seen, "{view:?} {id}");
        }
    }
}
