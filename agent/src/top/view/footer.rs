//! The last line: keys, or the filter being typed.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::top::{columns::View, state::Mode, text, watch};

use super::{Scene, put};

const LIST: &[(&str, &str)] = &[
    ("F1", "Help"),
    ("F2", "View"),
    ("F4", "Filter"),
    ("F6", "Sort"),
    ("I", "Invert"),
    ("Space", "Pause"),
    ("q", "Quit"),
    ("p", "Expand"),
    ("t", ""),
];

pub(super) fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let keys: &[(&str, &str)] = match &scene.state.mode {
        Mode::Filter { .. } => {
            let x = put(buffer, area, 0, "Filter: ", theme.strong());
            let room = usize::from(area.width.saturating_sub(x + 1));
            let typed = tail(scene.state.filter.text(), room);
            let x = put(buffer, area, x, typed, ratatui::style::Style::new());
            let x = put(buffer, area, x, " ", theme.reverse());
            put(
                buffer,
                area,
                x + 3,
                "Enter keeps it, Esc goes back",
                theme.faint(),
            );
            return;
        }
        Mode::Sort { .. } => &[("Enter", "Sort"), ("Esc", "Back")],
        Mode::Help { .. } => &[("Up Down", "Scroll"), ("Esc", "Back")],
        Mode::List => LIST,
    };
    let mut x = 0;
    for (key, name) in keys {
        if *key == "p" && scene.state.view != View::Processes
            || *key == "t" && !watch::shows(scene.state.view)
        {
            continue;
        }
        let name = match *key {
            "t" => watch::key(scene.snapshot, scene.state.watching),
            _ => name,
        };
        let width = key.len() + name.len() + 1;
        if usize::from(x) + width > usize::from(area.width) {
            break;
        }
        x = put(buffer, area, x, key, theme.strong());
        x = put(buffer, area, x, name, theme.reverse()) + 1;
    }
}

/// The end of what was typed, as far as it fits.
fn tail(typed: &str, room: usize) -> &str {
    let mut rest = typed;
    while text::width(rest) > room {
        let mut letters = rest.chars();
        letters.next();
        rest = letters.as_str();
    }
    rest
}
