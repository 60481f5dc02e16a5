//! Shows a snapshot to an encoder, family by family. What does not depend on the format is decided
//! here: which rows, held values, numbers that are none.

use std::sync::LazyLock;

use super::plan::Plan;
use crate::{
    metric::{AreaVisitor, Desc, Exposed, LabelValues, Points, Row, visit_areas},
    model::Histogram,
};

/// A finite value of a gauge or counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// A number of things.
    Whole(u64),
    /// Anything else.
    Real(f64),
}

/// One format.
pub(super) trait Encoder {
    /// Begins a new kind of rows and forgets the label sets of the last one.
    fn begin_rows(&mut self);
    /// Takes the identifying labels of the next row; an empty value is left out.
    fn row(&mut self, names: &[&'static str], values: &LabelValues);
    /// Begins a family; only called for one that has a point.
    fn begin_family(&mut self, desc: &'static Desc);
    /// A point of the `row`th row; `labels` are the values of [`Desc::labels`].
    fn number(&mut self, desc: &Desc, row: usize, labels: &[&str], value: Number);
    /// A histogram of the `row`th row.
    fn histogram(&mut self, desc: &Desc, row: usize, labels: &[&str], value: &Histogram);
    /// Ends a family that was begun.
    fn end_family(&mut self);
}

/// Shows what `plan` chose of `exposed` to `encoder`.
pub(super) fn walk(exposed: Exposed<'_>, plan: &Plan, encoder: &mut impl Encoder) {
    let mut walk = Walk {
        exposed,
        plans: plan.rows.iter(),
        encoder,
        values: LabelValues::default(),
    };
    visit_areas(&mut walk);
}

struct Walk<'a, E> {
    exposed: Exposed<'a>,
    plans: std::slice::Iter<'a, Vec<usize>>,
    encoder: &'a mut E,
    values: LabelValues,
}

impl<E: Encoder> AreaVisitor for Walk<'_, E> {
    fn area<R: Row>(&mut self) {
        let planned = self.plans.next().map(Vec::as_slice).unwrap_or_default();
        let all = R::rows(self.exposed);
        let rows = || planned.iter().filter_map(|&index| all.get(index));

        // Also of the rows of what is beyond a budget, which have every label; not where the
        // service itself is what a row is about.
        let place = |label| R::LABELS.iter().position(|name| Some(*name) == label);
        let hidden = match self.exposed.snapshot.service_label {
            true => None,
            false => place(R::OWNER_SERVICE),
        };
        let process = place(Some("process"));
        self.encoder.begin_rows();
        for row in rows() {
            self.values.clear();
            row.label_values(&mut self.values);
            let owned = |values: &LabelValues| {
                process.is_none_or(|process| values.iter().nth(process) != Some(""))
            };
            if let Some(service) = hidden
                && owned(&self.values)
            {
                self.values.hide(service);
            }
            self.encoder.row(R::LABELS, &self.values);
        }
        for family in R::FAMILIES {
            let mut points = FamilyPoints {
                desc: &family.desc,
                begun: false,
                row: 0,
                encoder: &mut *self.encoder,
            };
            for (index, row) in rows().enumerate() {
                points.row = index;
                (family.fill)(row, &mut points);
            }
            if points.begun {
                self.encoder.end_family();
            }
        }
    }
}

struct FamilyPoints<'a, E> {
    desc: &'static Desc,
    begun: bool,
    row: usize,
    encoder: &'a mut E,
}

impl<E: Encoder> FamilyPoints<'_, E> {
    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.encoder.begin_family(self.desc);
        }
    }

    fn real(&mut self, labels: &[&str], value: f64) {
        // Not a number, or infinite: not measured, so absent.
        if value.is_finite() {
            self.begin();
            self.encoder
                .number(self.desc, self.row, labels, Number::Real(value));
        }
    }
}

impl<E: Encoder> Points for FamilyPoints<'_, E> {
    fn gauge(&mut self, labels: &[&str], value: f64) {
        self.real(labels, value);
    }

    fn count(&mut self, labels: &[&str], value: u64, held: bool) {
        self.begin();
        let value = Number::Whole(if held { 0 } else { value });
        self.encoder.number(self.desc, self.row, labels, value);
    }

    fn counter(&mut self, labels: &[&str], value: f64, held: bool) {
        self.real(labels, if held { 0.0 } else { value });
    }

    fn histogram(&mut self, labels: &[&str], value: &Histogram, held: bool) {
        static EMPTY: LazyLock<Histogram> = LazyLock::new(Histogram::default);

        self.begin();
        let value = if held { &*EMPTY } else { value };
        self.encoder.histogram(self.desc, self.row, labels, value);
    }
}
