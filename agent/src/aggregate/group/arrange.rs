//! Once per cycle: book increments, end rows, weigh groups, give names to the heaviest.

use std::time::Duration;

use super::{Account, Group, GroupId, GroupKey, Groups, Place, Row};
use crate::aggregate::birth::{Birth, PATIENCE, View};

/// Time in which a weight falls to half without activity, seconds.
const HALF_LIFE: f64 = 60.0;
/// A folded group takes a live one's name if it is this much heavier …
const CLEARLY: f32 = 2.0;
/// … for this many cycles in a row.
const STREAK: u8 = 3;

type Weighed = (f32, GroupId);

impl<K, C> Group<K, C> {
    /// Moves the weight towards what was seen in this cycle: activity per second, what is held,
    /// and one for each member.
    fn weigh(&mut self, seconds: f32, keep: f32) {
        let score = self.activity / seconds + self.level + self.members as f32;
        self.weight = if self.weighed {
            self.weight * keep + score * (1.0 - keep)
        } else {
            score
        };
        self.weighed = true;
        self.activity = 0.0;
        self.level = 0.0;
    }
}

impl<A: Account> Row<A> {
    fn new(group: GroupId, view: &View) -> Self {
        Self {
            group,
            account: A::default(),
            cycle: A::Cycle::default(),
            birth: Birth::new(view),
            idle_since: None,
            lingering_since: None,
        }
    }

    /// Books what the cycle brought; whether a counter moved.
    fn book(&mut self, live: bool, view: &View) -> bool {
        self.birth.show(view);
        let moved = self.account.book(&mut self.cycle, view);
        if self.account.show(view) || moved {
            self.birth.change(view);
        }
        if live {
            self.idle_since = None;
        } else if moved || self.idle_since.is_none() {
            self.idle_since = Some(view.now);
        }
        moved
    }

    /// Has been shown for as long as it must be.
    fn over(&self, retention: Duration, view: &View) -> bool {
        let (since, stay) = match (self.lingering_since, self.idle_since) {
            (Some(since), _) => (since, Duration::ZERO),
            (None, Some(since)) => (since, retention),
            (None, None) => return false,
        };
        let shown = view.now.since(since);
        shown >= stay && (self.birth.settled(view) || shown >= stay.saturating_add(PATIENCE))
    }
}

/// What a look at all groups found.
#[derive(Default)]
struct Scan {
    new: Vec<GroupId>,
    /// May get a name, heaviest first.
    candidates: Vec<Weighed>,
    /// Named without members, lightest first.
    idle: Vec<Weighed>,
    /// Named with members, lightest first.
    live: Vec<Weighed>,
    live_groups: u64,
    members: u64,
}

impl<K: GroupKey, A: Account> Groups<K, A> {
    /// Ends the cycle: afterwards every group is named or folded and every increment is booked.
    pub fn arrange(&mut self, view: &View) {
        for row in &mut self.rows {
            let members = self.groups.get(row.group).map_or(0, |group| group.members);
            row.book(members > 0 && row.lingering_since.is_none(), view);
        }
        for index in (0..self.rows.len()).rev() {
            if self
                .rows
                .get(index)
                .is_some_and(|row| row.over(self.retention, view))
            {
                self.drop_row(index, view);
            }
        }
        self.departed.retain(|_, gone| !gone.absence_seen(view));
        let mut scan = self.scan(view);
        self.members = scan.members;
        self.name_heaviest(&mut scan, view);
        for id in scan.new {
            self.fold(id);
        }
        let named = self
            .rows
            .iter()
            .filter(|row| row.lingering_since.is_none() && row.idle_since.is_none());
        self.folded = scan.live_groups.saturating_sub(named.count() as u64);
        self.book_other(view);
    }

    fn scan(&mut self, view: &View) -> Scan {
        let seconds = view.seconds.max(1.0);
        let keep = (-seconds / HALF_LIFE).exp2() as f32;
        let seconds = seconds as f32;
        let mut scan = Scan::default();
        for row in &self.rows {
            let Some(group) = self.groups.get_mut(row.group) else {
                continue;
            };
            group.weigh(seconds, keep);
            match (row.lingering_since, row.idle_since) {
                (Some(_), _) => (),
                (None, None) => scan.live.push((group.weight, row.group)),
                (None, Some(_)) => scan.idle.push((group.weight, row.group)),
            }
        }
        scan.live.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        scan.idle.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let lightest_live = scan.live.first().map_or(f32::INFINITY, |least| least.0);
        let lightest_idle = scan.idle.first().map_or(f32::INFINITY, |least| least.0);
        let free = self.has_room(false);
        let mut empty: Vec<Weighed> = Vec::new();
        for (id, group) in self.groups.iter_mut() {
            scan.live_groups += u64::from(group.members > 0);
            scan.members += u64::from(group.members);
            match group.place {
                Place::Named(_) => continue,
                // Its row was weighed above.
                Place::Lingering(_) => (),
                Place::New(_) => scan.new.push(id),
                Place::Folded if group.members == 0 && group.activity == 0.0 => {
                    group.weigh(seconds, keep);
                    empty.push((group.weight, id));
                    continue;
                }
                Place::Folded => (),
            }
            if !matches!(group.place, Place::Lingering(_)) {
                group.weigh(seconds, keep);
            }
            group.streak = if group.weight >= CLEARLY * lightest_live {
                group.streak.saturating_add(1)
            } else {
                0
            };
            let wanted = free || group.weight > lightest_idle || group.streak >= STREAK;
            let barred = || group.key.reserved() || self.departed.contains_key(&group.key);
            if wanted && group.weight > 0.0 && !barred() {
                scan.candidates.push((group.weight, id));
            }
        }
        keep_heaviest(&mut scan.candidates, self.limit, |_| ());
        // A folded group whose members come and go keeps its weight, if it has much.
        let lightest = lightest_live.min(lightest_idle);
        let mut forgotten = Vec::new();
        empty.retain(|&(weight, id)| {
            let heavy = weight >= lightest;
            if !heavy {
                forgotten.push(id);
            }
            heavy
        });
        keep_heaviest(&mut empty, self.limit, |id| forgotten.push(id));
        for id in forgotten {
            self.forget(id);
        }
        scan
    }

