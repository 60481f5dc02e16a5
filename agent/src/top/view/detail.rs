//! The selected line over the last minutes, as sparklines.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::top::{
    columns::Column, history::SPAN, human::Unit, item::RowKey, text, value::Value, words,
};

use super::{Scene, put};

/// Cells for the name of the selected line.
const NAME: usize = 20;
/// A second sparkline is shown from this width on.
const WIDE: u16 = 110;

/// What the selected line means.
pub(super) fn words(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Some(row) = scene.rows.get(scene.state.place().cursor) else {
        return;
    };
    let Some(words) = words::of(row.item, scene.snapshot) else {
        return;
    };
    let cells = usize::from(area.width);
    let lines = usize::from(area.height);
    let lines = text::wrap(&words, cells, lines, scene.theme.ellipsis());
    for (line, y) in lines.iter().zip(area.y..) {
        let strip = Rect {
            y,
            height: 1,
            ..area
        };
        put(buffer, strip, 0, line, Style::new());
    }
}

pub(super) fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let table = scene.state.view.table();
    let place = scene.state.place();
    let Some(row) = scene.rows.get(place.cursor) else {
        return;
    };
    let Some(first) = table.columns.first() else {
        return;
    };
    if area.is_empty() {
        return;
    }
    let theme = scene.theme;
    let key = row.item.key();
    let value = (first.value)(row.item);
    let name = text::cut(&value.show(Unit::Text), NAME, theme.ellipsis());
    let start = put(buffer, area, 0, &name, theme.strong()) + 2;
    let tracked = table
        .tracked
        .map(|id| table.columns.iter().find(|column| column.id == id));
    let mut which: Vec<usize> = (0..tracked.len()).collect();
    if area.width < WIDE {
        // The one sorted by if its past is known, else the more telling one that applies.
        let sorted = table.columns.get(place.sort).map(|column| column.id);
        which.retain(|&at| table.tracked.get(at).copied() == sorted);
        which.truncate(1);
        if which.is_empty() {
            let applies = |column: &Option<&Column>| {
                column.is_some_and(|column| (column.value)(row.item) != Value::Blank)
            };
            which.push(tracked.iter().position(applies).unwrap_or(0));
        }
    }
    let share = area.width.saturating_sub(start) / which.len().max(1) as u16;
    for (position, which) in which.into_iter().enumerate() {
        let Some(Some(column)) = tracked.get(which) else {
            continue;
        };
        let x = start + share * position as u16;
        let strip = Rect {
            x: area.x + x,
            width: share,
            ..area
        };
        spark(buffer, strip, scene, column, &key, which);
    }
}

/// `CPU% ▁▂▃▅▇ max 153  3 min`
fn spark(
    buffer: &mut Buffer,
    area: Rect,
    scene: &Scene<'_>,
    column: &Column,
    key: &RowKey,
    which: usize,
) {
    let theme = scene.theme;
    let minutes = SPAN.as_secs() / 60;
    let cells = usize::from(area.width)
        .saturating_sub(column.header.len() + "  max 0000000  3 min  ".len())
        .min(60);
    let Some(past) = scene.history.of(scene.state.view, key, which, cells) else {
        return;
    };
    let max = past.max.unwrap_or(0.0);
    let mut x = put(buffer, area, 0, column.header, theme.strong()) + 1;
    for value in past.steps {
        let bar = value.map_or(" ", |value| {
            theme.bar(if max > 0.0 { value / max } else { 0.0 })
        });
        let style = value.map_or_else(Style::new, |value| {
            // A bar has its own size: colour is all it takes from the shade.
            let shade = theme.shade(column.shade, f64::from(value));
            shade
                .fg
                .map_or_else(Style::new, |color| Style::new().fg(color))
        });
        x = put(buffer, area, x, bar, style);
    }
    let max = Value::number(past.max.map(f64::from));
    let scale = format!(" max {}  {minutes} min", max.show(column.unit));
    put(buffer, area, x, &scale, theme.faint());
}
