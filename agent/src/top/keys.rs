//! Keys, as in htop.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{columns::View, state::Mode};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave.
    Quit,
    /// Stop until continued by the shell.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Show help.
    Help,
    /// Leave menu, help or filter; in the list: drop the filter.
    Close,
    /// Go to a view by its position.
    View(usize),
    /// Next view.
    NextView,
    /// View before.
    PreviousView,
    /// Move by lines.
    Move(isize),
    /// Move by pages.
    Page(isize),
    /// First line.
    Home,
    /// Last line.
    End,
    /// Start typing a filter.
    Filter,
    /// Add a character to the filter.
    Type(char),
    /// Remove its last character.
    Erase,
    /// Remove all of it.
    EraseAll,
    /// Open the sort menu.
    SortMenu,
    /// Sort by the column so far to the right.
    SortStep(isize),
    /// Sort by this column.
    SortBy(&'static str),
    /// Take what was typed or chosen.
    Accept,
    /// Turn the order round.
    Invert,
    /// Stand still, or go on.
    Pause,
    /// Show or hide the members of the group.
    Expand,
    /// Watch times to first byte, or no longer.
    Watch,
}

/// Keys and what they do, for the help screen.
pub const HELP: &[(&str, &str)] = &[
    ("0 to 9  f J l", "view, as the tabs say"),
    ("F2  Tab", "next view"),
    (
        "Arrows PgUp PgDn",
        "select a line; it is followed when it moves",
    ),
    (
        "F3 /  F4 \\",
        "filter: part of a name, address or pid; a|b: either",
    ),
    ("Esc", "drop the filter, leave a menu"),
    ("F6", "choose the column to sort by"),
    ("< >", "sort by the column before, after"),
    ("I", "invert the order"),
    ("P M T", "sort by CPU, memory, CPU time"),
    ("U A", "sort by bytes unread, unacknowledged"),
    ("p", "show or hide the single processes of a group"),
    (
        "t",
        "time answers (views 2, 4): network, peer, wait or serve?",
    ),
    ("Space Z", "pause, go on"),
    ("Ctrl-L", "draw anew"),
    ("F1 h ?", "this help"),
    ("F10 q", "quit"),
];

/// What `key` asks for in `mode`.
pub fn action(mode: &Mode, key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return control(mode, key.code);
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match mode {
        Mode::List => list(key.code).or_else(|| moving(key.code)),
        Mode::Filter { .. } => typing(key.code),
        Mode::Sort { .. } => menu(key.code),
        Mode::Help { .. } => moving(key.code).or(Some(Action::Close)),
    }
}

fn control(mode: &Mode, code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Char('c') => Some(Action::Quit),
        KeyCode::Char('z') => Some(Action::Suspend),
        KeyCode::Char('l') => Some(Action::Redraw),
        KeyCode::Char('u') if matches!(mode, Mode::Filter { .. }) => Some(Action::EraseAll),
        _ => None,
    }
}

fn list(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char('q') | KeyCode::F(10) => Action::Quit,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Action::Help,
        KeyCode::F(2) | KeyCode::Tab => Action::NextView,
        KeyCode::BackTab => Action::PreviousView,
        KeyCode::Char('/' | '\\') | KeyCode::F(3 | 4) => Action::Filter,
        KeyCode::F(6) => Action::SortMenu,
        KeyCode::Char('<') => Action::SortStep(-1),
        KeyCode::Char('>') => Action::SortStep(1),
        KeyCode::Char('I') => Action::Invert,
        KeyCode::Char('P') => Action::SortBy("cpu"),
        KeyCode::Char('M') => Action::SortBy("mem"),
        KeyCode::Char('T') => Action::SortBy("time"),
        KeyCode::Char('U') => Action::SortBy("unread"),
        KeyCode::Char('A') => Action::SortBy("unacked"),
        KeyCode::Char('p') => Action::Expand,
        KeyCode::Char('t') => Action::Watch,
        KeyCode::Char(' ' | 'Z') => Action::Pause,
        KeyCode::Esc => Action::Close,
        KeyCode::Char(key) => Action::View(View::of_key(key)?.index()),
        _ => return None,
    })
}

fn moving(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Action::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::PageDown => Action::Page(1),
        KeyCode::Home => Action::Home,
        KeyCode::End => Action::End,
        _ => return None,
    })
}

fn typing(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Char(letter) => Action::Type(letter),
        KeyCode::Backspace => Action::Erase,
        KeyCode::Enter | KeyCode::F(3 | 4) => Action::Accept,
        KeyCode::Esc => Action::Close,
        KeyCode::F(10) => Action::Quit,
        KeyCode::Up => Action::Move(-1),
        KeyCode::Down => Action::Move(1),
        _ => return None,
    })
}

fn menu(code: KeyCode) -> Option<Action> {
    Some(match code {
        KeyCode::Enter => Action::Accept,
        KeyCode::Char('I') => Action::Invert,
        KeyCode::Esc | KeyCode::F(6) => Action::Close,
        KeyCode::Char('q') | KeyCode::F(10) => Action::Quit,
        other => return moving(other),
    })
}
