//! Times to first byte: who asks and who answers, each with its own stamps, and what an agent
//! says of the two.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    net::SocketAddr,
    path::Path,
};

use serde_json::Value;

use crate::{
    netns::Netns,
    scrape::Scrape,
    tcp_truth::quantile,
    workload::{Start, Workload},
};

/// Growth of a bucket, in octaves.
pub const BUCKET: f64 = 1.0 / 8.0;
/// Histogram of answers to peers, and from them.
pub const RESPONSE: &str = "tcp_response";
/// Quantiles of the peers' own part.
pub const PEER_TIME: &str = "tcp_peer_time";
/// Histogram of waiting at a listener.
pub const WAIT: &str = "tcp_accept_to_read_wait";
/// Histogram of serving at a listener.
pub const SERVE: &str = "tcp_serve";
/// Quantiles to compare.
pub const COMPARED: [&str; 2] = ["0.5", "0.95"];

/// A server that takes a while for each answer (`answer` of the workload program).
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    process: Workload,
}

impl Server {
    /// Listens on `address` and a free port; `arguments` as for `answer`.
    pub fn start(program: &Path, address: &str, arguments: &str, namespace: &Netns) -> Self {
        let arguments = format!("answer {address} {arguments}");
        let mut process = Start::new(program, &arguments).within(namespace).spawn();
        let port = process.reply()["port"].as_u64().expect("port") as u16;
        let address = SocketAddr::new(address.parse().expect("an address"), port);
        Self { address, process }
    }

    /// How long each answer took since this was last asked, seconds, ascending.
    pub fn served(&mut self) -> Vec<f64> {
        self.process.say("");
        ascending(&self.process.reply()["served"])
    }
}

/// Clients of such a server (`converse` of the workload program), connected.
#[derive(Debug)]
pub struct Clients(Workload);

impl Clients {
    /// Connects; `arguments` as for `converse`.
    pub fn start(program: &Path, server: &Server, arguments: &str, namespace: &Netns) -> Self {
        let arguments = format!("converse {} {arguments}", server.address);
        let mut process = Start::new(program, &arguments).within(namespace).spawn();
        process.reply();
        Self(process)
    }

    /// Has each connection ask as often as it was told, and hands out how long each turn took,
    /// seconds, ascending.
    pub fn converse(&mut self) -> Vec<f64> {
        self.ask();
        self.waited()
    }

    /// Has each connection begin to ask.
    pub fn ask(&mut self) {
        self.0.say("");
    }

    /// What [`Clients::converse`] hands out, once all that was begun is answered.
    pub fn waited(&mut self) -> Vec<f64> {
        ascending(&self.0.reply()["waited"])
    }
}

fn ascending(micros: &Value) -> Vec<f64> {
    let micros = micros.as_array().expect("times");
    let mut all: Vec<f64> = micros
        .iter()
        .map(|one| one.as_f64().expect("a time") / 1e6)
        .collect();
    all.sort_by(f64::total_cmp);
    all
}

