//! The lines above the list: host, agent, what is missing, views.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    model::{Detached, ResponseState},
    top::{alert, answers, columns::View, overview, text, watch},
};

use super::{Scene, put};

/// CPU, memory, swap and load.
pub(super) fn overview(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let mut x = 0;
    for figure in overview::host(&scene.snapshot.host) {
        let needed = figure.name.len() + 1 + text::width(&figure.text);
        if usize::from(x) + needed > usize::from(area.width) {
            break;
        }
        x = put(buffer, area, x, figure.name, theme.strong());
        let style = match figure.share {
            Some(share) if share >= 0.95 => theme.bad(),
            Some(share) if share >= 0.80 => theme.warning(),
            Some(_) => theme.good(),
            None => ratatui::style::Style::new(),
        };
        x = put(buffer, area, x + 1, &figure.text, style) + 3;
    }
}

/// Sources and cost, or that nothing comes any more.
pub(super) fn agent(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    match scene.stale {
        Some(seconds) => {
            let line = format!("no new cycle for {seconds} s");
            put(buffer, area, 0, &line, scene.theme.bad());
        }
        None => {
            let mut x = 0;
            for part in overview::agent(scene.snapshot) {
                if usize::from(x) + text::width(&part) > usize::from(area.width) {
                    break;
                }
                x = put(buffer, area, x, &part, scene.theme.faint()) + 2;
            }
        }
    }
}

/// What is missing and how to get it.
pub(super) fn notice(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    if let Some(notice) = scene.notice {
        let theme = scene.theme;
        let line = text::cut(notice, usize::from(area.width), theme.ellipsis());
        put(buffer, area, 0, &line, theme.warning());
    }
}

/// What cannot wait.
pub(super) fn alert(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let line = alert::line(scene.alerts, usize::from(area.width), theme.ellipsis());
    put(buffer, area, 0, &line, theme.bad());
}

/// What the parts of bars are, and whether times to first byte are watched.
pub(super) fn watch(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let Some(line) = scene.watch else {
        return;
    };
    let theme = scene.theme;
    let mut x = 0;
    if answers::watched(scene.snapshot) {
        for (part, name) in watch::legend(scene.state.view) {
            let (cell, style) = theme.part(*part);
            x = put(buffer, area, x, &cell.repeat(2), style) + 1;
            x = put(buffer, area, x, name, theme.strong()) + 2;
        }
        x += 1;
    }
    let room = usize::from(area.width.saturating_sub(x));
    let style = match scene.snapshot.own.response_time.state {
        ResponseState::Attached | ResponseState::Detached(Detached::NotWanted) => theme.faint(),
        ResponseState::Detached(_) => theme.warning(),
    };
    put(
        buffer,
        area,
        x,
        &text::cut(line, room, theme.ellipsis()),
        style,
    );
}

/// How much of each view's name is shown.
#[derive(Clone, Copy)]
enum Naming {
    Title,
    Short,
    /// Keys, and the short name of the current one.
    Keys,
}

impl Naming {
    fn tab(self, view: View, current: bool) -> String {
        let key = view.key();
        let table = view.table();
        match self {
            Self::Title => format!(" {key} {} ", table.title),
            Self::Short => format!("{key} {}", table.short),
            Self::Keys if current => format!("{key} {}", table.short),
            Self::Keys => key.to_string(),
        }
    }

    fn width(self, current: View) -> usize {
        let tabs = View::ALL.map(|view| self.tab(view, view == current).len() + 1);
        tabs.iter().sum()
    }
}

/// The views, and what narrows the list.
pub(super) fn tabs(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let state = scene.state;
    let shown = scene.rows.len();
    let mut right = Vec::new();
    if state.paused {
        right.push((String::from("PAUSED"), theme.warning()));
    }
    if !state.filter.is_empty() {
        right.push((format!("filter: {}", state.filter.text()), theme.warning()));
    }
    let at = if shown == 0 {
        0
    } else {
        state.place().cursor + 1
    };
    right.push((format!("{at}/{shown}"), theme.faint()));
    let needed: usize = right.iter().map(|(part, _)| text::width(part) + 2).sum();
    let room = usize::from(area.width).saturating_sub(needed);
    let namings = [Naming::Title, Naming::Short];
    let naming = namings
        .into_iter()
        .find(|naming| naming.width(state.view) <= room)
        .unwrap_or(Naming::Keys);
    let mut x = 0;
    for view in View::ALL {
        let current = view == state.view;
        let style = if current {
            theme.reverse().patch(theme.strong())
        } else {
            theme.faint()
        };
        x = put(buffer, area, x, &naming.tab(view, current), style) + 1;
    }
    let mut x = x.max(area.width.saturating_sub(needed as u16));
    for (part, style) in right {
        x = put(buffer, area, x, &part, style) + 2;
    }
}
