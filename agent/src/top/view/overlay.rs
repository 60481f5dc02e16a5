//! What covers the list: help and the sort menu.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    symbols::border,
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Widget},
};

use crate::top::{columns::View, keys, theme::Theme};

use super::{Scene, put};

/// A frame for terminals that show nothing else.
const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// The last line of help that makes sense to begin with on a screen of this height.
pub fn help_overflow(view: View, height: u16) -> u16 {
    let lines = keys::HELP.len() + 2 + view.table().columns.len();
    // The footer and the frame take three.
    (lines as u16).saturating_sub(height.saturating_sub(3))
}

/// Keys first, then the columns of the view.
pub(super) fn help(buffer: &mut Buffer, scene: &Scene<'_>, scroll: u16) {
    let theme = scene.theme;
    let screen = buffer.area;
    let area = Rect {
        height: screen.height.saturating_sub(1),
        ..screen
    };
    let mut lines: Vec<Line<'_>> = Vec::new();
    let pair = |key: String, text: &'static str| {
        Line::from(vec![Span::styled(key, theme.strong()), Span::raw(text)])
    };
    for (key, text) in keys::HELP {
        lines.push(pair(format!("{key:>16}  "), text));
    }
    lines.push(Line::raw(""));
    let table = scene.state.view.table();
    lines.push(Line::styled(
        format!("{}: columns", table.title),
        theme.strong(),
    ));
    for column in table.columns {
        lines.push(pair(format!("{:>9}  ", column.header), column.help));
    }
    let inner = frame(buffer, area, theme, " hostlens top ");
    let last = help_overflow(scene.state.view, screen.height);
    let from = usize::from(scroll.min(last));
    for (line, y) in lines.iter().skip(from).zip(inner.y..inner.bottom()) {
        buffer.set_line(inner.x, y, line, inner.width);
    }
    if last > scroll {
        let strip = Rect {
            y: area.bottom().saturating_sub(1),
            height: 1,
            ..area
        };
        put(buffer, strip, 2, " more below: Down ", theme.strong());
    }
}

/// Cells that the sort menu takes from the left of the list.
pub(super) const MENU: u16 = 14;

/// The columns, the chosen one marked, beside the list as in htop.
pub(super) fn sort(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>, at: usize) {
    let theme = scene.theme;
    let title = Rect {
        height: area.height.min(1),
        ..area
    };
    buffer.set_style(title, theme.reverse());
    put(
        buffer,
        title,
        1,
        "Sort by",
        theme.reverse().patch(theme.strong()),
    );
    let columns = scene.state.view.table().columns;
    let height = area.height.saturating_sub(1);
    let from = (at + 1).saturating_sub(usize::from(height));
    let lines = columns.iter().enumerate().skip(from);
    for ((index, column), y) in lines.zip(area.y + 1..area.bottom()) {
        let strip = Rect {
            y,
            height: 1,
            ..area
        };
        put(buffer, strip, 1, column.header, Style::new());
        if index == at {
            buffer.set_style(strip, theme.reverse());
        }
    }
}

/// An empty box; its inside.
fn frame(buffer: &mut Buffer, area: Rect, theme: Theme, title: &str) -> Rect {
    Clear.render(area, buffer);
    let lines = if theme.unicode { border::PLAIN } else { ASCII };
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(lines)
        .title(title.to_string());
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}
