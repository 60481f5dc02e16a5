//! The selected line over the last minutes, as sparklines.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::top::{
    columns::Column,
    history::{SPAN, heights},
    human,
    human::Unit,
    item::RowKey,
    text,
};

use super::{Scene, put};

/// Cells for the name of the selected line.
const NAME: usize = 20;
/// A second sparkline is shown from this width on.
const WIDE: u16 = 110;

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
        // The one sorted by if its past is known, else the more telling one.
        let sorted = table.columns.get(place.sort).map(|column| column.id);
        which.retain(|&at| table.tracked.get(at).copied() == sorted);
        which.truncate(1);
        if which.is_empty() {
            which.push(0);
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
    let Some(ring) = scene.history.of(scene.state.view, key, which) else {
        return;
    };
    let theme = scene.theme;
    let minutes = SPAN.as_secs() / 60;
    let cells = usize::from(area.width)
        .saturating_sub(column.header.len() + "  max 0000000  3 min  ".len())
        .min(60);
    let (heights, top) = heights(ring, scene.history.samples(), cells);
    let mut x = put(buffer, area, 0, column.header, theme.strong()) + 1;
    for height in heights {
        let bar = height.map_or(" ", |height| theme.bar(height));
        let style = height.map_or_else(Default::default, |height| {
            theme.shade(column.shade, f64::from(height * top))
        });
        x = put(buffer, area, x, bar, style);
    }
    let scale = format!(
        " max {}  {minutes} min",
        human::format(f64::from(top), column.unit)
    );
    put(buffer, area, x, &scale, theme.faint());
}
