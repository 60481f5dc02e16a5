//! Short forms for the tables of families.

use super::{Desc, Family, Kind, Points, Unit};

/// A gauge.
pub(super) const fn gauge<R>(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
    source: &'static str,
    fill: fn(&R, &mut dyn Points),
) -> Family<R> {
    Family {
        desc: Desc {
            name,
            help,
            kind: Kind::Gauge,
            unit,
            labels,
            source,
        },
        fill,
    }
}

/// A counter.
pub(super) const fn counter<R>(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
    source: &'static str,
    fill: fn(&R, &mut dyn Points),
) -> Family<R> {
    Family {
        desc: Desc {
            name,
            help,
            kind: Kind::Counter,
            unit,
            labels,
            source,
        },
        fill,
    }
}

/// A latency histogram without labels of its own.
pub(super) const fn latency<R>(
    name: &'static str,
    help: &'static str,
    source: &'static str,
    fill: fn(&R, &mut dyn Points),
) -> Family<R> {
    Family {
        desc: Desc {
            name,
            help,
            kind: Kind::Histogram,
            unit: Unit::Seconds,
            labels: &[],
            source,
        },
        fill,
    }
}
