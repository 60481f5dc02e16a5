//! What pipes get.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{fixture, golden::check, session::options};
use crate::{
    model::Snapshot,
    top::{batch, columns::View, json, options::TopOptions},
};

const DOCS: &str = include_str!("../../../../docs/top.md");

fn parsed(options: &TopOptions, snapshot: &Snapshot) -> Value {
    let line = json::line(options, snapshot);
    assert!(!line.contains('\n'));
    serde_json::from_str(&line).unwrap()
}

/// Paths of all values: `processes[].cpu`.
fn paths(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                paths(value, &format!("{path}{dot}{key}"), into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                paths(item, &format!("{path}[]"), into);
            }
        }
        _ => {
            into.insert(path.to_string());
        }
    }
}

#[test]
fn every_field_is_documented_and_every_documented_field_exists() {
    let mut emitted = BTreeSet::new();
    // Whatever is null here has a value there, or the other way round.
    paths(&parsed(&options(), &fixture::answering()), "", &mut emitted);
    let groups: Vec<String> = emitted.iter().cloned().collect();
    // An object that may be null, or a list that may be empty, is seen by its fields.
    emitted.retain(|path| {
        let of = |other: &String| {
            let rest = other.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        !groups.iter().any(of)
    });
    let row = |line: &'static str| {
        line.strip_prefix("| `")
            .and_then(|rest| rest.split('`').next())
    };
    let json = DOCS.split("## JSON").nth(1).unwrap();
    let documented: BTreeSet<String> = json.lines().filter_map(row).map(str::to_string).collect();
    assert_eq!(emitted, documented);
}

#[test]
fn every_column_and_key_is_documented() {
    for view in View::ALL {
        for column in view.table().columns {
            let row = format!("| `{}` |", column.id);
            assert!(DOCS.contains(&row), "{row}");
        }
    }
    for (keys, _) in crate::top::keys::HELP {
        let row = format!("| `{}` |", keys.replace("  ", "` `"));
        assert!(DOCS.contains(&row), "{row}");
    }
}

#[test]
fn unknown_is_null_and_never_zero() {
    let document = parsed(&options(), &fixture::host());
    let sshd = &document["processes"][4];
    assert_eq!(sshd["process"], "sshd");
    for key in [
        "memory_bytes",
        "open_fds",
        "fd_limit_ratio",
        "read_bytes_per_second",
        "exited",
    ] {
        assert_eq!(sshd[key], Value::Null, "{key}");
    }
    assert_eq!(document["members"][2]["pid"], 40);
    assert_eq!(document["members"][2]["read_bytes_per_second"], Value::Null);
    assert_eq!(document["members"][0]["read_bytes_per_second"], 0.0);
    assert_eq!(document["peers"][4]["rtt_seconds"], Value::Null);
    assert_eq!(document["peers"][3]["connections"], Value::Null);
    assert_eq!(document["connections"][2]["rtt_seconds"], Value::Null);
    let nothing = parsed(&options(), &fixture::empty());
    assert_eq!(nothing["overview"]["cpu_busy"], Value::Null);
    assert_eq!(nothing["overview"]["cycle_seconds"], Value::Null);
    assert_eq!(nothing["processes"], serde_json::json!([]));
}

#[test]
fn figures_are_in_base_units() {
    let document = parsed(&options(), &fixture::host());
    assert_eq!(document["schema"], 1);
    assert_eq!(document["at"], 1_763_800_000.25);
    assert_eq!(document["interval_seconds"], 2.0);
    let postgres = &document["processes"][0];
    assert_eq!(postgres["cpu"], 1.234);
    assert_eq!(postgres["cpu_user_seconds"], 90.0);
    assert_eq!(postgres["memory_bytes"]["anon"], 2_147_483_648u64);
    assert_eq!(postgres["exited"]["signal"], 1);
    let peer = &document["peers"][0];
    assert_eq!(peer["rtt_seconds"]["p50"], 0.0004);
    assert_eq!(peer["listen_ip"], "0.0.0.0");
    assert_eq!(peer["remote_ip"], "10.20.30.40");
    assert_eq!(document["peers"][1]["remote_ip"], "other");
    assert_eq!(document["peers"][5]["folded"], true);
}

#[test]
fn filter_and_order_reach_json() {
    let mut options = options();
    options.filter = "10.8".into();
    let document = parsed(&options, &fixture::host());
    assert_eq!(document["processes"], serde_json::json!([]));
    assert_eq!(document["connections"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["process_disks"], serde_json::json!([]));
    options.filter = "backup|other".into();
    let document = parsed(&options, &fixture::host());
    let at_disks = document["process_disks"].as_array().into_iter().flatten();
    let names: Vec<_> = at_disks.map(|row| row["process"].clone()).collect();
    assert_eq!(names, ["backup", "other"]);
    options.filter = String::new();
    options.view = View::Connections;
    options.sort = Some("rtt".into());
    let document = parsed(&options, &fixture::host());
    assert_eq!(document["connections"][0]["rtt_seconds"], 0.25);
    assert_eq!(document["processes"][0]["process"], "postgres");
}

#[test]
fn batch_cuts_nothing() {
    let mut options = options();
    let render = |options: &TopOptions| batch::render(options, &fixture::host());
    check("batch_processes.txt", &render(&options));
    options.view = View::Peers;
    check("batch_peers.txt", &render(&options));
    options.view = View::Connections;
    options.sort = Some("remote".into());
    check("batch_connections.txt", &render(&options));
    assert!(batch::render(&options, &fixture::empty()).contains("REMOTE"));
    options.sort = None;
    for view in View::ALL.into_iter().skip(3) {
        options.view = view;
        let name = view.table().title.to_lowercase();
        check(&format!("batch_{name}.txt"), &render(&options));
    }
}
