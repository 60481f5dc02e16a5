//! Column titles and lines.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use crate::top::{
    columns::{Column, View},
    layout::Slot,
    rows::Row,
    stack::Stack,
    text,
    theme::Theme,
    value::Value,
};

use super::{Scene, put};

pub(super) fn titles(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    buffer.set_style(area, theme.reverse());
    let columns = scene.state.view.table().columns;
    let place = scene.state.place();
    for slot in scene.slots(area.width) {
        let Some(column) = columns.get(slot.index) else {
            continue;
        };
        let sorted = slot.index == place.sort;
        let style = if sorted {
            theme.sorted()
        } else {
            theme.reverse()
        };
        let header = text::cut(column.header, usize::from(slot.width), theme.ellipsis());
        let width = text::width(&header) as u16;
        let left = column.unit.is_text();
        let x = if left {
            slot.x
        } else {
            slot.x + slot.width - width
        };
        put(buffer, area, x, &header, style);
        if sorted {
            // Beside the title, in the gap between columns if need be.
            let at = if left {
                Some(x + width)
            } else {
                x.checked_sub(1)
            };
            if let Some(at) = at {
                let arrow = theme.arrow(place.descending);
                put(
                    buffer,
                    area,
                    at,
                    arrow,
                    theme.reverse().patch(theme.strong()),
                );
            }
        }
    }
}

pub(super) fn rows(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let table = scene.state.view.table();
    let place = scene.state.place();
    if scene.rows.is_empty() {
        let line = empty(scene);
        let area = Rect {
            y: area.y + area.height.min(2) / 2,
            ..area
        };
        put(buffer, area, 2, line, scene.theme.faint());
        return;
    }
    let slots = scene.slots(area.width);
    let visible = scene.rows.iter().enumerate().skip(place.top);
    for ((at, row), y) in visible.zip(area.y..area.bottom()) {
        let strip = Rect {
            y,
            height: 1,
            ..area
        };
        for slot in &slots {
            if let Some(column) = table.columns.get(slot.index) {
                cell(buffer, strip, scene.theme, row, column, slot);
            }
        }
        if at == place.cursor {
            // One plain bar: colours under it are hard to read on half of all terminals.
            buffer.set_style(strip, Style::reset().add_modifier(Modifier::REVERSED));
        }
    }
}

fn cell(
    buffer: &mut Buffer,
    area: Rect,
    theme: Theme,
    row: &Row<'_>,
    column: &Column,
    slot: &Slot,
) {
    let value = (column.value)(row.item);
    if let Value::Stack(stack) = &value {
        return bar(buffer, area, theme, stack, slot);
    }
    let shown = value.show(column.unit);
    let style = match &value {
        Value::Number(number) => theme.shade(column.shade, *number),
        Value::State(level, _) => theme.level(*level),
        Value::Absent => theme.faint(),
        Value::Text(_) | Value::Address(..) if row.item.folded() => theme.faint(),
        _ => Style::new(),
    };
    let width = usize::from(slot.width);
    let branch = if row.member && slot.index == 0 {
        theme.branch()
    } else {
        ""
    };
    let room = width.saturating_sub(text::width(branch));
    let cut = if matches!(value, Value::Address(..)) {
        text::cut_middle
    } else {
        text::cut
    };
    let shown = cut(&shown, room, theme.ellipsis());
    let padded = text::pad(&format!("{branch}{shown}"), width, !column.unit.is_text());
    put(buffer, area, slot.x, &padded, style);
}

/// A stacked bar, as long as its column is wide.
fn bar(buffer: &mut Buffer, area: Rect, theme: Theme, stack: &Stack, slot: &Slot) {
    let mut x = slot.x;
    for (part, cells) in stack.cells(usize::from(slot.width)) {
        let (cell, style) = theme.part(part);
        x = put(buffer, area, x, &cell.repeat(cells), style);
    }
}

/// Why there is nothing in the list.
fn empty(scene: &Scene<'_>) -> &'static str {
    if !scene.state.filter.is_empty() {
        return "nothing passes the filter (Esc drops it)";
    }
    match scene.state.view {
        View::Processes => "no processes",
        View::Peers => "no TCP connections in the last minute",
        View::Connections => "no TCP connections",
        View::Listeners => "no TCP listeners",
        View::Services => "no TCP connections opened or ended",
        View::Failures => "no attempt to connect failed",
        View::Upstreams => "no pool of two peers or more in the last minute",
        View::Ports => "no local port range in use to speak of",
        View::Disks => "no disk was asked for anything",
        View::Filesystems => "no filesystem with room of its own",
        View::Jobs => "no jobs: sessions could not be read",
        View::Limits => "no limit seen",
        View::Dns => "no lookups seen; they are watched with --dns only",
    }
}