    fn name_heaviest(&mut self, scan: &mut Scan, view: &View) {
        let mut idle = std::mem::take(&mut scan.idle).into_iter().peekable();
        let mut live = std::mem::take(&mut scan.live).into_iter().peekable();
        for &(weight, id) in &scan.candidates {
            let Some(group) = self.groups.get(id) else {
                continue;
            };
            let (lingers, streak) = (matches!(group.place, Place::Lingering(_)), group.streak);
            if !self.has_room(lingers) {
                let victim = idle.next_if(|least| weight > least.0).or_else(|| {
                    live.next_if(|least| streak >= STREAK && weight >= CLEARLY * least.0)
                });
                let Some((_, victim)) = victim else {
                    continue;
                };
                self.evict(victim, view);
                // An eviction moves rows, and may have ended the candidate's own.
                if !self.has_room(lingers) {
                    continue;
                }
            }
            self.name(id, view);
        }
    }

    /// Whether one more group can be named; one that `lingers` has a row already.
    fn has_room(&self, lingers: bool) -> bool {
        let named = self.rows.len() - self.lingering();
        named < self.limit - self.reserve && (lingers || self.rows.len() < self.limit)
    }

    fn lingering(&self) -> usize {
        let rows = self.rows.iter();
        rows.filter(|row| row.lingering_since.is_some()).count()
    }

    fn name(&mut self, id: GroupId, view: &View) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        group.streak = 0;
        let live = group.members > 0;
        let index = match group.place {
            Place::Named(_) => return,
            Place::Lingering(index) => index,
            Place::New(_) | Place::Folded => self.rows.len() as u32,
        };
        let place = std::mem::replace(&mut group.place, Place::Named(index));
        if let Place::Lingering(_) = place {
            if let Some(row) = self.rows.get_mut(index as usize) {
                row.lingering_since = None;
                row.idle_since = (!live).then_some(view.now);
            }
            return;
        }
        let mut row = Row::new(id, view);
        if let Place::New(Some(cycle)) = place {
            row.cycle = *cycle;
        }
        row.book(live, view);
        self.rows.push(row);
    }

    /// Takes the name of a group away: at once if nobody would miss it, else its row lingers as
    /// long as there is room for that.
    fn evict(&mut self, id: GroupId, view: &View) {
        let may_linger = self.lingering() < self.reserve.max(1);
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        let Place::Named(index) = group.place else {
            return;
        };
        let Some(row) = self.rows.get_mut(index as usize) else {
            return;
        };
        if row.birth.settled(view) {
            self.drop_row(index as usize, view);
        } else if may_linger {
            row.lingering_since = Some(view.now);
            group.place = Place::Lingering(index);
        } else {
            return;
        }
        self.evictions += 1;
    }

    fn fold(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        if !matches!(group.place, Place::New(_)) {
            return;
        }
        self.folds += 1;
        if let Place::New(Some(cycle)) = std::mem::replace(&mut group.place, Place::Folded) {
            A::merge(&mut self.other_cycle, *cycle);
        }
    }

    fn drop_row(&mut self, index: usize, view: &View) {
        let row = self.rows.swap_remove(index);
        if let Some(moved) = self.rows.get(index)
            && let Some(group) = self.groups.get_mut(moved.group)
            && let Place::Named(at) | Place::Lingering(at) = &mut group.place
        {
            *at = index as u32;
        }
        let Some(group) = self.groups.get_mut(row.group) else {
            return;
        };
        group.place = Place::Folded;
        self.departed.insert(group.key.clone(), Birth::new(view));
        if group.members == 0 {
            self.forget(row.group);
        }
    }

    fn forget(&mut self, id: GroupId) {
        if let Some(group) = self.groups.remove(id) {
            self.ids.remove(&group.key);
        }
    }

    fn book_other(&mut self, view: &View) {
        let known = self.other.is_some();
        let mut row = self
            .other
            .take()
            .unwrap_or_else(|| Row::new(GroupId::MAX, view));
        std::mem::swap(&mut row.cycle, &mut self.other_cycle);
        let live = self.other_is_live();
        let moved = row.book(live, view);
        std::mem::swap(&mut row.cycle, &mut self.other_cycle);
        self.other = (known || moved || live).then_some(row);
    }
}

/// Orders by weight, heaviest first, and hands everything beyond the `limit` heaviest to `rest`.
fn keep_heaviest(groups: &mut Vec<Weighed>, limit: usize, mut rest: impl FnMut(GroupId)) {
    if groups.len() > limit {
        groups.select_nth_unstable_by(limit, |a, b| b.0.total_cmp(&a.0));
        for (_, id) in groups.drain(limit..) {
            rest(id);
        }
    }
    groups.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
}