/// One row of an agent: peers by direction, or a listener.
#[derive(Clone, Debug)]
pub struct Row(Vec<(&'static str, String)>);

impl Row {
    /// The peer that is asked at this address.
    pub fn outbound(server: SocketAddr) -> Self {
        Self(vec![
            ("direction", "outbound".to_owned()),
            ("remote_ip", server.ip().to_string()),
            ("remote_port", server.port().to_string()),
        ])
    }

    /// Those who ask at this address.
    pub fn inbound(server: SocketAddr) -> Self {
        Self(vec![
            ("direction", "inbound".to_owned()),
            ("listen_ip", server.ip().to_string()),
            ("listen_port", server.port().to_string()),
        ])
    }

    /// The listener at this address.
    pub fn listener(server: SocketAddr) -> Self {
        Self(vec![
            ("listen_ip", server.ip().to_string()),
            ("listen_port", server.port().to_string()),
        ])
    }

    /// Its labels, and one more if given.
    fn labels<'a>(&'a self, more: Option<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
        let own = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        own.chain(more).collect()
    }

    /// Samples of this histogram: a family by its name without its unit.
    pub fn count(&self, scrape: &Scrape, family: &str) -> f64 {
        scrape.sum(
            &format!("hostlens_{family}_seconds_count"),
            &self.labels(None),
        )
    }

    /// Their mean, seconds.
    ///
    /// # Errors
    /// When there are none.
    pub fn mean(&self, scrape: &Scrape, family: &str) -> Result<f64, String> {
        let count = self.count(scrape, family);
        let sum = scrape.sum(
            &format!("hostlens_{family}_seconds_sum"),
            &self.labels(None),
        );
        (count > 0.0)
            .then_some(sum / count)
            .ok_or_else(|| format!("no {family} of {self:?}"))
    }

    /// A quantile, seconds.
    ///
    /// # Errors
    /// When there is none.
    pub fn quantile(&self, scrape: &Scrape, family: &str, q: &str) -> Result<f64, String> {
        let family = format!("hostlens_{family}_quantile_seconds");
        scrape.value(&family, &self.labels(Some(("q", q))))
    }

    /// Whether these quantiles lie within one bucket of those of `truth`, seconds, ascending.
    ///
    /// # Errors
    /// The first that does not.
    pub fn quantiles_agree(
        &self,
        scrape: &Scrape,
        family: &str,
        truth: &[f64],
        compared: &[&str],
    ) -> Result<(), String> {
        for q in compared {
            let read = self.quantile(scrape, family, q)?;
            let expected = quantile(truth, q.parse().expect("a number"));
            let words = format!("{family} q{q}: {read:.6} s, truth {expected:.6} s");
            println!("{words}  {:?}", self.0);
            if !same_bucket(read, expected) {
                return Err(format!("{words} of {self:?}"));
            }
        }
        Ok(())
    }

    /// Whether no boundary of the histogram has more samples on either side than `truth`
    /// (seconds, ascending) has, shifted by one bucket, but for `strays`.
    ///
    /// # Errors
    /// The first boundary that has.
    pub fn histogram_agrees(
        &self,
        scrape: &Scrape,
        family: &str,
        truth: &[f64],
        strays: usize,
    ) -> Result<(), String> {
        let series = scrape.series(
            &format!("hostlens_{family}_seconds_bucket"),
            &self.labels(None),
        );
        if series.is_empty() {
            return Err(format!("no {family} of {self:?}"));
        }
        for sample in series {
            let Ok(bound) = sample.label("le").parse::<f64>() else {
                continue;
            };
            let below = |bound: f64| truth.partition_point(|one| *one <= bound);
            let least = below(bound / BUCKET.exp2()).saturating_sub(strays);
            let most = below(bound * BUCKET.exp2()) + strays;
            if !(least as f64..=most as f64).contains(&sample.value) {
                let count = sample.value;
                return Err(format!(
                    "{family}: {count} within {bound} s, truth {least} to {most}, of {self:?}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether two times lie within one bucket of each other.
pub fn same_bucket(one: f64, other: f64) -> bool {
    (one / other).log2().abs() <= BUCKET
}

/// Whether `count` turns were seen of this many: a kernel may run no programs while a process is
/// current that it shields from tracing, such as the supervisor of a virtual machine.
///
/// # Errors
/// When more than one of a hundred is missing.
pub fn enough(count: f64, turns: usize) -> Result<(), String> {
    let least = turns - turns.div_ceil(100);
    (count >= least as f64)
        .then_some(())
        .ok_or_else(|| format!("{count} of {turns} turns"))
}

/// Turns left out so far, everywhere on the host, by direction and reason.
#[derive(Clone, Debug, Default)]
pub struct Exclusions(BTreeMap<(String, String), f64>);

impl Exclusions {
    /// As this scrape has them.
    pub fn of(scrape: &Scrape) -> Self {
        let series = scrape.series("hostlens_tcp_response_excluded_total", &[]);
        let entries = series.into_iter().map(|sample| {
            let labels = ["direction", "reason"].map(|name| sample.label(name).to_owned());
            (labels.into(), sample.value)
        });
        Self(entries.collect())
    }

    /// What has come since an earlier look.
    pub fn since(&self, earlier: &Self) -> Self {
        let entries = self.0.iter().map(|(labels, value)| {
            let before = earlier.0.get(labels).copied().unwrap_or(0.0);
            (labels.clone(), value - before)
        });
        Self(entries.collect())
    }

    /// For one reason.
    pub fn of_reason(&self, direction: &str, reason: &str) -> f64 {
        let labels = (direction.to_owned(), reason.to_owned());
        self.0.get(&labels).copied().unwrap_or(0.0)
    }
}

impl Display for Exclusions {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let some = self.0.iter().filter(|(_, value)| **value > 0.0);
        for ((direction, reason), value) in some {
            write!(out, "[{direction} {reason} {value}]")?;
        }
        Ok(())
    }
}
