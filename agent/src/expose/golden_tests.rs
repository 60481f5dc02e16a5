//! Expositions against committed ones, against each other and against what a parser takes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{collections::BTreeMap, path::Path};

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{
    MetricFamily, MetricType,
};
use proptest::prelude::*;
use prost::Message;

use super::{Format, encode};
use crate::{
    metric::fixture,
    model::{ProcessRow, Snapshot},
};

/// More than any of these snapshots has.
const LIMIT: usize = 50_000;

fn exposition(snapshot: &Snapshot, format: Format) -> Vec<u8> {
    encode(snapshot, fixture::server(), LIMIT, format, 0)
}

fn text(snapshot: &Snapshot, format: Format) -> String {
    String::from_utf8(exposition(snapshot, format)).unwrap()
}

#[track_caller]
fn golden(file: &str, format: Format) {
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    let written = text(&fixture::small(), format).replace(&version, "version=\"X\"");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/expose/golden")
        .join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (written, expected)) in written.lines().zip(expected.lines()).enumerate() {
        assert_eq!(written, expected, "{file}:{}", line + 1);
    }
    assert_eq!(
        written, expected,
        "{file} differs; if that is meant, run the tests with UPDATE_GOLDEN=1"
    );
}

#[test]
fn prometheus_text_is_the_golden_one() {
    golden("text.prom", Format::Text);
}

#[test]
fn openmetrics_is_the_golden_one() {
    golden("openmetrics.txt", Format::OpenMetrics);
}

#[test]
fn services_can_be_left_out() {
    let told = text(&fixture::small(), Format::Text);
    assert!(told.contains("service=\"user@1000\"") && told.contains("service=\"other\""));
    let snapshot = Snapshot {
        service_label: false,
        ..fixture::small()
    };
    for format in [Format::Text, Format::OpenMetrics] {
        let text = text(&snapshot, format);
        let mut told = text.lines().filter(|line| line.contains("service=\""));
        // Without it rows that are about services could not be told apart.
        assert!(told.all(|line| !line.contains("process=\"")));
        assert!(text.contains("service=\"shop-0.service\""));
    }
}

type Labels = Vec<(String, String)>;

/// Name, labels and value of one line, by the rules of the text format.
fn parse(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut characters = after.char_indices();
            let close = loop {
                match characters.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match characters.next().unwrap().1 {
                        'n' => '\n',
                        escaped @ ('\\' | '"') => escaped,
                        other => panic!("\\{other} in {line}"),
                    }),
                    (_, character) => value.push(character),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[close + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap())
}

/// All series of a text exposition; none may come twice.
fn series(text: &str) -> BTreeMap<(String, Labels), f64> {
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, mut labels, value) = parse(line);
        assert!(value.is_finite(), "{line}");
        labels.sort();
        assert!(all.insert((name, labels), value).is_none(), "{line} twice");
    }
    all
}

