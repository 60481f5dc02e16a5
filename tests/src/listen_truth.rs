//! What `ss` and the kernel's own counters say of listening sockets.

use crate::{host, netns::Netns};

/// A listening socket as `ss -ltnm` prints it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SsListener {
    /// Connections waiting (`Recv-Q`).
    pub queue: u64,
    /// Limit of the queue (`Send-Q`).
    pub limit: u64,
    /// Dropped connection requests (`d` of `skmem`).
    pub drops: u64,
}

/// The socket that listens on `port` in `namespace`.
///
/// # Panics
/// When there is none, or several.
pub fn listener(namespace: &Netns, port: u16) -> SsListener {
    let mut command = host::command("ss");
    command.args(["-ltnmOH", &format!("sport = :{port}")]);
    namespace.enter(&mut command);
    let output = command.output().expect("run ss");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let [line] = lines[..] else {
        panic!("ss: one listener on port {port} expected: {text}");
    };
    parse(line).unwrap_or_else(|| panic!("ss: {line}"))
}

fn parse(line: &str) -> Option<SsListener> {
    let mut fields = line.split_whitespace();
    let (queue, limit) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    let skmem = fields.find_map(|field| field.strip_prefix("skmem:("))?;
    let drops = skmem.trim_end_matches(')').rsplit(',').next()?;
    Some(SsListener {
        queue,
        limit,
        drops: drops.strip_prefix('d')?.parse().ok()?,
    })
}

/// `TcpExtListenDrops` of a namespace, as `nstat` shows it.
///
/// # Panics
/// When the kernel does not count them.
pub fn listen_drops(namespace: &Netns) -> u64 {
    tcp_ext(namespace, "ListenDrops")
}

/// One of the `TcpExt` counters of a namespace, by its name without that prefix.
///
/// # Panics
/// When the kernel does not count it.
pub fn tcp_ext(namespace: &Netns, name: &str) -> u64 {
    let text = namespace.run(|| std::fs::read_to_string("/proc/thread-self/net/netstat"));
    let text = text.expect("netstat of the namespace");
    counter(&text, name).unwrap_or_else(|| panic!("no TcpExt{name}"))
}

fn counter(netstat: &str, name: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|known| known == name)?;
    values.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_ss() {
        let line = "LISTEN 129 128 127.0.0.1:40123 0.0.0.0:* \
                    skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d42)";
        let expected = SsListener {
            queue: 129,
            limit: 128,
            drops: 42,
        };
        assert_eq!(parse(line), Some(expected));
    }

    #[test]
    fn reads_a_counter() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 2 3\n\
                    IpExt: ListenDrops\nIpExt: 9\n";
        assert_eq!(counter(text, "ListenDrops"), Some(3));
        assert_eq!(counter(text, "Missing"), None);
    }
}
