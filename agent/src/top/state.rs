//! What the user has selected, sorted by, filtered for and opened. Pure: keys in, state out.

use std::collections::HashSet;

use super::{
    columns::View,
    filter::Filter,
    item::{Item, RowKey},
    keys::Action,
    options::TopOptions,
    rows::{Query, Row, group_of},
};

/// What keys mean at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Moving through the list.
    List,
    /// Typing a filter; Esc goes back to the one before.
    Filter {
        /// The filter before.
        before: Filter,
    },
    /// Choosing the column to sort by.
    Sort {
        /// Position in the menu.
        at: usize,
    },
    /// Reading help.
    Help {
        /// First line shown.
        scroll: u16,
    },
}

/// Order and position of one view.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Position of the column sorted by.
    pub sort: usize,
    /// Largest first.
    pub descending: bool,
    /// The line the user went to; it is followed when it moves. `None`: the first line, whatever
    /// it is.
    pub followed: Option<RowKey>,
    /// Position of the selected line.
    pub cursor: usize,
    /// First line on the screen.
    pub top: usize,
}

/// The state of the screen.
#[derive(Clone, Debug)]
pub struct State {
    /// Current view.
    pub view: View,
    /// By [`View::index`].
    places: [Place; View::ALL.len()],
    /// Which lines are shown.
    pub filter: Filter,
    /// What keys mean.
    pub mode: Mode,
    /// The lines stand still.
    pub paused: bool,
    /// Groups whose members are shown.
    pub expanded: HashSet<RowKey>,
    /// Times to first byte are asked for.
    pub watching: bool,
    /// The user wants to leave.
    pub quit: bool,
}

impl State {
    /// The state that the command line asks for.
    ///
    /// # Errors
    /// When the column to sort by does not exist.
    pub fn new(options: &TopOptions) -> anyhow::Result<Self> {
        let places = View::ALL.map(|view| {
            let table = view.table();
            Place {
                sort: table.position(table.sort).unwrap_or(0),
                descending: true,
                ..Place::default()
            }
        });
        let mut state = Self {
            view: options.view,
            places,
            filter: options.filter(),
            mode: Mode::List,
            paused: false,
            expanded: HashSet::new(),
            watching: false,
            quit: false,
        };
        let (sort, descending) = options.sorting()?;
        let place = state.place_mut();
        place.sort = sort;
        place.descending = descending;
        Ok(state)
    }

    /// Order and position in the current view.
    pub fn place(&self) -> &Place {
        &self.places[self.view.index()]
    }

    fn place_mut(&mut self) -> &mut Place {
        &mut self.places[self.view.index()]
    }

