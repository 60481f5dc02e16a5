//! The last guard against too many series: which label sets an exposition shows.
//!
//! Budgets keep the number of series low; this guard holds if they were set too high for the
//! scraper. It counts before anything is written, so all formats leave out the same label sets.

use std::collections::BTreeMap;

use super::classic;
use crate::{
    metric::{AreaVisitor, Exposed, Points, Row, visit_areas},
    model::Histogram,
};

/// Lines of a histogram in the text formats: buckets, `+Inf`, sum and count.
const HISTOGRAM_SERIES: usize = classic::COUNT + 3;

/// What an exposition shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Indices of the rows shown, ascending, by area in the order of [`visit_areas`].
    pub(super) rows: Vec<Vec<usize>>,
    /// Series shown.
    pub(super) series: usize,
    /// Series left out.
    pub(super) series_dropped: usize,
    /// Rows left out.
    pub(super) rows_dropped: usize,
}

/// One row and what it would add.
struct Wish {
    area: usize,
    class: u8,
    row: usize,
    series: usize,
    /// The agent's own rows and the sums of what is beyond the budgets stay whatever the limit.
    always: bool,
}

/// Rows that are weighed against each other: one area, one class.
#[derive(Default)]
struct Group {
    wanted: usize,
    shown: usize,
    full: bool,
}

/// Chooses the label sets within `limit` series. Each group of rows gets a share in proportion to
/// what it has, and spends it on its heaviest rows, which come first.
pub(super) fn plan(exposed: Exposed<'_>, limit: usize) -> Plan {
    let mut list = List {
        exposed,
        areas: 0,
        wishes: Vec::new(),
    };
    visit_areas(&mut list);

    let mut groups: BTreeMap<(usize, u8), Group> = BTreeMap::new();
    let mut room = limit;
    let mut wanted = 0;
    for wish in &list.wishes {
        if wish.always {
            room = room.saturating_sub(wish.series);
        } else {
            wanted += wish.series;
            groups.entry((wish.area, wish.class)).or_default().wanted += wish.series;
        }
    }

    let mut plan = Plan {
        rows: vec![Vec::new(); list.areas],
        ..Plan::default()
    };
    for wish in list.wishes {
        let group = groups.entry((wish.area, wish.class)).or_default();
        let share = match wanted {
            0 => 0,
            _ => group.wanted.min(group.wanted.saturating_mul(room) / wanted),
        };
        if !wish.always {
            group.full |= group.shown + wish.series > share;
            group.shown += wish.series;
        }
        if wish.always || !group.full {
            plan.series += wish.series;
            if let Some(rows) = plan.rows.get_mut(wish.area) {
                rows.push(wish.row);
            }
        } else {
            plan.series_dropped += wish.series;
            plan.rows_dropped += 1;
        }
    }
    plan
}

/// Lists the wishes of all areas.
struct List<'a> {
    exposed: Exposed<'a>,
    areas: usize,
    wishes: Vec<Wish>,
}

impl AreaVisitor for List<'_> {
    fn area<R: Row>(&mut self) {
        for (index, row) in R::rows(self.exposed).iter().enumerate() {
            let mut series = Series(0);
            for family in R::FAMILIES {
                (family.fill)(row, &mut series);
            }
            self.wishes.push(Wish {
                area: self.areas,
                class: row.class(),
                row: index,
                series: series.0,
                always: row.folded() || R::LABELS.is_empty(),
            });
        }
        self.areas += 1;
    }
}

/// Counts series.
struct Series(usize);

