//! The screen: where each part goes. Rendering reads state and rows, it changes nothing.

mod detail;
mod footer;
mod header;
mod overlay;
mod table;

pub use overlay::help_overflow;
use ratatui::{Frame, buffer::Buffer, layout::Rect, style::Style};

use crate::model::Snapshot;

use super::{
    alert::Alert,
    history::History,
    layout::{Slot, fit},
    rows::Row,
    state::{Mode, State},
    text,
    theme::Theme,
    value::Value,
    watch, words,
};

/// Everything a frame shows.
pub struct Scene<'a> {
    /// What the user selected.
    pub state: &'a State,
    /// The snapshot shown.
    pub snapshot: &'a Snapshot,
    /// Its lines.
    pub rows: &'a [Row<'a>],
    /// The past of the lines.
    pub history: &'a History,
    /// What is missing.
    pub notice: Option<&'a str>,
    /// What cannot wait.
    pub alerts: &'a [Alert],
    /// Whether times to first byte are watched, where that is worth a word.
    pub watch: Option<&'a str>,
    /// Seconds without a new cycle, once that is worth a word.
    pub stale: Option<u64>,
    /// Colours and characters.
    pub theme: Theme,
}

impl Scene<'_> {
    /// The columns shown and their places in `width` cells.
    fn slots(&self, width: u16) -> Vec<Slot> {
        let filled = |value: Value<'_>| value != Value::Blank;
        fit(
            self.state.view.table().columns,
            width,
            self.state.place().sort,
            |column| {
                let mut rows = self.rows.iter();
                !column.optional || rows.any(|row| filled((column.value)(row.item)))
            },
        )
    }

    /// The parts this scene has.
    pub fn parts(&self) -> Parts {
        Parts::new(
            self.state,
            self.snapshot,
            self.notice.is_some(),
            !self.alerts.is_empty(),
        )
    }
}

/// Parts that are not always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    notice: bool,
    alert: bool,
    watch: bool,
    words: bool,
}

impl Parts {
    /// Those of the current view, with these lines above it.
    pub fn new(state: &State, snapshot: &Snapshot, notice: bool, alert: bool) -> Self {
        let view = state.view;
        Self {
            notice,
            alert,
            watch: watch::shows(view) && watch::line(snapshot, state.watching).is_some(),
            words: words::spoken(view, snapshot),
        }
    }
}

/// Where each part goes; parts without room are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    overview: Rect,
    agent: Rect,
    notice: Rect,
    alert: Rect,
    tabs: Rect,
    watch: Rect,
    titles: Rect,
    /// The lines.
    pub rows: Rect,
    words: Rect,
    detail: Rect,
    footer: Rect,
}

impl Areas {
    /// Shares out the screen. A low screen keeps list and column titles and loses the rest, the
    /// least needed first.
    pub fn new(area: Rect, parts: Parts) -> Self {
        let mut spare = area.height.saturating_sub(2 + 3);
        let mut take = |wanted: bool| {
            let height = u16::from(wanted && spare > 0);
            spare -= height;
            height
        };
        let tabs = take(true);
        let footer = take(true);
        let alert = take(parts.alert);
        let watch = take(parts.watch);
        let notice = take(parts.notice);
        let overview = take(true);
        let agent = take(true);
        let detail = take(area.height >= 12);
        // On a wide screen two lines hold what a narrow one needs three for.
        let lines = if (area.width < 120 || parts.watch) && area.height >= 20 {
            3
        } else {
            2
        };
        let words = lines * take(parts.words && area.height >= 16);
        let titles = u16::from(area.height > 1);
        let heights = [overview, agent, notice, alert, tabs, watch, titles];
        let above: u16 = heights.iter().sum();
        let rows = area.height.saturating_sub(above + words + detail + footer);
        let mut y = area.y;
        let mut strip = |height| {
            let strip = Rect { y, height, ..area };
            y += height;
            strip
        };
        Self {
            overview: strip(overview),
            agent: strip(agent),
            notice: strip(notice),
            alert: strip(alert),
            tabs: strip(tabs),
            watch: strip(watch),
            titles: strip(titles),
            rows: strip(rows),
            words: strip(words),
            detail: strip(detail),
            footer: strip(footer),
        }
    }

    /// Lines that fit.
    pub fn page(&self) -> usize {
        usize::from(self.rows.height)
    }
}

/// Draws a frame.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let areas = Areas::new(frame.area(), scene.parts());
    let buffer = frame.buffer_mut();
    header::overview(buffer, areas.overview, scene);
    header::agent(buffer, areas.agent, scene);
    header::notice(buffer, areas.notice, scene);
    header::alert(buffer, areas.alert, scene);
    header::tabs(buffer, areas.tabs, scene);
    header::watch(buffer, areas.watch, scene);
    let mut list = areas.titles.union(areas.rows);
    if let Mode::Sort { at } = scene.state.mode {
        let menu = Rect {
            width: overlay::MENU.min(list.width),
            ..list
        };
        overlay::sort(buffer, menu, scene, at);
        list.x += menu.width;
        list.width -= menu.width;
    }
    table::titles(buffer, list.intersection(areas.titles), scene);
    table::rows(buffer, list.intersection(areas.rows), scene);
    detail::words(buffer, areas.words, scene);
    detail::draw(buffer, areas.detail, scene);
    footer::draw(buffer, areas.footer, scene);
    if let Mode::Help { scroll } = scene.state.mode {
        overlay::help(buffer, scene, scroll);
    }
}

/// Draws what is to be seen before the first rates are known.
pub fn draw_waiting(frame: &mut Frame<'_>, theme: Theme, waited_long: bool) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    let line = if waited_long {
        "sampling: the first cycle takes long (q quits)"
    } else {
        "sampling: first figures in about a second (q quits)"
    };
    let y = area.y + area.height / 2;
    let x = area.x + area.width.saturating_sub(text::width(line) as u16) / 2;
    put(
        buffer,
        Rect::new(x, y, area.width, 1),
        0,
        line,
        theme.faint(),
    );
}

/// Writes text into the first line of `area`, `x` cells from its left, and says where it ended.
/// Whatever lies outside is left out.
fn put(buffer: &mut Buffer, area: Rect, x: u16, content: &str, style: Style) -> u16 {
    let area = area.intersection(buffer.area);
    if area.is_empty() || x >= area.width {
        return x;
    }
    let room = usize::from(area.width - x);
    let (end, _) = buffer.set_stringn(area.x + x, area.y, content, room, style);
    end - area.x
}
