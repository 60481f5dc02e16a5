//! A screen without a terminal: keys in, text out.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use crate::{
    model::Snapshot,
    top::{
        alert::alerts,
        columns::View,
        history::History,
        keys,
        notice::{Cure, notice},
        options::TopOptions,
        rows,
        state::State,
        theme::Theme,
        view::{self, Areas, Parts, Scene},
        watch,
    },
};

/// Options as the command line gives them without flags.
pub fn options() -> TopOptions {
    TopOptions {
        view: View::Processes,
        sort: None,
        interval: std::time::Duration::from_secs(2),
        filter: String::new(),
        batch: false,
        json: false,
        iterations: None,
    }
}

pub struct Session {
    pub state: State,
    pub theme: Theme,
    snapshot: Snapshot,
    history: History,
    width: u16,
    height: u16,
}

impl Session {
    pub fn new(snapshot: Snapshot, width: u16, height: u16) -> Self {
        let options = options();
        let mut history = History::new(options.interval);
        // What is large is tested for its size, not for its past.
        let cycles = if snapshot.processes.len() < 1000 {
            40
        } else {
            1
        };
        for earlier in 1..=cycles {
            let mut past = snapshot.clone();
            past.sequence = earlier;
            for row in &mut past.processes {
                row.rates.cpu *= f64::from((earlier % 8) as u32) / 4.0;
            }
            history.observe(&past, None);
        }
        Self {
            state: State::new(&options).unwrap(),
            theme: Theme {
                color: true,
                unicode: true,
            },
            snapshot,
            history,
            width,
            height,
        }
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        (self.width, self.height) = (width, height);
    }

    pub fn show(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
    }

    pub fn press(&mut self, code: KeyCode) {
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        let Some(action) = keys::action(&self.state.mode, key) else {
            return;
        };
        let rows = rows::build(&self.snapshot, &self.state.query());
        let area = ratatui::layout::Rect::new(0, 0, self.width, self.height);
        let page = Areas::new(area, self.parts()).page();
        self.state.settle(&rows, page);
        self.state.apply(action, &rows, page);
    }

    fn parts(&self) -> Parts {
        let notice = notice(&self.snapshot.own, Cure::Root);
        let alerts = alerts(&self.snapshot);
        Parts::new(
            &self.state,
            &self.snapshot,
            notice.is_some(),
            !alerts.is_empty(),
        )
    }

    pub fn keys(&mut self, letters: &str) {
        for letter in letters.chars() {
            self.press(KeyCode::Char(letter));
        }
    }

    /// First text cell of each line, as listed.
    pub fn names(&self) -> Vec<String> {
        let rows = rows::build(&self.snapshot, &self.state.query());
        let column = &self.state.view.table().columns[0];
        let name = |row: &rows::Row<'_>| (column.value)(row.item).show(column.unit).into_owned();
        rows.iter().map(name).collect()
    }

    /// Name of the selected line.
    pub fn selected(&mut self) -> String {
        let rows = rows::build(&self.snapshot, &self.state.query());
        self.state.settle(&rows, 10);
        self.names()[self.state.place().cursor].clone()
    }

    pub fn buffer(&mut self) -> Buffer {
        let rows = rows::build(&self.snapshot, &self.state.query());
        let notice = notice(&self.snapshot.own, Cure::Root);
        let alerts = alerts(&self.snapshot);
        let watch = watch::line(&self.snapshot, self.state.watching);
        let parts = self.parts();
        let backend = TestBackend::new(self.width, self.height);
        let mut terminal = Terminal::new(backend).unwrap();
        let state = &mut self.state;
        let frame = terminal.draw(|frame| {
            let areas = Areas::new(frame.area(), parts);
            state.settle(&rows, areas.page());
            state.limit_help(view::help_overflow(state.view, frame.area().height));
            let scene = Scene {
                state,
                snapshot: &self.snapshot,
                rows: &rows,
                history: &self.history,
                notice: notice.as_deref(),
                alerts: &alerts,
                watch: watch.as_deref(),
                stale: None,
                theme: self.theme,
            };
            view::draw(frame, &scene);
        });
        frame.unwrap().buffer.clone()
    }

    /// The screen as text, spaces at the ends of lines left out.
    pub fn text(&mut self) -> String {
        text(&self.buffer())
    }
}

pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if covered > 0 {
                // The second half of a wide character.
                covered -= 1;
                continue;
            }
            covered = crate::top::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
