//! Keys and what they do to the list.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    fixture,
    session::{Session, options},
};
use crate::top::{
    columns::View,
    keys::{self, Action},
    state::{Mode, State},
};

fn session() -> Session {
    Session::new(fixture::host(), 80, 24)
}

#[test]
fn sorted_with_the_folded_last_and_what_ended_idle_left_out() {
    let mut session = session();
    assert_eq!(session.names()[..2], ["postgres", "make"]);
    assert_eq!(session.names().last().unwrap(), "other");
    assert!(!session.names().contains(&"gone".to_string()));
    session.keys("I");
    assert_eq!(session.names().last().unwrap(), "other");
    assert_eq!(session.names()[4], "postgres");
}

#[test]
fn equal_lines_keep_their_order() {
    let mut session = session();
    // All have the same number of threads but the one that ended.
    while session.state.view.table().columns[session.state.place().sort].id != "threads" {
        session.keys(">");
    }
    let names = session.names();
    assert_eq!(names[0], "postgres");
    assert!(names[1].starts_with("python3"));
    assert_eq!(names[3], "sshd");
    assert_eq!(names[4], "make");
}

#[test]
fn every_column_sorts_both_ways() {
    for view in View::ALL {
        let mut session = session();
        session.keys(&view.key().to_string());
        let all = session.names().len();
        for _ in view.table().columns {
            session.keys(">");
            assert_eq!(session.names().len(), all);
            session.keys("I");
            assert_eq!(session.names().len(), all);
        }
        let first = view.table().position(view.table().sort);
        assert_eq!(Some(session.state.place().sort), first);
    }
}

#[test]
fn queues_and_losses_by_one_key() {
    for (view, column) in [('2', "unread"), ('3', "unacked"), ('5', "unread")] {
        let mut session = session();
        session.keys(&view.to_string());
        session.keys(if column == "unread" { "U" } else { "A" });
        let table = session.state.view.table();
        assert_eq!(Some(session.state.place().sort), table.position(column));
        assert!(session.state.place().descending);
        let header = table.columns[session.state.place().sort].header;
        assert!(session.text().contains(header), "what is sorted by is seen");
    }
}

#[test]
fn the_worst_listener_first_and_refusals_beside_them() {
    let mut session = session();
    session.keys("4");
    let names = session.names();
    assert_eq!(names[0], "gunicorn");
    assert!(names.contains(&"beam.smp".to_string()));
    assert!(!names.contains(&"gone".to_string()));
    assert_eq!(names.last().unwrap(), "other");
    let text = session.text();
    assert!(text.contains("Run more workers"), "{text}");
    for view in '1'..='9' {
        session.keys(&view.to_string());
        let text = session.text();
        assert!(
            text.contains("gunicorn *:8080 workers_busy (+1) [4]"),
            "{text}"
        );
    }
}

#[test]
fn the_sort_menu() {
    let mut session = session();
    session.press(KeyCode::F(6));
    session.press(KeyCode::Home);
    session.press(KeyCode::Enter);
    assert_eq!(session.state.mode, Mode::List);
    assert_eq!(session.state.place().sort, 0);
    assert!(!session.state.place().descending, "text begins at A");
    assert_eq!(session.names()[0], "make");
    session.keys("M");
    assert_eq!(session.names()[0], "postgres");
}

#[test]
fn views_by_number_tab_and_f2() {
    let mut session = session();
    for (code, view) in [
        (KeyCode::Char('2'), View::Peers),
        (KeyCode::Tab, View::Connections),
        (KeyCode::F(2), View::Listeners),
        (KeyCode::Char('9'), View::Dns),
        (KeyCode::Char('0'), View::Disks),
        (KeyCode::Char('f'), View::Filesystems),
        (KeyCode::Char('J'), View::Jobs),
        (KeyCode::Tab, View::Limits),
        (KeyCode::Tab, View::Processes),
        (KeyCode::BackTab, View::Limits),
        (KeyCode::Char('x'), View::Limits),
        (KeyCode::Char('1'), View::Processes),
    ] {
        session.press(code);
        assert_eq!(session.state.view, view);
    }
}

