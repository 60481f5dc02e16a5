//! PostgreSQL and its own load generator.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;

use super::{Daemon, Home};
use crate::{host, netns::Netns};

/// Who owns the server; it refuses to run as root, and to run as nobody it knows.
const USER: &str = "postgres";
/// Where it listens.
pub const PORT: u16 = 5432;

/// A running server with an empty database.
#[derive(Debug)]
pub struct Postgres {
    daemon: Daemon,
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
                 -c max_wal_senders=0 -c lc_messages=C"
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

    /// Runs pgbench's own transaction on its own tables; seconds that each transaction took.
    pub fn bench_builtin(&self, load: &Load) -> Vec<f64> {
        self.pgbench(load, "builtin", "-b tpcb-like")
    }

    /// Runs a script of pgbench; seconds that each transaction took.
    pub fn bench(&self, load: &Load, script: &str) -> Vec<f64> {
        let file = self.daemon.home.write("script.sql", script);
        self.pgbench(load, "script", &format!("-f {}", file.display()))
    }

    fn pgbench(&self, load: &Load, name: &str, what: &str) -> Vec<f64> {
        let Load {
            address,
            protocol,
            clients,
            transactions,
        } = load;
        let home = &self.daemon.home;
        let log = format!("{name}-{address}-{protocol}");
        home.run(
            &program("pgbench"),
            &format!(
                "-n -h {address} -p {PORT} -U {USER} -M {protocol} -c {clients} -j 1 \
                 -t {transactions} -l --log-prefix={log} {what} postgres"
            ),
        );
        let text = read_logs(home.path(), &log);
        let times: Vec<f64> = text.lines().filter_map(latency).collect();
        assert_eq!(
            times.len(),
            (clients * transactions) as usize,
            "transactions in the log of pgbench"
        );
        times
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

/// A program of the newest server here. The names on `PATH` may be wrappers.
fn program(name: &str) -> PathBuf {
    let initdb = host::tool("initdb").expect("PostgreSQL is not installed");
    let real = fs::canonicalize(initdb).expect("where PostgreSQL is");
    real.with_file_name(name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_a_line_of_the_log() {
        let line = "0 199 2241 0 1175850568 995598";
        assert_eq!(super::latency(line), Some(0.002_241));
        assert_eq!(super::latency("0 199 skipped 0 1 2"), None);
    }
}
