//! The table against the rules of its own format.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{collections::HashSet, path::Path};

use super::*;
use crate::model::Histogram;

fn all() -> Vec<(&'static Desc, &'static [&'static str])> {
    areas()
        .into_iter()
        .flat_map(|area| {
            area.families
                .into_iter()
                .map(move |desc| (desc, area.labels))
        })
        .collect()
}

#[test]
fn names_are_unique_in_both_text_formats() {
    let mut seen = HashSet::new();
    for (desc, _) in all() {
        let family = desc.name.strip_suffix("_total").unwrap_or(desc.name);
        assert!(seen.insert(family), "{family} twice");
    }
}

#[test]
fn names_tell_kind_and_unit() {
    for (desc, labels) in all() {
        let name = desc.name;
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
            "{name}"
        );
        assert_eq!(
            name.ends_with("_total"),
            desc.kind == Kind::Counter,
            "{name}"
        );
        let family = name.strip_suffix("_total").unwrap_or(name);
        for unit in [Unit::Seconds, Unit::Bytes, Unit::Ratio] {
            let suffix = format!("_{}", unit.name().unwrap());
            assert_eq!(family.ends_with(&suffix), desc.unit == unit, "{name}");
        }
        for reserved in ["_count", "_sum", "_bucket", "_created"] {
            assert!(!family.ends_with(reserved), "{name}");
        }
        let labels: Vec<_> = labels.iter().chain(desc.labels).collect();
        assert_eq!(
            labels.iter().collect::<HashSet<_>>().len(),
            labels.len(),
            "{name}"
        );
        for reserved in ["quantile", "le", "job", "instance"] {
            assert!(!labels.contains(&&reserved), "{name}");
        }
    }
}

#[test]
fn help_is_one_sentence() {
    for (desc, _) in all() {
        assert!(
            desc.help.ends_with('.') && desc.help.len() > 1,
            "{}",
            desc.name
        );
        assert!(!desc.help.contains('\n'), "{}", desc.name);
        assert!(!desc.source.is_empty(), "{}", desc.name);
    }
}

/// Counts points and holds their labels against the description.
struct Filled<'a> {
    desc: &'a Desc,
    points: usize,
}

impl Filled<'_> {
    fn point(&mut self, labels: &[&str], kind: Kind) {
        assert_eq!(self.desc.kind, kind, "{}", self.desc.name);
        assert_eq!(self.desc.labels.len(), labels.len(), "{}", self.desc.name);
        self.points += 1;
    }
}

impl Points for Filled<'_> {
    fn gauge(&mut self, labels: &[&str], _: f64) {
        self.point(labels, Kind::Gauge);
    }
    fn count(&mut self, labels: &[&str], _: u64, _: bool) {
        self.point(labels, Kind::Counter);
    }
    fn counter(&mut self, labels: &[&str], _: f64, _: bool) {
        self.point(labels, Kind::Counter);
    }
    fn histogram(&mut self, labels: &[&str], _: &Histogram, _: bool) {
        self.point(labels, Kind::Histogram);
    }
}

#[test]
fn a_full_row_fills_every_family() {
    struct Fill<'a>(Exposed<'a>);

    impl AreaVisitor for Fill<'_> {
        fn area<R: Row>(&mut self) {
            for family in R::FAMILIES {
                let mut filled = Filled {
                    desc: &family.desc,
                    points: 0,
                };
                for row in R::rows(self.0) {
                    (family.fill)(row, &mut filled);
                }
                assert!(filled.points > 0, "{}", family.desc.name);
            }
            for row in R::rows(self.0) {
                let mut values = LabelValues::default();
                row.label_values(&mut values);
                assert_eq!(values.iter().count(), R::LABELS.len(), "{}", R::AREA);
            }
        }
    }

    visit_areas(&mut Fill(Exposed {
        snapshot: &fixture::small(),
        server: &fixture::server(),
    }));
}

#[test]
fn the_listing_names_every_family() {
    let listing = listing();
    for (desc, _) in all() {
        assert!(listing.contains(desc.name) && listing.contains(desc.help));
    }
}

#[test]
fn the_committed_reference_is_the_rendered_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == reference(),
        "docs/metrics.md is out of date: run `cargo xtask docs` and commit the result"
    );
}

/// Whatever an expression asks for exists; one that asks for nothing is silent for ever.
#[test]
fn documented_expressions_use_names_and_labels_that_exist() {
    let all = all();
    let labels: HashSet<&str> = all
        .iter()
        .flat_map(|(desc, labels)| labels.iter().chain(desc.labels))
        .copied()
        .chain(["instance", "le"])
        .collect();
    let mut names = 0;
    for file in ["docs/queries.md", "README.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        for expression in text.split("```promql").skip(1) {
            let expression = expression.split("```").next().unwrap();
            for name in expression.split(PREFIX).skip(1) {
                let name = name.split(|c: char| !c.is_ascii_lowercase() && c != '_');
                let name = name.into_iter().next().unwrap();
                assert!(all.iter().any(|(desc, _)| desc.name == name), "{name}");
                names += 1;
            }
            for list in expression.split("by (").skip(1) {
                let list = list.split(')').next().unwrap();
                for label in list.split(", ") {
                    assert!(labels.contains(label), "{label} in {expression}");
                }
            }
        }
    }
    assert!(names > 20, "{names}");
}
