//! curl as a client that measures its own requests.

use super::Home;
use crate::{host, netns::Netns};

/// What of a request curl reports: its place in the transfer, both in seconds since it began.
const REPORT: &str = "%{time_pretransfer} %{time_starttransfer} %{num_connects} %{http_code}\\n";

/// Requests made one after the other, or at once, by one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transfers {
    /// From a request ready to be sent to the first byte of its answer, seconds.
    pub first_byte: Vec<f64>,
    /// Connections opened.
    pub connections: u32,
}

/// Asks for a URL, which may hold ranges such as `[1-300]`, each value of which is a request;
/// `more` are further options, separated by spaces.
///
/// # Panics
/// When an answer is not 200.
pub fn get(namespace: &Netns, more: &str, url: &str) -> Transfers {
    let home = Home::new("nobody", namespace);
    let program = host::tool("curl").expect("curl is not installed");
    let mut curl = home.command(&program, "--silent --show-error --insecure --fail-early");
    // Bodies go to a file of their own: standard output is for the report.
    curl.args(["--output", "/dev/null", "--write-out", REPORT]);
    let text = super::finish(curl.args(more.split_whitespace()).arg(url));
    let mut transfers = Transfers::default();
    for line in text.lines() {
        let (first_byte, connections) =
            transfer(line).unwrap_or_else(|| panic!("curl printed {line:?}"));
        transfers.first_byte.push(first_byte);
        transfers.connections += connections;
    }
    transfers
}

/// Reads a line of the report.
fn transfer(line: &str) -> Option<(f64, u32)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [ready, first, connects, "200"] = words[..] else {
        return None;
    };
    let (ready, first): (f64, f64) = (ready.parse().ok()?, first.parse().ok()?);
    Some((first - ready, connects.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_a_line_of_the_report() {
        let (first_byte, connections) = super::transfer("0.25 0.75 1 200").unwrap();
        assert_eq!((first_byte, connections), (0.5, 1));
        assert_eq!(super::transfer("0.25 0.75 1 502"), None);
    }
}
