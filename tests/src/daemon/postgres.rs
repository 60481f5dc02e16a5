//! PostgreSQL and its own load generator.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;

use super::{Daemon, Home};
use crate::{
    deadline::{PATIENCE, poll_until},
    host,
    netns::Netns,
};

/// Who owns the server; it refuses to run as root, and to run as nobody it knows.
const USER: &str = "postgres";
/// Where it listens.
pub const PORT: u16 = 5432;

/// A running server with an empty database.
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
}

/// What both sides say of a run, seconds, in any order.
#[derive(Clone, Debug)]
pub struct Run {
    /// How long each transaction took, by pgbench.
    pub transactions: Vec<f64>,
    /// How long the statements of each took together, by the log of the server.
    pub statements: Vec<f64>,
}

/// How pgbench is to ask.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Address of the server.
    pub address: &'a str,
    /// `simple`, `extended` or `prepared`.
    pub protocol: &'a str,
    /// Connections.
    pub clients: u32,
    /// Transactions of each.
    pub transactions: u32,
}

impl Postgres {
    /// Makes a database and serves it on these addresses, separated by commas.
    pub fn start(namespace: &Netns, addresses: &str) -> Self {
        let home = Home::new(USER, namespace);
        home.run(
            &program("initdb"),
            "--pgdata=data --username=postgres --auth=trust --no-sync --no-locale --encoding=UTF8",
        );
        let daemon = Daemon::start(
            home,
            &program("postgres"),
            &format!(
                "-D data -p {PORT} -c listen_addresses={addresses} -c unix_socket_directories= \
                 -c fsync=off -c autovacuum=off -c shared_buffers=16MB -c wal_level=minimal \
                 -c max_wal_senders=0 -c lc_messages=C -c log_min_duration_statement=0"
            ),
            // Ends it without a checkpoint, but not without giving back its shared memory.
            Signal::SIGQUIT,
        );
        daemon.await_words("database system is ready to accept connections");
        Self { daemon }
    }

    /// Makes and fills the tables of pgbench, over this address.
    pub fn fill(&self, address: &str) {
        self.daemon.home.run(
            &program("pgbench"),
            &format!("-i -q -s 1 -h {address} -p {PORT} -U {USER} postgres"),
        );
    }

    /// Runs pgbench's own transaction, of seven statements, on its own tables.
    pub fn bench_builtin(&self, load: &Load) -> Run {
        self.pgbench(load, "builtin", "-b tpcb-like", 7)
    }

    /// Runs a script of pgbench that has so many statements.
    pub fn bench(&self, load: &Load, script: &str, statements: usize) -> Run {
        let file = self.daemon.home.write("script.sql", script);
        self.pgbench(
            load,
            "script",
            &format!("-f {}", file.display()),
            statements,
        )
    }

    fn pgbench(&self, load: &Load, name: &str, what: &str, statements: usize) -> Run {
        let Load {
            address,
            protocol,
            clients,
            transactions: transactions_each,
        } = load;
        let home = &self.daemon.home;
        let log = format!("{name}-{address}-{protocol}");
        let begin = self.daemon.output.lines().len();
        home.run(
            &program("pgbench"),
            &format!(
                "-n -h {address} -p {PORT} -U {USER} -M {protocol} -c {clients} -j 1 \
                 -t {transactions_each} -l --log-prefix={log} {what} postgres"
            ),
        );
        let text = read_logs(home.path(), &log);
        let transactions: Vec<f64> = text.lines().filter_map(latency).collect();
        let count = (clients * transactions_each) as usize;
        assert_eq!(transactions.len(), count, "lines of the log of pgbench");
        // The last lines may still be on their way. The client looks for something of its own.
        let statements = poll_until("lines of the log", PATIENCE, || {
            let lines = self.daemon.output.lines();
            let found = sums(lines.get(begin..).unwrap_or_default(), statements);
            let length = found.len();
            (length >= count)
                .then_some(found)
                .ok_or_else(|| format!("{length} of {count}"))
        });
        Run {
            transactions,
            statements,
        }
    }
}

/// All files that begin so.
fn read_logs(dir: &Path, prefix: &str) -> String {
    let entries = fs::read_dir(dir).expect("list the directory");
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(&format!("{prefix}."))
        })
        .map(|path| fs::read_to_string(path).expect("read a log"))
        .collect()
}

/// Of a line `client transaction µs script second µs`: how long the transaction took, seconds.
fn latency(line: &str) -> Option<f64> {
    let micros: f64 = line.split_whitespace().nth(2)?.parse().ok()?;
    Some(micros / 1e6)
}

/// Sums over so many statements each that a process logged one after the other.
fn sums(lines: &[String], statements: usize) -> Vec<f64> {
    let mut processes: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (process, time) in lines.iter().filter_map(|line| duration(line)) {
        processes.entry(process).or_default().push(time);
    }
    processes
        .values()
        .flat_map(|times| times.chunks_exact(statements))
        .map(|times| times.iter().sum())
        .collect()
}

/// Of a line `… [pid] LOG:  duration: ms ms  statement: …` or `… execute name: …`: who, and how
/// long it took, seconds.
fn duration(line: &str) -> Option<(&str, f64)> {
    let (before, rest) = line.split_once("] LOG:  duration: ")?;
    let (_, process) = before.rsplit_once('[')?;
    let (millis, what) = rest.split_once(" ms  ")?;
    let run = what.starts_with("statement: ") || what.starts_with("execute ");
    let millis: f64 = millis.parse().ok()?;
    run.then_some((process, millis / 1e3))
}

/// A program of the newest server here. The names on `PATH` may be wrappers.
fn program(name: &str) -> PathBuf {
    let initdb = host::tool("initdb").expect("PostgreSQL is not installed");
    let real = fs::canonicalize(initdb).expect("where PostgreSQL is");
    real.with_file_name(name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_a_line_of_the_servers_log() {
        let line = |what: &str| format!("2026-01-01 [7] LOG:  duration: 2.5 ms  {what}: select 1");
        assert_eq!(super::duration(&line("statement")), Some(("7", 0.002_5)));
        assert_eq!(super::duration(&line("execute P_0")), Some(("7", 0.002_5)));
        assert_eq!(super::duration(&line("bind P_0")), None);
        assert_eq!(super::duration("[7] LOG:  ready"), None);
        let lines = ["statement", "execute P_0", "execute P_1"].map(line);
        assert_eq!(super::sums(&lines, 2), [0.005]);
    }

    #[test]
    fn reads_a_line_of_the_log() {
        let line = "0 199 2241 0 1175850568 995598";
        assert_eq!(super::latency(line), Some(0.002_241));
        assert_eq!(super::latency("0 199 skipped 0 1 2"), None);
    }
}
