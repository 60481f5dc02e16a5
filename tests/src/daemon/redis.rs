//! Redis and its own load generator.

use std::net::SocketAddr;

use nix::sys::signal::Signal;

use super::{Daemon, Home};
use crate::{host, netns::Netns};

/// A running server without persistence.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    address: SocketAddr,
}

/// What redis-benchmark says of its requests, or the server of its calls, seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Average.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

impl Redis {
    /// Listens there.
    pub fn start(namespace: &Netns, address: SocketAddr) -> Self {
        Self::run(namespace, address, "")
    }

    /// Listens there and, for who follows it, on another address, same port.
    pub fn followed(namespace: &Netns, address: SocketAddr, other: SocketAddr) -> Self {
        let options = format!("--bind {} {}", address.ip(), other.ip());
        Self::run(namespace, address, &options)
    }

    /// Listens there, and follows what is written to another.
    pub fn replica(namespace: &Netns, address: SocketAddr, main: SocketAddr) -> Self {
        let options = format!("--replicaof {} {}", main.ip(), main.port());
        Self::run(namespace, address, &options)
    }

    fn run(namespace: &Netns, address: SocketAddr, options: &str) -> Self {
        let home = Home::new("nobody", namespace);
        home.write(
            "redis.conf",
            "save \"\"\nappendonly no\nprotected-mode no\nenable-debug-command local\n\
             repl-diskless-sync-delay 0\nlatency-tracking-info-percentiles 50 95\n",
        );
        let place = format!("--bind {} --port {}", address.ip(), address.port());
        let daemon = Daemon::start(
            home,
            &host::tool("redis-server").expect("redis-server is not installed"),
            &format!("redis.conf {place} {options}"),
            Signal::SIGTERM,
        );
        daemon.await_words("Ready to accept connections");
        Self { daemon, address }
    }

    fn client(&self, name: &str, arguments: &str) -> String {
        let program = host::tool(name).unwrap_or_else(|| panic!("{name} is not installed"));
        let place = format!("-h {} -p {}", self.address.ip(), self.address.port());
        self.daemon
            .home
            .run(&program, &format!("{place} {arguments}"))
    }

    /// What it answers to a command.
    pub fn ask(&self, command: &str) -> String {
        self.client("redis-cli", command)
    }

    /// Runs redis-benchmark with these options, the command to repeat last.
    ///
    /// # Panics
    /// When its report is of another shape.
    pub fn benchmark(&self, arguments: &str) -> Report {
        let text = self.client("redis-benchmark", &format!("--csv {arguments}"));
        report(&text).unwrap_or_else(|| panic!("redis-benchmark printed {text}"))
    }

    /// How long calls of a command took so far, by the server's own books, and how many they were.
    ///
    /// # Panics
    /// When it was never called.
    pub fn calls(&self, command: &str) -> (Report, f64) {
        let text = self.ask("info everything");
        books(&text, command).unwrap_or_else(|| panic!("no {command} in {text}"))
    }
}

/// Reads the last line of what redis-benchmark writes as CSV: name, requests per second, then
/// average, least, p50, p95, p99 and largest time in ms.
fn report(text: &str) -> Option<Report> {
    let line = text.lines().last()?;
    let numbers: Vec<f64> = line
        .split(',')
        .skip(1)
        .filter_map(|field| field.trim_matches('"').parse().ok())
        .collect();
    let [_, mean, _, p50, p95, _, _] = numbers[..] else {
        return None;
    };
    Some(Report {
        mean: mean / 1e3,
        p50: p50 / 1e3,
        p95: p95 / 1e3,
    })
}

/// Reads `cmdstat_NAME:calls=N,usec=N,…` and `latency_percentiles_usec_NAME:p50=N,p95=N`.
fn books(text: &str, command: &str) -> Option<(Report, f64)> {
    let field = |line: &str, key: &str| {
        let name = format!("{line}_{command}:");
        let fields = text.lines().find_map(|line| line.strip_prefix(&name))?;
        let mut pairs = fields.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|pair| pair.0 == key)?.1.parse::<f64>().ok()
    };
    let calls = field("cmdstat", "calls")?;
    let report = Report {
        mean: field("cmdstat", "usec")? / calls / 1e6,
        p50: field("latency_percentiles_usec", "p50")? / 1e6,
        p95: field("latency_percentiles_usec", "p95")? / 1e6,
    };
    Some((report, calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_reports() {
        let text = "\"test\",\"rps\",\"avg_latency_ms\"\n\
            \"DEBUG SLEEP 1\",\"191.57\",\"5.188\",\"0.144\",\"5.199\",\"10.231\",\"13.1\",\"14.1\"\n";
        let read = report(text).unwrap();
        let near = |value: f64, truth: f64| (value - truth).abs() < 1e-9;
        assert!(
            near(read.mean, 0.005_188) && near(read.p50, 0.005_199),
            "{read:?}"
        );
        assert!(near(read.p95, 0.010_231), "{read:?}");
        assert_eq!(report("\"test\",\"rps\"\n"), None);
        let stats = "# Commandstats\r\ncmdstat_debug:calls=600,usec=1500000,usec_per_call=2500\r\n\
            latency_percentiles_usec_debug:p50=2000.5,p95=4000\r\n";
        let (read, calls) = books(stats, "debug").unwrap();
        assert!(near(read.mean, 0.002_5) && calls == 600.0, "{read:?}");
        assert!(
            near(read.p50, 0.002_000_5) && near(read.p95, 0.004),
            "{read:?}"
        );
        assert_eq!(books(stats, "get"), None);
    }
}