/// The same series from protobuf; native buckets left out.
fn protobuf_series(mut bytes: &[u8]) -> BTreeMap<(String, Labels), f64> {
    let mut all = BTreeMap::new();
    while !bytes.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut bytes).unwrap();
        assert!(!family.metric.is_empty() && !family.help.is_empty());
        for metric in family.metric {
            let mut labels: Labels = metric
                .label
                .into_iter()
                .map(|pair| (pair.name, pair.value))
                .collect();
            labels.sort();
            let mut put = |suffix: &str, le: Option<&str>, value: f64| {
                let mut labels = labels.clone();
                labels.extend(le.map(|le| ("le".to_owned(), le.to_owned())));
                labels.sort();
                let key = (format!("{}{suffix}", family.name), labels);
                assert!(all.insert(key, value).is_none());
            };
            match MetricType::try_from(family.r#type).unwrap() {
                MetricType::Counter => put("", None, metric.counter.unwrap().value),
                MetricType::Gauge => put("", None, metric.gauge.unwrap().value),
                MetricType::Histogram => {
                    let histogram = metric.histogram.unwrap();
                    assert_eq!(histogram.schema, 3);
                    for bucket in histogram.bucket {
                        // `le` as Prometheus writes what it finds in protobuf.
                        let le = format!("{:?}", bucket.upper_bound);
                        put("_bucket", Some(&le), bucket.cumulative_count as f64);
                    }
                    put("_bucket", Some("+Inf"), histogram.sample_count as f64);
                    put("_sum", None, histogram.sample_sum);
                    put("_count", None, histogram.sample_count as f64);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    all
}

#[test]
fn all_formats_show_the_same_series() {
    for snapshot in [fixture::small(), fixture::wide(20, 20)] {
        let prometheus = series(&text(&snapshot, Format::Text));
        assert_eq!(prometheus, series(&text(&snapshot, Format::OpenMetrics)));
        let protobuf = protobuf_series(&exposition(&snapshot, Format::Protobuf));
        assert_eq!(prometheus, protobuf);
        let count = &prometheus[&("hostlens_agent_series".to_owned(), Vec::new())];
        assert_eq!(*count, prometheus.len() as f64);
    }
}

#[test]
fn all_formats_leave_out_the_same_label_sets() {
    let snapshot = fixture::wide(20, 20);
    let all = series(&text(&snapshot, Format::Text)).len();
    let limited = |format| encode(&snapshot, fixture::server(), all / 2, format, 0);
    let prometheus = series(&String::from_utf8(limited(Format::Text)).unwrap());
    assert!(prometheus.len() <= all / 2 && prometheus.len() > all / 3);
    assert_eq!(prometheus, protobuf_series(&limited(Format::Protobuf)));
    let figure = |name: &str| prometheus[&(format!("hostlens_{name}"), Vec::new())] as usize;
    assert_eq!(figure("agent_series"), prometheus.len());
    assert_eq!(figure("agent_series_dropped"), all - prometheus.len());
    assert_eq!(figure("agent_series_limit"), all / 2);
    assert!(figure("agent_label_sets_dropped") > 10);
}

#[test]
fn a_value_that_is_no_number_is_absent() {
    let mut snapshot = fixture::small();
    for row in &mut snapshot.processes {
        row.fd_limit_ratio = Some(f64::NAN);
        row.oldest_start_seconds = Some(f64::INFINITY);
    }
    let text = text(&snapshot, Format::Text);
    assert!(!text.contains("fd_limit_ratio") && !text.contains("oldest_start"));
    assert!(!text.contains("NaN") && !text.contains(" inf"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_name_can_be_read_back(names in prop::collection::btree_set((".{1,12}", "[\\PC\"\\\\\n]{1,12}"), 1..6)) {
        let mut snapshot = fixture::small();
        snapshot.processes = names
            .iter()
            .map(|(process, user)| fixture::process(process, user))
            .collect::<Vec<ProcessRow>>();
        let read = |series: BTreeMap<(String, Labels), f64>| -> Vec<(String, String)> {
            series
                .into_keys()
                .filter(|(name, _)| name == "hostlens_process_threads")
                .map(|(_, labels)| (labels[0].1.clone(), labels[1].1.clone()))
                .collect()
        };
        let expected: Vec<_> = names.into_iter().collect();
        for format in [Format::Text, Format::OpenMetrics] {
            prop_assert_eq!(&read(series(&text(&snapshot, format))), &expected);
        }
        let protobuf = protobuf_series(&exposition(&snapshot, Format::Protobuf));
        prop_assert_eq!(&read(protobuf), &expected);
    }
}

/// Prints what encoding costs; run it with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "measures instead of testing"]
fn cost_per_series() {
    let snapshot = fixture::wide(400, 450);
    let count = series(&text(&snapshot, Format::Text)).len();
    for format in Format::ALL {
        let mut size = 0;
        let rounds = 20;
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            let server = fixture::server();
            size = encode(&snapshot, server, usize::MAX, format, size).len();
        }
        let ns = start.elapsed().as_nanos() / rounds / count as u128;
        println!(
            "{}: {ns} ns per series, {count} series, {size} bytes",
            format.name()
        );
    }
}
