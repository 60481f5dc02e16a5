//! The interactive loop: keys and snapshots in, frames out.

use std::{
    io::{self, IsTerminal, stdout},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use crossterm::event::Event;
use ratatui::layout::Rect;

use crate::{model::Snapshot, request::ResponseRequest};

use super::{
    Feed,
    alert::alerts,
    history::History,
    input::Input,
    keys::{self, Action},
    notice::{Cure, notice},
    options::TopOptions,
    rows,
    state::State,
    terminal::{Ending, Screen},
    theme::Theme,
    view::{self, Areas, Parts, Scene},
    watch,
};

/// How long a key or a new snapshot may wait to be seen.
const TICK: Duration = Duration::from_millis(100);
/// After this a first cycle is called slow.
const SLOW_START: Duration = Duration::from_secs(5);

/// Runs until the user leaves.
pub fn run(
    options: &TopOptions,
    feed: &mut dyn Feed,
    request: &ResponseRequest,
) -> anyhow::Result<()> {
    if !stdout().is_terminal() {
        bail!("standard output is no terminal: use --batch or --json");
    }
    let mut app = App::new(options, request.clone())?;
    let ending = Ending::on_signals()?;
    let mut screen = Screen::take(&ending)?;
    let input = Input::start()?;
    let result = app.run(feed, &input, &mut screen, &ending);
    drop(screen);
    match result {
        _ if ending.panicked() => bail!("a thread of hostlens panicked, see above"),
        // The terminal was closed: there is nobody to tell.
        Err(_) if ending.signalled() => Ok(()),
        other => other.context("terminal"),
    }
}

struct App {
    state: State,
    /// Where times to first byte are asked for.
    request: ResponseRequest,
    history: History,
    theme: Theme,
    cure: Cure,
    /// The newest snapshot with rates.
    newest: Option<Arc<Snapshot>>,
    /// The one shown; it lags behind while paused.
    shown: Option<Arc<Snapshot>>,
    started: Instant,
    arrived: Instant,
    interval: Duration,
    /// Cycles still to be shown.
    remaining: Option<u64>,
    /// The screen shows something else than it should.
    dirty: bool,
}

impl App {
    fn new(options: &TopOptions, request: ResponseRequest) -> anyhow::Result<Self> {
        Ok(Self {
            request,
            state: State::new(options)?,
            history: History::new(options.interval),
            theme: Theme::from_env(),
            cure: Cure::here(),
            newest: None,
            shown: None,
            started: Instant::now(),
            arrived: Instant::now(),
            interval: options.interval,
            remaining: options.iterations,
            dirty: true,
        })
    }

    fn run(
        &mut self,
        feed: &dyn Feed,
        input: &Input,
        screen: &mut Screen,
        ending: &Ending,
    ) -> io::Result<()> {
        while !self.state.quit && !ending.signalled() && !ending.panicked() {
            if ending.continued() {
                screen.retake()?;
                self.dirty = true;
            }
            self.receive(feed);
            if self.remaining == Some(0) {
                break;
            }
            if self.dirty {
                self.draw(screen)?;
                self.dirty = false;
            }
            // Keys that came in together cost one frame.
            for event in input.wait(TICK)? {
                self.handle(event, screen)?;
                if self.state.quit {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes the newest snapshot, if there is one with rates.
    fn receive(&mut self, feed: &dyn Feed) {
        let last = self.newest.as_ref().map_or(0, |snapshot| snapshot.sequence);
        let newer = feed
            .latest()
            .filter(|snapshot| snapshot.sequence > last && !snapshot.interval.is_zero());
        if let Some(snapshot) = newer {
            if self.newest.is_some() {
                self.remaining = self.remaining.map(|left| left.saturating_sub(1));
            }
            let followed = self.state.place().followed.as_ref();
            self.history.observe(&snapshot, followed);
            self.arrived = Instant::now();
            self.newest = Some(snapshot);
            self.dirty = true;
        } else if self.stale().is_some() || self.newest.is_none() {
            self.dirty = true;
        }
        if !self.state.paused || self.shown.is_none() {
            self.shown.clone_from(&self.newest);
        }
    }

    /// Seconds without a cycle, from three missed ones on.
    fn stale(&self) -> Option<u64> {
        let waited = self.arrived.elapsed();
        let due = self.interval * 3 + Duration::from_secs(2);
        (self.newest.is_some() && waited > due).then_some(waited.as_secs())
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        let Some(snapshot) = self.shown.clone() else {
            let slow = self.started.elapsed() > SLOW_START;
            let theme = self.theme;
            return screen.draw(|frame| view::draw_waiting(frame, theme, slow));
        };
        let notice = notice(&snapshot.own, self.cure);
        let alerts = alerts(&snapshot);
        let watch = watch::line(&snapshot, self.state.watching);
        let parts = Parts::new(&self.state, &snapshot, notice.is_some(), !alerts.is_empty());
        let rows = rows::build(&snapshot, &self.state.query());
        let stale = self.stale();
        screen.draw(|frame| {
            let areas = Areas::new(frame.area(), parts);
            self.state.settle(&rows, areas.page());
            let overflow = view::help_overflow(self.state.view, frame.area().height);
            self.state.limit_help(overflow);
            let scene = Scene {
                state: &self.state,
                snapshot: &snapshot,
                rows: &rows,
                history: &self.history,
                notice: notice.as_deref(),
                alerts: &alerts,
                watch: watch.as_deref(),
                stale,
                theme: self.theme,
            };
            view::draw(frame, &scene);
        })
    }

    fn handle(&mut self, event: Event, screen: &mut Screen) -> io::Result<()> {
        self.dirty = true;
        let Event::Key(key) = event else {
            return Ok(());
        };
        match keys::action(&self.state.mode, key) {
            Some(Action::Suspend) => screen.suspend()?,
            Some(Action::Redraw) => screen.clear()?,
            Some(action) => self.apply(action, screen.size()?),
            None => {}
        }
        Ok(())
    }

    fn apply(&mut self, action: Action, (width, height): (u16, u16)) {
        let Some(snapshot) = self.shown.clone() else {
            self.state.apply(action, &[], 0);
            self.request.look(self.state.watching);
            return;
        };
        let rows = rows::build(&snapshot, &self.state.query());
        let notice = notice(&snapshot.own, self.cure);
        let alerts = alerts(&snapshot);
        let parts = Parts::new(&self.state, &snapshot, notice.is_some(), !alerts.is_empty());
        let page = Areas::new(Rect::new(0, 0, width, height), parts).page();
        // What was typed since the last frame may have changed the list.
        self.state.settle(&rows, page);
        self.state.apply(action, &rows, page);
        self.request.look(self.state.watching);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Nobody looks any more.
        self.request.look(false);
    }
}