    /// What to ask of a snapshot.
    pub fn query(&self) -> Query<'_> {
        Query {
            view: self.view,
            sort: self.place().sort,
            descending: self.place().descending,
            filter: &self.filter,
            expanded: &self.expanded,
        }
    }

    /// Fits selection and scroll position to the lines there are, `page` of which are visible.
    pub fn settle(&mut self, rows: &[Row<'_>], page: usize) {
        let place = self.place_mut();
        if let Some(key) = &place.followed {
            let here = rows.get(place.cursor).map(|row| row.item.key());
            if here.as_ref() != Some(key) {
                let found = rows.iter().position(|row| row.item.key() == *key);
                place.cursor = found.unwrap_or(place.cursor);
            }
        } else {
            place.cursor = 0;
        }
        place.cursor = place.cursor.min(rows.len().saturating_sub(1));
        let page = page.max(1);
        let last_top = rows.len().saturating_sub(page);
        let lowest = (place.cursor + 1).saturating_sub(page);
        place.top = place
            .top
            .clamp(lowest, place.cursor.max(lowest))
            .min(last_top);
    }

    /// Keeps help from being scrolled past its end.
    pub fn limit_help(&mut self, last: u16) {
        if let Mode::Help { scroll } = &mut self.mode {
            *scroll = (*scroll).min(last);
        }
    }

    /// Does what a key asks, given the lines it was pressed on and how many fit on the screen.
    pub fn apply(&mut self, action: Action, rows: &[Row<'_>], page: usize) {
        match action {
            Action::Quit => self.quit = true,
            Action::Help => self.mode = Mode::Help { scroll: 0 },
            Action::Close => self.close(),
            Action::View(at) => self.go_to(at),
            Action::NextView => self.go_to((self.view.index() + 1) % View::ALL.len()),
            Action::PreviousView => {
                self.go_to((self.view.index() + View::ALL.len() - 1) % View::ALL.len());
            }
            Action::Move(by) => self.go(by, rows),
            Action::Page(by) => self.go(by.saturating_mul(page.max(1) as isize), rows),
            Action::Home => self.go(isize::MIN, rows),
            Action::End => self.go(isize::MAX, rows),
            Action::Filter => {
                self.mode = Mode::Filter {
                    before: self.filter.clone(),
                }
            }
            Action::Type(letter) => self.retype(|text| text.push(letter)),
            Action::Erase => self.retype(|text| {
                text.pop();
            }),
            Action::EraseAll => self.retype(String::clear),
            Action::SortMenu => {
                self.mode = Mode::Sort {
                    at: self.place().sort,
                }
            }
            Action::SortStep(by) => {
                let columns = self.view.table().columns.len();
                self.sort_by(shifted(self.place().sort, by, columns));
            }
            Action::SortBy(id) => {
                if let Some(at) = self.view.table().position(id) {
                    self.sort_by(at);
                }
            }
            Action::Accept => {
                if let Mode::Sort { at } = self.mode {
                    self.sort_by(at);
                }
                self.mode = Mode::List;
            }
            Action::Invert => self.place_mut().descending ^= true,
            Action::Pause => self.paused ^= true,
            Action::Expand => self.expand(rows),
            Action::Watch => self.watch(),
            // The terminal's business.
            Action::Redraw | Action::Suspend => {}
        }
    }

    fn close(&mut self) {
        match std::mem::replace(&mut self.mode, Mode::List) {
            Mode::Filter { before } => self.filter = before,
            Mode::List => self.filter = Filter::default(),
            Mode::Sort { .. } | Mode::Help { .. } => {}
        }
    }

    fn go_to(&mut self, at: usize) {
        if let Some(view) = View::ALL.get(at) {
            self.view = *view;
        }
    }

    /// Moves in the list, in the sort menu or in the help text.
    fn go(&mut self, by: isize, rows: &[Row<'_>]) {
        let columns = self.view.table().columns.len();
        match &mut self.mode {
            Mode::Sort { at } => *at = at.saturating_add_signed(by).min(columns.saturating_sub(1)),
            Mode::Help { scroll } => {
                let by = by.clamp(-999, 999) as i16;
                *scroll = scroll.saturating_add_signed(by);
            }
            Mode::List | Mode::Filter { .. } => {
                let last = rows.len().saturating_sub(1);
                let place = self.place_mut();
                place.cursor = place.cursor.saturating_add_signed(by).min(last);
                let key = rows.get(place.cursor).map(|row| row.item.key());
                place.followed = key.filter(|_| place.cursor > 0);
            }
        }
    }

    fn retype(&mut self, change: impl FnOnce(&mut String)) {
        let mut text = self.filter.text().to_owned();
        change(&mut text);
        self.filter = Filter::new(text);
    }

    fn sort_by(&mut self, at: usize) {
        let Some(column) = self.view.table().columns.get(at) else {
            return;
        };
        let place = self.place_mut();
        place.sort = at;
        place.descending = column.descending_first();
    }

    /// Turns watching on or off. The slowest answers come first then, unless another order was
    /// chosen.
    fn watch(&mut self) {
        self.watching ^= true;
        for (view, column) in [(View::Peers, "resp95"), (View::Listeners, "where95")] {
            let table = view.table();
            let (Some(usual), Some(slowest)) = (table.position(table.sort), table.position(column))
            else {
                continue;
            };
            let place = &mut self.places[view.index()];
            let (from, to) = if self.watching {
                (usual, slowest)
            } else {
                (slowest, usual)
            };
            if place.sort == from && place.descending {
                place.sort = to;
            }
        }
    }

    /// Opens or closes the selected group; a member closes the group it belongs to.
    fn expand(&mut self, rows: &[Row<'_>]) {
        let Some(row) = rows.get(self.place().cursor) else {
            return;
        };
        let group = match row.item {
            Item::Process(_) => row.item.key(),
            Item::Member(member, _) => group_of(member),
            _ => return,
        };
        if self.expanded.remove(&group) {
            let at = rows.iter().position(|row| row.item.key() == group);
            let place = self.place_mut();
            place.cursor = at.unwrap_or(place.cursor);
            place.followed = (place.cursor > 0).then_some(group);
        } else {
            self.place_mut().followed = Some(group.clone());
            self.expanded.insert(group);
        }
    }
}

fn shifted(at: usize, by: isize, length: usize) -> usize {
    let length = length.max(1) as isize;
    (at as isize + by).rem_euclid(length) as usize
}
