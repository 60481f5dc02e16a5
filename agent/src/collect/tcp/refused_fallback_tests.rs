#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
};

use proptest::prelude::*;

use super::{super::foreign::ForeignNamespace, super::netns::within, *};

const SNMP: &[u8] = b"Ip: Forwarding DefaultTTL\nIp: 1 64\n\
    Tcp: RtoAlgorithm MaxConn InErrs OutRsts InCsumErrors\nTcp: 1 -1 0 4711 0\n\
    Udp: InDatagrams\nUdp: 3\n";

#[test]
fn counters_are_found_by_name() {
    assert_eq!(counter(SNMP, b"Tcp:", b"OutRsts"), Some(4711));
    assert_eq!(counter(SNMP, b"Tcp:", b"InCsumErrors"), Some(0));
    // No number, or no such name, table or line.
    assert_eq!(counter(SNMP, b"Tcp:", b"MaxConn"), None);
    assert_eq!(counter(SNMP, b"Tcp:", b"Rsts"), None);
    assert_eq!(counter(SNMP, b"TcpExt:", b"OutRsts"), None);
    assert_eq!(counter(b"Tcp: OutRsts\n", b"Tcp:", b"OutRsts"), None);
    assert_eq!(
        counter(b"Tcp: A OutRsts\nTcp: 1\n", b"Tcp:", b"OutRsts"),
        None
    );
    assert_eq!(counter(b"", b"Tcp:", b"OutRsts"), None);
}

#[test]
fn the_bound_never_falls_and_starts_from_what_was_found() {
    let mut known = Known::default();
    for (resets, aborts, unexplained) in [
        (1000, 10, 0),
        (1005, 12, 3),
        // An abort was read before its reset, and is explained later.
        (1006, 13, 3),
        (1006, 16, 3),
        (1010, 16, 4),
        // The counters began anew.
        (0, 0, 4),
    ] {
        known.update(Counts { resets, aborts });
        assert_eq!(known.unexplained, unexplained);
    }
}

#[test]
fn refusals_and_aborts_of_a_namespace() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let all = [foreign.namespace()];
    let mut bound = RefusedBound::default();
    assert_eq!(bound.at_most(), None);
    assert_eq!(bound.reason("no program"), "no program");
    bound.read(&all);
    assert_eq!(bound.at_most(), Some(0));
    assert!(
        bound
            .reason("no program")
            .starts_with("no program; no reset")
    );

    // A reset of an abort is explained.
    within(&all[0], || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"never read").unwrap();
        while server.peek(&mut [0; 10]).unwrap() < 10 {}
        drop(server);
        drop((client, listener));
    })
    .unwrap();
    bound.read(&all);
    assert_eq!(bound.at_most(), Some(0));

    within(&all[0], || {
        for _ in 0..5 {
            assert!(TcpStream::connect("127.0.0.1:9").is_err());
        }
    })
    .unwrap();
    bound.read(&all);
    assert_eq!(bound.at_most(), Some(5));
    assert!(bound.reason("no program").contains("at most 5"));
    bound.read(&[]);
    assert_eq!(bound.at_most(), None);
}

#[test]
fn our_own_namespace_can_be_read() {
    let own = Namespace::own().unwrap();
    counts(&mut ProcReader::new(&proc_file::proc_root()), &own).unwrap();
    // A process that lives elsewhere does not speak for a namespace.
    let wrong = Namespace::of_pid(own.inode.wrapping_add(1), std::process::id());
    assert!(counts(&mut ProcReader::new(&proc_file::proc_root()), &wrong).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = counter(&bytes, b"Tcp:", b"OutRsts");
        let _ = counter(&[b"Tcp: OutRsts\nTcp: ", &bytes[..]].concat(), b"Tcp:", b"OutRsts");
    }
}
