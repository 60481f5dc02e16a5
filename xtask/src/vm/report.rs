//! What hostlens said on one kernel, and whether that will do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::payload::COMMANDS;
use super::response;

/// States of a kernel program that are as they should be.
const GOOD: [&str; 4] = ["attached", "loaded", "unused", "unsupported"];

/// One kernel's outcome.
pub struct Report {
    /// Kernel release.
    release: String,
    /// Signal → source it comes from.
    sources: BTreeMap<String, String>,
    /// State → number of kernel programs.
    programs: BTreeMap<String, usize>,
    /// Times to first byte: ours beside both ends'.
    response: Vec<String>,
    /// What is wrong.
    pub failures: Vec<String>,
}

impl Report {
    /// Reads the console of a machine.
    pub fn read(release: &str, console: &str) -> Self {
        let mut report = Self {
            release: release.to_owned(),
            sources: BTreeMap::new(),
            programs: BTreeMap::new(),
            response: Vec::new(),
            failures: Vec::new(),
        };
        for (name, _) in COMMANDS {
            match result(console, name) {
                Err(error) => report.failures.push(format!("{name}: {error}")),
                Ok(answer) if name == "doctor" => report.doctor(&answer),
                Ok(answer) if name == "response" => report.response(&answer),
                Ok(answer) => report.top(&answer),
            }
        }
        let answered = |(name, _): &(&str, &str)| {
            let prefix = format!("RESULT {name} ");
            console.lines().any(|line| line.starts_with(&prefix))
        };
        if !COMMANDS.iter().any(answered) {
            let last = console.lines().rev().find(|line| !line.trim().is_empty());
            report
                .failures
                .push(format!("last line: {}", last.unwrap_or("none").trim()));
        }
        report
    }

    fn doctor(&mut self, answer: &Value) {
        let text = |entry: &Value, key: &str| {
            entry
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or("?")
                .to_owned()
        };
        for program in list(answer, "programs") {
            let state = text(program, "state");
            if !GOOD.contains(&state.as_str()) {
                self.failures.push(format!("program {program}"));
            }
            *self.programs.entry(state).or_default() += 1;
        }
        for source in list(answer, "signals") {
            self.sources
                .insert(text(source, "signal"), text(source, "source"));
        }
        if self.programs.is_empty() || self.sources.is_empty() {
            self.failures
                .push("doctor lists no programs or no signals".to_owned());
        }
    }

    fn response(&mut self, answer: &Value) {
        for figure in response::compare(answer) {
            self.response.push(figure.to_string());
            if !figure.agrees() {
                self.failures.push(format!("response: {figure}"));
            }
        }
    }

    fn top(&mut self, answer: &Value) {
        for view in ["processes", "peers", "connections"] {
            if list(answer, view).is_empty() {
                self.failures.push(format!("top sees no {view}"));
            }
        }
    }
}

/// The entries of an array member.
fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The JSON one command wrote. A degraded host gives another exit code than 0, so it is the
/// answer that counts.
fn result(console: &str, name: &str) -> Result<Value, String> {
    let prefix = format!("RESULT {name} ");
    let line = console.lines().find_map(|line| line.strip_prefix(&prefix));
    let Some((code, json)) = line.and_then(|line| line.split_once(' ')) else {
        return Err("no RESULT line".to_owned());
    };
    serde_json::from_str(json.trim()).map_err(|error| {
        let prefix = format!("NOTE {name} ");
        let note = console
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .next_back();
        format!(
            "exit code {code}, {error}; {}",
            note.unwrap_or("nothing on standard error").trim()
        )
    })
}

/// Prints where each signal comes from on each kernel, and what is wrong.
pub fn print(reports: &[Report]) {
    let signals: BTreeSet<&String> = reports
        .iter()
        .flat_map(|report| report.sources.keys())
        .collect();
    let mut table: Vec<Vec<&str>> = vec![
        std::iter::once("signal")
            .chain(reports.iter().map(|report| report.release.as_str()))
            .collect(),
    ];
    for signal in signals {
        let sources = reports.iter().map(|report| report.sources.get(signal));
        let cells = sources.map(|source| source.map_or("-", String::as_str));
        table.push(std::iter::once(signal.as_str()).chain(cells).collect());
    }
    println!();
    print!("{}", columns(&table));
    println!();
    for Report {
        release,
        programs,
        response,
        failures,
        ..
    } in reports
    {
        let states: Vec<String> = programs
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let verdict = if failures.is_empty() {
            "RESULT ok"
        } else {
            "RESULT failed"
        };
        println!("{release}: {verdict}; programs: {}", states.join(", "));
        for figure in response {
            println!("  {figure}");
        }
        for failure in failures {
            println!("  failed: {failure}");
        }
    }
}

/// Rows of cells as lines, each column as wide as its widest cell.
fn columns(rows: &[Vec<&str>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.len())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<0$}", width(column)));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Report, columns};
    use crate::vm::response::tests as response;

    const DOCTOR: &str = r#"{"programs":[{"name":"a","state":"attached"}],"signals":[{"signal":"tcp_live","source":"sock_diag"}]}"#;
    const TOP: &str = r#"{"processes":[{}],"peers":[{}],"connections":[{}]}"#;

    fn read(console: &str) -> Report {
        Report::read("1.2.3", console)
    }

    #[test]
    fn good_answers_pass_whatever_the_exit_code() {
        let report = read(&format!(
            "noise\r\nRESULT doctor 1 {DOCTOR}\r\nRESULT top 0 {TOP}\r\nRESULT response 0 {}\r\n",
            response::sample()
        ));
        assert_eq!(report.failures, Vec::<String>::new());
        assert_eq!(
            report.sources.get("tcp_live").map(String::as_str),
            Some("sock_diag")
        );
    }

    #[test]
    fn refused_programs_and_empty_views_fail() {
        let doctor = DOCTOR.replace("attached", "refused");
        let top = TOP.replace(r#""peers":[{}]"#, r#""peers":[]"#);
        let response = response::sample().replace("\"turns\":2", "\"turns\":3");
        let report = read(&format!(
            "RESULT doctor 0 {doctor}\nRESULT top 0 {top}\nRESULT response 0 {response}\n"
        ));
        // Four histograms lack a turn.
        assert_eq!(report.failures.len(), 6, "{:?}", report.failures);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a", "long cell", "x"], vec!["bbb", "b", "y"]];
        assert_eq!(columns(&rows), "a    long cell  x\nbbb  b          y\n");
    }

    #[test]
    fn silence_fails_with_the_last_words() {
        let report = read("Kernel panic - not syncing\r\n\r\n");
        assert!(
            report
                .failures
                .iter()
                .any(|failure| failure.contains("Kernel panic"))
        );
    }

    #[test]
    fn an_error_message_is_passed_on() {
        let report = read("NOTE doctor error: no\r\nRESULT doctor 2 \r\n");
        let failure = report
            .failures
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        assert!(
            failure.contains("exit code 2") && failure.contains("error: no"),
            "{failure}"
        );
    }
}
