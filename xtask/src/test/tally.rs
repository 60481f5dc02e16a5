//! Adding up what cargo's test harness prints.

use std::io::{self, BufRead as _, BufReader, PipeReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow};

use crate::descendants::Descendants;

/// Tests by outcome.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many are marked `#[ignore]`.
    pub ignored: u64,
    /// Names of those that failed.
    pub failures: Vec<String>,
    /// Names of those that failed, but passed when they were repeated alone.
    pub unsteady: Vec<String>,
}

impl Tally {
    /// Reads a line of the harness: `test name ... FAILED`, or
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`. Other lines count for nothing.
    fn add(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("test ") else {
            return;
        };
        if let Some(name) = line.strip_suffix(" ... FAILED") {
            self.failures.push(name.to_owned());
        }
        let counts = line
            .strip_prefix("result: ")
            .and_then(|line| line.split_once(". "));
        for count in counts.iter().flat_map(|(_, counts)| counts.split("; ")) {
            let Some((number, outcome)) = count.split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or(0);
            match outcome {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Runs `cargo test` and says whether it succeeded. What failed is repeated once, test by
    /// test, with the rest of the suite out of the way: a shared machine disturbs tests that watch
    /// its kernel. What passes then counts as passed and is named as unsteady.
    ///
    /// # Errors
    /// It cannot be started, or its output cannot be read.
    pub fn run(
        &mut self,
        command: impl Fn() -> Command,
        filter: Option<&str>,
        descendants: &Descendants,
    ) -> Result<bool> {
        let mut first = command();
        // They look at one and the same host.
        first.args(filter).args(["--", "--test-threads=1"]);
        let (mut seen, succeeded) = watch(first, descendants)?;
        if succeeded || seen.failures.is_empty() {
            self.join(seen);
            return Ok(succeeded);
        }
        println!("\nrepeating what failed");
        let mut all_passed = true;
        for name in std::mem::take(&mut seen.failures) {
            let mut again = command();
            again.args(["--", "--test-threads=1", "--exact", &name]);
            let (repeated, succeeded) = watch(again, descendants)?;
            if succeeded && repeated.passed > 0 {
                seen.failed = seen.failed.saturating_sub(1);
                seen.passed += 1;
                seen.unsteady.push(name);
            } else {
                seen.failures.push(name);
                all_passed = false;
            }
        }
        self.join(seen);
        Ok(all_passed)
    }

    fn join(&mut self, other: Self) {
        let Self {
            passed,
            failed,
            ignored,
            failures,
            unsteady,
        } = other;
        self.passed += passed;
        self.failed += failed;
        self.ignored += ignored;
        self.failures.extend(failures);
        self.unsteady.extend(unsteady);
    }

    /// Prints names and sums, the sums last.
    pub fn print(&self) {
        for name in &self.unsteady {
            println!("unsteady (failed, then passed alone): {name}");
        }
        for name in &self.failures {
            println!("failed: {name}");
        }
        println!(
            "{} passed, {} failed, {} ignored",
            self.passed, self.failed, self.ignored
        );
    }
}

/// Runs a `cargo test`, shows its output as it comes, and adds up its results; says as well whether
/// it succeeded. What it leaves running is ended.
fn watch(mut command: Command, descendants: &Descendants) -> Result<(Tally, bool)> {
    // One pipe for both, so that results stay below the name of what they are results of.
    let (output, input) = io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null());
    command.stdout(input.try_clone()?).stderr(input);
    let mut child = command.spawn().context("cannot start cargo test")?;
    // With our own ends closed, the output ends when the last process that has one is gone.
    drop(command);
    let reader = thread::spawn(move || copy(output));
    let status = child.wait()?;
    descendants.end();
    let lines = reader
        .join()
        .map_err(|_| anyhow!("reading cargo test's output panicked"))?;
    let mut seen = Tally::default();
    for line in lines.context("cannot read the output of cargo test")? {
        seen.add(&line);
    }
    Ok((seen, status.success()))
}

/// Copies lines to our standard output and returns those that start as the harness' own do.
fn copy(output: PipeReader) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(io::stdout(), "{line}")?;
        if line.starts_with("test ") {
            lines.push(line);
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn lines_of_the_harness_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 16 tests",
            "test clock::wraps ... ok",
            "test top::views ... FAILED",
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out; \
             finished in 0.12s",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tally.add(line);
        }
        let failures = vec!["top::views".to_owned()];
        let sum = Tally {
            passed: 14,
            failed: 3,
            ignored: 1,
            failures,
            unsteady: Vec::new(),
        };
        assert_eq!(tally, sum);
    }
}
