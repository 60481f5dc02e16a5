#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{Read, Write},
    net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
};

use hostlens_ebpf::wire::{SockRecord, SockTotals, tcp_state};

use super::{super::foreign::ForeignNamespace, super::netns::within, *};

#[derive(Default)]
pub(in super::super) struct Seen {
    pub sockets: Vec<SockRecord>,
    pub time_wait: Vec<SockRecord>,
}

impl TcpSink for Seen {
    fn socket(&mut self, record: &SockRecord) {
        self.sockets.push(*record);
    }
    fn time_wait(&mut self, record: &SockRecord) {
        self.time_wait.push(*record);
    }
    fn lost(&mut self, _: &[SockTotals; 3]) {}
}

impl Seen {
    /// The socket with these ports.
    fn between(&self, local: SocketAddr, remote: SocketAddr) -> SockRecord {
        let found: Vec<_> = self
            .sockets
            .iter()
            .filter(|record| {
                record.local_port == local.port() && record.remote_port == remote.port()
            })
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        *found[0]
    }
}

pub(in super::super) fn octets(address: SocketAddr) -> [u8; 16] {
    match address.ip() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        std::net::IpAddr::V6(ip) => ip.octets(),
    }
}

/// A connection to `listener`, with 1000 bytes sent and read, and 300 sent back and not read.
fn talk(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[1; 1000]).unwrap();
    server.read_exact(&mut [0; 1000]).unwrap();
    server.write_all(&[2; 300]).unwrap();
    // Once all of it can be peeked at, it has been received.
    while client.peek(&mut [0; 300]).unwrap() < 300 {}
    (client, server)
}

fn own_sockets(mode: IdMode) -> Seen {
    let mut seen = Seen::default();
    let own = [Namespace::own().unwrap()];
    let outcome = DiagCollector::new(mode, false).collect(&own, &mut seen);
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    assert_eq!(outcome.malformed, 0);
    assert_eq!(
        (outcome.sockets, outcome.namespaces),
        (seen.sockets.len() as u64, 1)
    );
    seen
}

fn loopback_is_seen(listener: &TcpListener, v6: u8) {
    let (client, server) = talk(listener);
    let (near, far) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let seen = own_sockets(IdMode::Cookie);
    let record = seen.between(near, far);
    assert_eq!(record.local_addr, octets(near));
    assert_eq!(record.remote_addr, octets(far));
    assert_eq!((record.bytes_sent, record.bytes_received), (1000, 300));
    assert_eq!((record.unread, record.unacked), (300, 0));
    assert_eq!((record.state, record.v6), (tcp_state::ESTABLISHED, v6));
    assert!(record.srtt_us > 0 && record.min_rtt_us <= record.srtt_us * 8);
    assert!(record.data_segs_out >= 1 && record.delivered >= 1);
    assert_eq!(record.netns, Namespace::own().unwrap().inode);
    let back = seen.between(far, near);
    assert_eq!((back.bytes_sent, back.bytes_received), (300, 1000));
    assert_ne!(back.id, record.id);
    let listening: Vec<_> = seen
        .sockets
        .iter()
        .filter(|record| record.state == tcp_state::LISTEN && record.local_port == far.port())
        .collect();
    assert_eq!(listening.len(), 1);
    assert_eq!(listening[0].unread, 0);
    assert!(listening[0].unacked > 0);

    // The end of the stream is no byte.
    server.shutdown(Shutdown::Write).unwrap();
    let mut rest = client.try_clone().unwrap();
    rest.read_exact(&mut [0; 300]).unwrap();
    assert_eq!(client.peek(&mut [0; 1]).unwrap(), 0);
    let seen = own_sockets(IdMode::Tuple);
    let closing = seen.between(near, far);
    assert_eq!(closing.state, tcp_state::CLOSE_WAIT);
    assert_eq!((closing.bytes_received, closing.unread), (300, 0));
    assert_eq!(closing.id, super::super::identity::tuple_id(&closing));
    let again = own_sockets(IdMode::Cookie).between(near, far);
    assert_eq!(again.id, record.id);
}

#[test]
fn an_ipv4_connection_of_ours() {
    loopback_is_seen(&TcpListener::bind("127.0.0.1:0").unwrap(), 0);
}

#[test]
fn an_ipv6_connection_of_ours() {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(listener) => loopback_is_seen(&listener, 1),
        Err(error) => eprintln!("skipped: no IPv6 here: {error}"),
    }
}

#[test]
fn sockets_name_their_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, _server) = talk(&listener);
    let (near, far) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let own = [Namespace::own().unwrap()];
    let mut collector = DiagCollector::new(IdMode::Cookie, false);
    // Each walk looks through some of the host's descriptors, until ours have been found.
    for _ in 0..1000 {
        let mut seen = Seen::default();
        let outcome = collector.collect(&own, &mut seen);
        assert_eq!(outcome.sockets, seen.sockets.len() as u64);
        let pair = [seen.between(near, far), seen.between(far, near)];
        if pair.iter().all(|record| record.owner_tgid != 0) {
            assert!(pair.iter().all(|it| it.owner_tgid == std::process::id()));
            assert!(pair.iter().all(|it| it.owner_start_ns > 0));
            return;
        }
    }
    unreachable!("no owner found: {:?}", collector.owners_degraded());
}

#[test]
fn a_connection_in_another_namespace() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let namespace = foreign.namespace();
    let all = [Namespace::own().unwrap(), namespace.clone()];
    let mut collector = DiagCollector::new(IdMode::Cookie, false);
    let empty = collector.collect(&all, &mut Seen::default());
    assert_eq!((empty.namespaces, empty.errors.len()), (2, 0));

    let (client, server) = within(&namespace, || {
        talk(&TcpListener::bind("127.0.0.1:0").unwrap())
    })
    .unwrap();
    let mut seen = Seen::default();
    let outcome = collector.collect(&all, &mut seen);
    assert_eq!((outcome.namespaces, outcome.errors.len()), (2, 0));
    seen.sockets
        .retain(|record| record.netns == namespace.inode);
    assert_eq!(seen.sockets.len(), 2);
    let (near, far) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    assert_eq!(seen.between(near, far).bytes_sent, 1000);
    drop((client, server));

    drop(foreign);
    let outcome = collector.collect(&all, &mut Seen::default());
    assert_eq!((outcome.gone, outcome.errors.len()), (1, 0));
}

#[test]
fn a_collector_keeps_no_namespace_alive() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let namespace = foreign.namespace();
    let _listener = within(&namespace, || TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let mut collector = DiagCollector::new(IdMode::Cookie, false);
    let mut seen = Seen::default();
    collector.collect(std::slice::from_ref(&namespace), &mut seen);
    assert_eq!(seen.sockets.len(), 1);
    let held = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|link| link.to_string_lossy() == format!("net:[{}]", namespace.inode))
        .count();
    assert_eq!(held, 0);
    assert!(collector.sockets.is_empty());
}