impl Points for Series {
    fn gauge(&mut self, _: &[&str], value: f64) {
        self.0 += usize::from(value.is_finite());
    }
    fn count(&mut self, _: &[&str], _: u64, _: bool) {
        self.0 += 1;
    }
    fn counter(&mut self, _: &[&str], value: f64, _: bool) {
        self.0 += usize::from(value.is_finite());
    }
    fn histogram(&mut self, _: &[&str], _: &Histogram, _: bool) {
        self.0 += HISTOGRAM_SERIES;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{any::TypeId, marker::PhantomData};

    use super::*;
    use crate::{
        metric::fixture::{self, door::Sizes},
        model::{
            ExitReason, ListenerRow, OwnStats, PeerRow, ProcessRow, ServerStats, ServiceRow,
            Snapshot, budget,
        },
    };

    /// What is named by default.
    const BUDGETS: Sizes = Sizes {
        listeners: budget::LISTENERS,
        services: budget::SERVICES,
        failures: budget::FAILURES,
        refused: budget::REFUSED,
        upstreams: budget::UPSTREAMS,
        ports: budget::PORT_USES,
        disks: budget::DISKS,
        disk_services: budget::DISK_SERVICES,
        disk_processes: budget::DISK_PROCESSES,
        limits: budget::LIMITS,
        interfaces: budget::INTERFACES,
        pressures: budget::SERVICE_PRESSURES,
        fds: budget::FD_TYPES,
        askers: budget::ASKERS,
        filesystems: budget::FILESYSTEMS,
    };

    /// Which area has rows of this kind.
    fn position<Wanted: Row>() -> usize {
        struct Find<Wanted> {
            next: usize,
            found: Option<usize>,
            wanted: PhantomData<Wanted>,
        }
        impl<Wanted: Row> AreaVisitor for Find<Wanted> {
            fn area<R: Row>(&mut self) {
                if TypeId::of::<R>() == TypeId::of::<Wanted>() {
                    self.found = Some(self.next);
                }
                self.next += 1;
            }
        }
        let mut find = Find {
            next: 0,
            found: None,
            wanted: PhantomData::<Wanted>,
        };
        visit_areas(&mut find);
        find.found.unwrap()
    }

    #[test]
    fn nothing_is_left_out_below_the_limit() {
        let (snapshot, server) = (fixture::wide(30, 20), fixture::server());
        let exposed = Exposed {
            snapshot: &snapshot,
            server: &server,
        };
        let all = plan(exposed, usize::MAX);
        assert_eq!((all.rows_dropped, all.series_dropped), (0, 0));
        assert_eq!(all.rows[0], (0..30).collect::<Vec<_>>());
        assert_eq!(plan(exposed, all.series), all);
    }

    #[test]
    fn the_lightest_of_every_group_are_left_out_whole() {
        let mut snapshot = fixture::wide(40, 20);
        // Both directions, then the sums of what is beyond the budget, as in a real snapshot.
        snapshot.peers.sort_by_key(|row| row.key.direction());
        snapshot.peers.extend(fixture::small().peers.pop());
        let snapshot = Snapshot {
            peers: snapshot.peers,
            processes: snapshot.processes,
            ..Snapshot::empty(1, snapshot.at)
        };
        let server = fixture::server();
        let exposed = Exposed {
            snapshot: &snapshot,
            server: &server,
        };
        let all = plan(exposed, usize::MAX);
        let limit = all.series / 2;
        let half = plan(exposed, limit);
        assert!(half.series <= limit && half.series > limit * 9 / 10);
        assert_eq!(half.series + half.series_dropped, all.series);
        let rows = |area: usize| half.rows[area].as_slice();
        let processes = position::<ProcessRow>();
        let shown = rows(0).len() + rows(processes).len();
        assert_eq!(half.rows_dropped, 41 + 20 - shown);
        for (first, group) in [(0, 0..20), (20, 20..40)] {
            let shown: Vec<_> = rows(0)
                .iter()
                .copied()
                .filter(|row| group.contains(row))
                .collect();
            assert!(shown.len() > 5, "{shown:?}");
            assert_eq!(shown, (first..first + shown.len()).collect::<Vec<_>>());
        }
        assert!(rows(0).contains(&40), "the folded row stays");
        assert!(rows(processes).len() > 5 && rows(processes)[0] == 0);
        assert_eq!(rows(position::<OwnStats>()), [0]);
        assert_eq!(rows(position::<ServerStats>()), [0]);
    }

    #[test]
    fn a_limit_of_nothing_leaves_the_agent_itself() {
        let (snapshot, server) = (fixture::wide(3, 3), fixture::server());
        let exposed = Exposed {
            snapshot: &snapshot,
            server: &server,
        };
        let least = plan(exposed, 0);
        let all = plan(exposed, usize::MAX);
        let rows = |rows: &[Vec<usize>]| rows.iter().map(Vec::len).sum::<usize>();
        assert_eq!(least.rows_dropped, rows(&all.rows) - rows(&least.rows));
        // Listeners and both directions of services: the sums of what is beyond the budget.
        assert_eq!(least.rows[position::<ListenerRow>()], [4]);
        assert_eq!(least.rows[position::<ServiceRow>()], [2, 5]);
        assert!(least.rows[position::<PeerRow>()].is_empty());
        assert!(least.rows[position::<ProcessRow>()].is_empty());
        assert_eq!(least.rows[position::<OwnStats>()], [0]);
        assert_eq!(least.rows[position::<ServerStats>()], [0]);
    }

    /// Budgets by default, all of them used up at once, each value present.
    #[test]
    fn everything_full_at_once_stays_within_the_limit() {
        let server = fixture::server();
        let full = |askers, disk_processes, watched: bool| {
            let sizes = Sizes {
                askers,
                disk_processes,
                ..BUDGETS
            };
            let mut snapshot = fixture::door::full(fixture::wide(202, 301), &sizes);
            snapshot.swap = fixture::swap::full(budget::SWAPPERS);
            snapshot = if watched {
                fixture::response::full(snapshot, budget::RESPONSES, budget::LISTENER_TURNS)
            } else {
                fixture::response::none(snapshot)
            };
            for row in &mut snapshot.processes {
                let reason = |signal| (ExitReason::Signal(signal), 1, false);
                let reasons = 0..=budget::EXIT_REASONS as u8;
                row.exited = Some(reasons.map(reason).collect());
            }
            let exposed = Exposed {
                snapshot: &snapshot,
                server: &server,
            };
            plan(exposed, usize::MAX).series
        };
        let by_default = full(0, 0, false);
        assert!(by_default > 20_000, "{by_default} series");
        let with_all = full(BUDGETS.askers, BUDGETS.disk_processes, true);
        // A host has more sources, programs and maps to tell of than the fixture.
        assert!(
            with_all <= 25_000 - 350,
            "{by_default}, {with_all} with all that can be asked for"
        );
    }
}
