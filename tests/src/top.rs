//! `hostlens top --json`, running.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::{deadline::poll_until, host, output::Output};

/// A running `top`; killed when dropped.
#[derive(Debug)]
pub struct Top {
    child: Child,
    output: Output,
}

impl Top {
    /// Starts it with a cycle of one second and waits until it sees what happens.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// The same with these space-separated arguments more.
    pub fn start_with(arguments: &str) -> Self {
        let mut child = Command::new(host::hostlens_path())
            .args(["top", "--json", "--interval", "1"])
            .args(arguments.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start top");
        let output = Output::default();
        output.gather(child.stdout.take().expect("piped stdout"));
        output.wait(0, Duration::from_secs(60), |_| Some(()));
        Self { child, output }
    }

    /// Waits until a cycle that ends after this call shows what is sought.
    ///
    /// # Panics
    /// After `limit`, with the last reason.
    pub fn await_cycle<T>(
        &self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&Value) -> Result<T, String>,
    ) -> T {
        let seen = self.output.lines().len();
        poll_until(what, limit, || {
            let lines = self.output.lines();
            let line = lines.iter().skip(seen).last().ok_or("no cycle yet")?;
            let cycle: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            found(&cycle)
        })
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Rows of a list of a cycle whose fields have these values.
pub fn rows<'a>(cycle: &'a Value, list: &str, fields: &[(&str, Value)]) -> Vec<&'a Value> {
    let rows = cycle[list].as_array().into_iter().flatten();
    rows.filter(|row| fields.iter().all(|(name, value)| row[name] == *value))
        .collect()
}

/// The only such row.
///
/// # Errors
/// When there is none or several.
pub fn row<'a>(
    cycle: &'a Value,
    list: &str,
    fields: &[(&str, Value)],
) -> Result<&'a Value, String> {
    match rows(cycle, list, fields)[..] {
        [one] => Ok(one),
        ref many => Err(format!("{list} {fields:?}: {many:?}")),
    }
}
