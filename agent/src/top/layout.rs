//! Which columns fit, and where.

use super::columns::{Column, Width};

/// A column on the screen.
#[derive(Clone, Copy)]
pub struct Slot {
    /// Its position in the table.
    pub index: usize,
    /// Left edge, in cells.
    pub x: u16,
    /// Cells it has.
    pub width: u16,
}

/// Places the `wanted` columns into `total` cells with one between two. The most important ones
/// come first, among them the one the list is `sorted` by; one that does not fit is left out with
/// all less important ones, never squeezed. What is left over is shared by those that can stretch.
pub fn fit(
    columns: &'static [Column],
    total: u16,
    sorted: usize,
    wanted: impl Fn(&Column) -> bool,
) -> Vec<Slot> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.retain(|&at| columns.get(at).is_some_and(&wanted));
    order.sort_by_key(|&at| {
        let rank = columns.get(at).map_or(u8::MAX, |column| column.rank);
        (rank > 0, at != sorted, rank)
    });
    let mut taken = Vec::new();
    let mut used = 0;
    for at in order {
        let Some(column) = columns.get(at) else {
            continue;
        };
        let gap = u16::from(!taken.is_empty());
        let needed = column.width.least() + gap;
        if used + needed > total && !taken.is_empty() {
            break;
        }
        used += needed;
        taken.push(at);
    }
    taken.sort_unstable();
    let mut spare = total.saturating_sub(used);
    let stretching = |at: &&usize| {
        let column = columns.get(**at);
        column.is_some_and(|column| matches!(column.width, Width::Stretch(..)))
    };
    let mut sharers = taken.iter().filter(stretching).count() as u16;
    let mut x = 0;
    let mut slots = Vec::with_capacity(taken.len());
    for at in taken {
        let Some(column) = columns.get(at) else {
            continue;
        };
        let mut width = column.width.least();
        if let Width::Stretch(least, most) = column.width {
            let more = spare.div_ceil(sharers.max(1)).min(most - least);
            width += more;
            spare -= more;
            sharers -= 1;
        }
        slots.push(Slot {
            index: at,
            x,
            width: width.min(total),
        });
        x += width + 1;
    }
    slots
}

#[cfg(test)]
mod tests {
    use crate::top::columns::View;

    use super::*;

    #[test]
    fn never_wider_than_the_screen_and_the_name_always_there() {
        for view in View::ALL {
            let columns = view.table().columns;
            for total in 0..300 {
                let slots = fit(columns, total, 0, |_| true);
                let name = slots.first().map(|slot| slot.index);
                assert_eq!(name, Some(0), "{total}");
                let end = slots.iter().map(|slot| slot.x + slot.width).max();
                assert!(end <= Some(total.max(1)), "{view:?} {total}: {end:?}");
            }
            let all = fit(columns, 250, 0, |_| true);
            assert_eq!(all.len(), columns.len(), "{view:?}");
        }
    }

    #[test]
    fn what_is_sorted_by_is_seen() {
        for view in View::ALL {
            let columns = view.table().columns;
            for sorted in 0..columns.len() {
                let slots = fit(columns, 80, sorted, |_| true);
                assert!(slots.iter().any(|slot| slot.index == sorted), "{view:?}");
            }
        }
    }

    #[test]
    fn an_unwanted_column_leaves_its_room() {
        let columns = View::Peers.table().columns;
        let with = fit(columns, 80, 0, |_| true);
        let without = fit(columns, 80, 0, |column| !column.optional);
        assert!(with.iter().any(|slot| columns[slot.index].optional));
        assert!(without.iter().all(|slot| !columns[slot.index].optional));
        assert!(
            without
                .iter()
                .any(|slot| !with.iter().any(|other| other.index == slot.index))
        );
    }
}
