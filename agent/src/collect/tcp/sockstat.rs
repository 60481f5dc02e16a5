//! How many TCP sockets a network namespace has, without walking them (`/proc/PID/net/sockstat`).

use std::io;

use crate::collect::proc_file::{ProcReader, is_gone, leading_number};

/// Numbers of TCP sockets of one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SockStat {
    /// `AF_INET` sockets in the kernel's tables, listeners and orphans included, TIME_WAIT and
    /// requests (handshakes under way, which need a listener) not.
    pub v4: u64,
    /// The same for `AF_INET6`; 0 where the kernel has no IPv6.
    pub v6: u64,
    /// Sockets in TIME_WAIT, of both families.
    pub time_wait: u64,
}

/// Reads the numbers of the namespace that process `pid` lives in (0: our own).
pub fn read(proc: &mut ProcReader, pid: u32) -> io::Result<SockStat> {
    let (v4, time_wait) = read_v4(proc, pid)?;
    let v6 = match proc.read_once(pid, "net/sockstat6") {
        Ok(text) => parse_v6(text).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "net/sockstat6 has no TCP6 line")
        })?,
        Err(error) if is_gone(&error) => 0,
        Err(error) => return Err(error),
    };
    Ok(SockStat { v4, v6, time_wait })
}

/// Reads the number of sockets in TIME_WAIT alone, at half the cost: one file instead of two.
pub fn read_time_wait(proc: &mut ProcReader, pid: u32) -> io::Result<u64> {
    read_v4(proc, pid).map(|(_, time_wait)| time_wait)
}

fn read_v4(proc: &mut ProcReader, pid: u32) -> io::Result<(u64, u64)> {
    parse_v4(proc.read_once(pid, "net/sockstat")?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "net/sockstat has no TCP line"))
}

/// (sockets in use, sockets in TIME_WAIT) from `sockstat`.
fn parse_v4(text: &[u8]) -> Option<(u64, u64)> {
    let line = line_of(text, b"TCP:")?;
    Some((field(line, b"inuse")?, field(line, b"tw")?))
}

/// Sockets in use from `sockstat6`.
fn parse_v6(text: &[u8]) -> Option<u64> {
    field(line_of(text, b"TCP6:")?, b"inuse")
}

fn line_of<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    crate::collect::proc_file::line_value(text, key)
}

/// The number behind the word `name`.
fn field(line: &[u8], name: &[u8]) -> Option<u64> {
    let mut words = line.split(|byte| *byte == b' ');
    words.find(|word| *word == name)?;
    leading_number(words.next()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::collect::proc_file::proc_root;

    const V4: &[u8] = b"sockets: used 14\n\
        TCP: inuse 3 orphan 1 tw 27 alloc 5 mem 158\n\
        UDP: inuse 9 mem 0\n";
    const V6: &[u8] = b"TCP6: inuse 2\nUDP6: inuse 8\n";

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(parse_v4(V4), Some((3, 27)));
        assert_eq!(parse_v6(V6), Some(2));
        assert_eq!(parse_v4(b"TCP: inuse 3 orphan 1"), None);
        assert_eq!(parse_v4(b"TCP: inuse"), None);
        assert_eq!(parse_v6(V4), None);
    }

    #[test]
    fn a_listener_of_ours_counts() {
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stat = read(&mut ProcReader::new(&proc_root()), 0).unwrap();
        assert!(stat.v4 >= 1, "{stat:?}");
        assert!(read_time_wait(&mut ProcReader::new(&proc_root()), u32::MAX).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_v4(&bytes);
            let _ = parse_v6(&bytes);
        }
    }
}