#[test]
fn filters_as_typed_and_esc_goes_back() {
    let mut session = session();
    for open in [
        KeyCode::F(3),
        KeyCode::F(4),
        KeyCode::Char('/'),
        KeyCode::Char('\\'),
    ] {
        session.press(open);
        assert!(matches!(session.state.mode, Mode::Filter { .. }));
        session.keys("POST|用户");
        assert_eq!(session.names(), ["postgres", "数据库服务"]);
        session.press(KeyCode::Backspace);
        session.press(KeyCode::Esc);
        assert_eq!(session.names().len(), 6);
    }
    session.keys("/q");
    assert!(!session.state.quit, "q is a letter while typing");
    session.press(KeyCode::Backspace);
    session.keys("302");
    assert_eq!(session.names(), ["postgres"], "by the pid of a member");
    session.press(KeyCode::Enter);
    session.keys("2");
    assert!(session.names().is_empty(), "the filter holds in every view");
    session.press(KeyCode::Esc);
    assert_eq!(session.names().len(), 6);
}

#[test]
fn members_open_beneath_their_group_and_close_from_within() {
    let mut session = session();
    session.keys("p");
    assert_eq!(session.names()[..3], ["postgres", "pid 302", "pid 301"]);
    session.press(KeyCode::Down);
    assert_eq!(session.selected(), "pid 302");
    session.keys("p");
    assert_eq!(session.selected(), "postgres");
    assert_eq!(session.names().len(), 6);
}

#[test]
fn members_without_a_value_stay_in_order_of_their_pids() {
    let mut session = session();
    let mut snapshot = fixture::host();
    snapshot.members.reverse();
    session.show(snapshot);
    session.keys("p");
    while session.state.view.table().columns[session.state.place().sort].id != "procs" {
        session.keys(">");
    }
    for _ in 0..2 {
        let names = session.names();
        let group = names.iter().position(|name| name == "postgres").unwrap();
        assert_eq!(names[group + 1..group + 3], ["pid 301", "pid 302"]);
        session.keys("I");
    }
}

#[test]
fn a_selected_line_is_followed() {
    let mut session = session();
    session.press(KeyCode::Down);
    assert_eq!(session.selected(), "make");
    session.keys("I");
    assert_eq!(session.selected(), "make");
    let mut next = fixture::host();
    next.processes.retain(|row| &*row.process != "make");
    session.show(next);
    // It ended: the position stays.
    let names = session.names();
    assert!(names.contains(&session.selected()));
    session.press(KeyCode::Home);
    assert_eq!(session.selected(), session.names()[0]);
}

#[test]
fn the_first_line_is_a_place_and_not_a_process() {
    let mut session = session();
    assert_eq!(session.selected(), "postgres");
    let mut next = fixture::host();
    next.processes[3].rates.cpu = 4.0;
    session.show(next);
    assert_eq!(session.selected(), "数据库服务");
}

#[test]
fn pages_and_ends() {
    let mut session = Session::new(fixture::many(100), 80, 24);
    session.buffer();
    session.press(KeyCode::PageDown);
    session.buffer();
    let place = session.state.place();
    assert_eq!((place.cursor, place.top), (18, 1));
    session.press(KeyCode::End);
    session.buffer();
    let place = session.state.place();
    assert_eq!((place.cursor, place.top), (99, 82));
    session.resize(80, 60);
    session.buffer();
    assert_eq!(session.state.place().top, 46);
    session.press(KeyCode::PageUp);
    session.press(KeyCode::PageUp);
    session.buffer();
    let place = session.state.place();
    assert_eq!((place.cursor, place.top), (0, 0));
}

#[test]
fn pause_help_and_leaving() {
    let mut session = session();
    session.keys(" ");
    assert!(session.state.paused);
    session.keys("Z");
    assert!(!session.state.paused);
    session.keys("?");
    assert!(matches!(session.state.mode, Mode::Help { .. }));
    session.keys("q");
    assert_eq!(session.state.mode, Mode::List);
    assert!(!session.state.quit);
    session.keys("q");
    assert!(session.state.quit);
    let key = |code| KeyEvent::new(code, KeyModifiers::CONTROL);
    for (letter, action) in [
        ('c', Action::Quit),
        ('z', Action::Suspend),
        ('l', Action::Redraw),
    ] {
        let mode = Mode::Help { scroll: 0 };
        assert_eq!(
            keys::action(&mode, key(KeyCode::Char(letter))),
            Some(action)
        );
    }
    assert_eq!(
        keys::action(
            &Mode::List,
            KeyEvent::new(KeyCode::F(10), KeyModifiers::NONE)
        ),
        Some(Action::Quit)
    );
}

#[test]
fn options_set_the_first_screen() {
    let mut options = options();
    options.view = View::Peers;
    options.sort = Some("sent".into());
    options.filter = "10.".into();
    let state = State::new(&options).unwrap();
    assert_eq!(state.view, View::Peers);
    assert_eq!(View::Peers.table().columns[state.place().sort].id, "sent");
    assert!(state.place().descending);
    assert_eq!(state.filter.text(), "10.");
}
