//! Rendered screens.

use crossterm::event::KeyCode;
use ratatui::{
    Terminal,
    backend::TestBackend,
    style::{Color, Modifier},
};

use super::{
    fixture,
    golden::check,
    session::{self, Session},
};
use crate::top::{columns::View, theme::Theme, view};

#[test]
fn each_view_at_three_sizes() {
    for (width, height) in [(80, 24), (40, 10), (200, 50)] {
        for view in View::ALL {
            let mut session = Session::new(fixture::host(), width, height);
            session.keys(&view.key().to_string());
            let name = view.table().title.to_lowercase();
            check(&format!("{name}_{width}x{height}.txt"), &session.text());
        }
    }
}

#[test]
fn empty_host() {
    let mut session = Session::new(fixture::empty(), 80, 24);
    check("empty_80x24.txt", &session.text());
}

#[test]
fn without_privileges_one_line_says_so() {
    let mut session = Session::new(fixture::unprivileged(), 80, 24);
    let text = session.text();
    let line = "missing: short-lived connections and processes; run as root (sudo)\n";
    assert_eq!(text.matches(line).count(), 1, "{text}");
    assert!(text.contains("tcp: sock_diag  process: procfs"), "{text}");
}

#[test]
fn menus_help_and_members() {
    let mut session = Session::new(fixture::host(), 80, 24);
    session.press(KeyCode::F(6));
    check("sort_menu_80x24.txt", &session.text());
    session.press(KeyCode::Esc);
    session.press(KeyCode::F(1));
    check("help_80x24.txt", &session.text());
    session.press(KeyCode::Esc);
    session.keys("p ");
    session.press(KeyCode::F(4));
    session.keys("postgres|ssh");
    check("members_filtered_80x24.txt", &session.text());
}

#[test]
fn help_fits_the_width_and_scrolls_to_its_end() {
    for key in '1'..='9' {
        let mut session = Session::new(fixture::host(), 80, 24);
        session.keys(&format!("{key}h"));
        session.press(KeyCode::End);
        session.press(KeyCode::Up);
        session.press(KeyCode::Down);
        let text = session.text();
        let last = session.state.view.table().columns.last().unwrap();
        assert!(text.contains(last.help), "{text}");
        for column in session.state.view.table().columns {
            assert!(column.help.chars().count() <= 67, "{}", column.id);
        }
    }
}

#[test]
fn no_screen_is_too_small() {
    for snapshot in [fixture::host(), fixture::empty(), fixture::unprivileged()] {
        let mut session = Session::new(snapshot, 80, 24);
        for width in [0, 1, 2, 5, 17, 39, 81] {
            for height in [0, 1, 2, 3, 5, 8, 11] {
                session.resize(width, height);
                for keys in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "h", "q"] {
                    session.keys(keys);
                    session.buffer();
                }
                session.press(KeyCode::F(6));
                session.buffer();
                session.press(KeyCode::Esc);
            }
        }
    }
}

#[test]
fn before_the_first_rates() {
    let theme = Theme {
        color: true,
        unicode: true,
    };
    let mut terminal = Terminal::new(TestBackend::new(60, 3)).unwrap();
    let frame = terminal.draw(|frame| view::draw_waiting(frame, theme, false));
    let text = session::text(frame.unwrap().buffer);
    assert!(
        text.contains("sampling: first figures in about a second"),
        "{text}"
    );
    assert!(!text.contains('0'), "{text}");
}

#[test]
fn round_trip_times_are_shaded_by_decade() {
    let mut session = Session::new(fixture::host(), 80, 24);
    session.keys("2");
    // Away from the line whose colours matter.
    session.press(KeyCode::End);
    let buffer = session.buffer();
    let style = |needle: &str| {
        let text = session::text(&buffer);
        let (y, line) = text
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(needle))
            .unwrap();
        let x = line[..line.find(needle).unwrap()].chars().count();
        let cell = &buffer[(x as u16, y as u16)];
        (cell.fg, cell.modifier)
    };
    assert_eq!(style("400us").0, Color::Green);
    assert_eq!(style("4.00ms").0, Color::Cyan);
    assert_eq!(style("40.5ms").0, Color::Yellow);
    assert_eq!(style("250ms").0, Color::Red);
}

#[test]
fn no_color_means_none_and_sizes_still_show() {
    let mut session = Session::new(fixture::host(), 80, 24);
    session.theme.color = false;
    for key in '1'..='9' {
        session.keys(&key.to_string());
        let buffer = session.buffer();
        for cell in buffer.content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        let strong = |cell: &&ratatui::buffer::Cell| cell.modifier.contains(Modifier::BOLD);
        assert!(buffer.content().iter().filter(strong).count() > 10);
    }
}

#[test]
fn a_terminal_without_unicode_gets_none_of_ours() {
    let mut session = Session::new(fixture::host(), 80, 24);
    session.theme.unicode = false;
    session.keys("p");
    for keys in ["", "2", "3", "4", "5", "6", "7", "8", "9"] {
        session.keys(keys);
        let text = session.text().replace("数据库服务", "").replace("用户", "");
        assert!(text.is_ascii(), "{text}");
    }
    session.keys("h");
    assert!(session.text().is_ascii());
}

#[test]
fn only_the_visible_part_of_ten_thousand_lines() {
    let mut session = Session::new(fixture::many(10_000), 80, 24);
    session.press(KeyCode::End);
    let text = session.text();
    assert!(text.contains("10000/10000"), "{text}");
    assert_eq!(text.matches("worker-").count(), 19, "{text}");
    session.keys("3");
    let text = session.text();
    assert!(text.contains("1/10000"), "{text}");
    assert!(text.contains("9.99ms"), "{text}");
}
