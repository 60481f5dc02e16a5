//! What `ss` says of connections: the reference for round-trip times and bytes.

use std::{
    collections::VecDeque,
    fs,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use crate::{host, netns::Netns};

/// One established connection as `ss -ti` prints it.
#[derive(Clone, Debug, Default)]
pub struct SsConnection {
    /// Local address and port.
    pub local: String,
    /// Remote address and port.
    pub remote: String,
    /// Smoothed round-trip time, seconds.
    pub rtt: Option<f64>,
    /// Lowest round-trip time, seconds.
    pub min_rtt: Option<f64>,
}

/// Established connections in `namespace` that match `filter` (in the language of ss).
pub fn established(namespace: &Netns, filter: &str) -> Vec<SsConnection> {
    let mut command = host::command("ss");
    command.args(["-tinOH", "state", "established", filter]);
    namespace.enter(&mut command);
    let output = command.output().expect("run ss");
    assert!(
        output.status.success(),
        "ss: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(parse)
        .collect()
}

/// Round-trip times of connections, seconds, ascending.
pub fn rtts(connections: &[SsConnection]) -> Vec<f64> {
    let mut all: Vec<f64> = connections.iter().filter_map(|one| one.rtt).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The value at rank ⌈q·n⌉ of ascending values.
///
/// # Panics
/// Without values.
pub fn quantile(ascending: &[f64], q: f64) -> f64 {
    let rank = (q * ascending.len() as f64).ceil().max(1.0) as usize;
    ascending[rank - 1]
}

/// The round-trip times of a group of connections over the last minute, which is as far as the
/// agent's quantiles reach.
///
/// What `ss` shows at one moment is no truth for them: on a busy host the times of one minute
/// differ from each other far more than a quantile may be off.
#[derive(Debug)]
pub struct Watch {
    namespace: Netns,
    filter: String,
    looks: VecDeque<(Instant, Vec<f64>)>,
}

impl Watch {
    const LENGTH: Duration = Duration::from_secs(60);
    /// How far a quantile of two samplings of the same times may lie apart, in ranks: values
    /// come in rows, as a smoothed time changes slowly.
    const RANKS: f64 = 0.1;

    /// Of the established connections in `namespace` that match `filter` (in the language of ss).
    pub fn new(namespace: &Netns, filter: String) -> Self {
        Self {
            namespace: namespace.clone(),
            filter,
            looks: VecDeque::new(),
        }
    }

    /// Takes down what `ss` says now, and hands it out.
    pub fn look(&mut self) -> Vec<SsConnection> {
        let connections = established(&self.namespace, &self.filter);
        let now = Instant::now();
        self.looks.push_back((now, rtts(&connections)));
        self.looks
            .retain(|(at, _)| now.duration_since(*at) < Self::LENGTH);
        connections
    }

    /// Between which values quantile `q` lies: on a quiet host they are nearly the same.
    ///
    /// # Panics
    /// When no look found a connection.
    pub fn quantile(&self, q: f64) -> RangeInclusive<f64> {
        let mut all: Vec<f64> = self
            .looks
            .iter()
            .flat_map(|(_, rtts)| rtts)
            .copied()
            .collect();
        all.sort_by(f64::total_cmp);
        quantile(&all, q - Self::RANKS)..=quantile(&all, (q + Self::RANKS).min(1.0))
    }
}

/// Whether `value` lies in `range`, widened at both ends by `part` of the end.
pub fn about(value: f64, range: &RangeInclusive<f64>, part: f64) -> bool {
    value >= range.start() * (1.0 - part) && value <= range.end() * (1.0 + part)
}

/// Payload that all sockets of this network namespace have sent so far, bytes, by the books of IP:
/// all octets but for the headers, taking each packet for one of TCP with a time stamp.
///
/// # Panics
/// When procfs lacks the counters.
pub fn payload_sent() -> f64 {
    const TCP_HEADER: f64 = 32.0;
    let packets = snmp("/proc/net/snmp", "Ip:", "OutRequests");
    let octets = snmp("/proc/net/netstat", "IpExt:", "OutOctets");
    let [packets6, octets6] = ["Ip6OutRequests", "Ip6OutOctets"].map(|name| {
        let text = fs::read_to_string("/proc/net/snmp6").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or(0.0)
    });
    octets - packets * (20.0 + TCP_HEADER) + octets6 - packets6 * (40.0 + TCP_HEADER)
}

/// Established sockets of this network namespace, each end of a connection for itself.
///
/// # Panics
/// When procfs lacks the counter.
pub fn established_here() -> f64 {
    snmp("/proc/net/snmp", "Tcp:", "CurrEstab")
}

/// A counter from a file of pairs of lines: names, then values.
fn snmp(file: &str, group: &str, name: &str) -> f64 {
    let text = fs::read_to_string(file).expect("books of the network stack");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
    let (names, values) = (lines.next().expect(group), lines.next().expect(group));
    let pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs
        .into_iter()
        .find(|pair| pair.0 == name)
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or_else(|| panic!("{name} in {file}"))
}

fn parse(line: &str) -> SsConnection {
    let mut fields = line.split_whitespace();
    // With a state filter the columns are Recv-Q, Send-Q, local, remote, then details.
    let (local, remote) = (fields.nth(2), fields.next());
    let mut connection = SsConnection {
        local: local.unwrap_or_default().to_owned(),
        remote: remote.unwrap_or_default().to_owned(),
        ..SsConnection::default()
    };
    for field in fields {
        let millis = |text: &str| {
            let number = text.split('/').next()?.parse::<f64>().ok()?;
            Some(number / 1e3)
        };
        if let Some(rtt) = field.strip_prefix("rtt:") {
            connection.rtt = millis(rtt);
        } else if let Some(min) = field.strip_prefix("minrtt:") {
            connection.min_rtt = millis(min);
        }
    }
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_ss() {
        let line = "0 0 10.77.0.1:20000 10.77.0.2:5001 bbr wscale:7,7 rto:244 \
                    rtt:40.5/0.06 ato:40 mss:1448 minrtt:40.25 rcv_space:14480";
        let read = parse(line);
        assert_eq!(read.local, "10.77.0.1:20000");
        assert_eq!(read.remote, "10.77.0.2:5001");
        assert_eq!(read.rtt, Some(0.0405));
        assert_eq!(read.min_rtt, Some(0.04025));
    }

    #[test]
    fn about_widens_by_a_part() {
        let range = 0.040..=0.050;
        for (value, within) in [
            (0.0381, true),
            (0.0379, false),
            (0.0524, true),
            (0.0526, false),
        ] {
            assert_eq!(about(value, &range, 0.05), within, "{value}");
        }
    }

    #[test]
    fn quantiles_by_rank() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), 10.0);
        assert_eq!(quantile(&values, 0.95), 19.0);
        assert_eq!(quantile(&values, 1.0), 20.0);
    }
}
