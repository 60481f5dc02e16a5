#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// A message as the kernel sends it: header, an attribute of no interest, `tcp_info`.
fn message(family: i32, state: u8, info: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[0] = family as u8;
    bytes[1] = state;
    bytes[4..6].copy_from_slice(&443u16.to_be_bytes());
    bytes[6..8].copy_from_slice(&50_000u16.to_be_bytes());
    if family == libc::AF_INET {
        bytes[8..12].copy_from_slice(&[10, 0, 0, 1]);
        bytes[24..28].copy_from_slice(&[10, 0, 0, 2]);
    } else {
        bytes[8..24].copy_from_slice(&std::net::Ipv6Addr::LOCALHOST.octets());
        bytes[24] = 0xfd;
    }
    bytes[44..48].copy_from_slice(&7u32.to_ne_bytes());
    bytes[48..52].copy_from_slice(&1u32.to_ne_bytes());
    bytes[56..60].copy_from_slice(&100u32.to_ne_bytes());
    bytes[60..64].copy_from_slice(&200u32.to_ne_bytes());
    // Shutdown mask: 1 byte, padded to 4.
    bytes.extend([5, 0, 8, 0, 3, 0, 0, 0]);
    if let Some(info) = info {
        bytes.extend((info.len() as u16 + 4).to_ne_bytes());
        bytes.extend(INET_DIAG_INFO.to_ne_bytes());
        bytes.extend(info);
    }
    bytes
}

fn tcp_info() -> Vec<u8> {
    let mut info = vec![0; 248];
    let mut put = |at: usize, value: u64, len: usize| {
        info[at..at + len].copy_from_slice(&value.to_ne_bytes()[..len]);
    };
    put(68, 40_500, 4);
    put(100, 3, 4);
    put(128, 1_000_001, 8);
    put(148, 40_100, 4);
    put(156, 77, 4);
    put(192, 70, 4);
    put(200, 5_000_000_000, 8);
    put(208, 4_000, 8);
    info
}

fn socket(bytes: &[u8]) -> SockRecord {
    match parse(bytes, 9, IdMode::Cookie) {
        Ok(Answer::Socket(record)) => record,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn every_field_of_an_established_socket() {
    let bytes = message(libc::AF_INET, tcp_state::ESTABLISHED, Some(&tcp_info()));
    assert_eq!(
        socket(&bytes),
        SockRecord {
            id: (1 << 32 | 7) << 8,
            bytes_sent: 5_000_000_000,
            bytes_retrans: 4_000,
            bytes_received: 1_000_001,
            local_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1],
            remote_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2],
            netns: 9,
            srtt_us: 40_500,
            min_rtt_us: 40_100,
            data_segs_out: 77,
            total_retrans: 3,
            delivered: 70,
            unread: 100,
            unacked: 200,
            local_port: 443,
            remote_port: 50_000,
            state: tcp_state::ESTABLISHED,
            ..SockRecord::default()
        }
    );
}

#[test]
fn syn_and_fin_are_no_payload() {
    use tcp_state::*;
    for (state, received, unread, unacked) in [
        (ESTABLISHED, 1_000_001, 100, 200),
        (SYN_SENT, 1_000_001, 100, 199),
        (FIN_WAIT1, 1_000_001, 100, 199),
        (FIN_WAIT2, 1_000_001, 100, 200),
        (CLOSE_WAIT, 1_000_000, 99, 200),
        (LAST_ACK, 1_000_000, 99, 199),
        (CLOSING, 1_000_000, 99, 199),
    ] {
        let record = socket(&message(libc::AF_INET6, state, Some(&tcp_info())));
        assert_eq!(
            (record.bytes_received, record.unread, record.unacked),
            (received, unread, unacked),
            "state {state}"
        );
        assert_eq!(record.v6, 1);
    }
}

#[test]
fn a_listener_has_a_queue_and_no_peer() {
    let record = socket(&message(libc::AF_INET, tcp_state::LISTEN, Some(&[0; 248])));
    assert_eq!((record.unread, record.unacked), (100, 200));
    assert_eq!((record.remote_addr, record.remote_port), ([0; 16], 0));
    assert_eq!(record.min_rtt_us, u32::MAX);
}

#[test]
fn sockets_without_counters() {
    let request = socket(&message(libc::AF_INET, tcp_state::SYN_RECV, None));
    assert_eq!((request.bytes_sent, request.min_rtt_us), (0, u32::MAX));
    let mut waiting = message(libc::AF_INET, tcp_state::FIN_WAIT2, None);
    waiting[2] = TIMER_TIME_WAIT;
    let Ok(Answer::TimeWait(record)) = parse(&waiting, 9, IdMode::Tuple) else {
        unreachable!()
    };
    assert_eq!(record.state, tcp_state::TIME_WAIT);
    assert_eq!(record.id, tuple_id(&record));
    assert_eq!(
        parse(
            &message(libc::AF_INET, tcp_state::ESTABLISHED, None),
            9,
            IdMode::Cookie
        ),
        Err(Refusal::NoInfo)
    );
}

#[test]
fn what_an_old_kernel_cannot_say_is_not_zero() {
    let info = tcp_info();
    for len in [0, 104, 192, 200, 215] {
        assert_eq!(
            parse(
                &message(libc::AF_INET, tcp_state::ESTABLISHED, Some(&info[..len])),
                9,
                IdMode::Cookie
            ),
            Err(Refusal::ShortInfo)
        );
    }
    assert!(
        parse(
            &message(libc::AF_INET, tcp_state::ESTABLISHED, Some(&info[..216])),
            9,
            IdMode::Cookie
        )
        .is_ok()
    );
}

#[test]
fn attributes_that_do_not_fit_are_refused() {
    let whole = message(libc::AF_INET, tcp_state::ESTABLISHED, Some(&tcp_info()));
    for cut in 0..whole.len() {
        assert!(parse(&whole[..cut], 9, IdMode::Cookie).is_err(), "{cut}");
    }
    for len in [0u16, 3, 6000] {
        let mut bad = whole.clone();
        bad[HEADER_BYTES..HEADER_BYTES + 2].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(parse(&bad, 9, IdMode::Cookie), Err(Refusal::Malformed));
    }
    let mut family = whole;
    family[0] = libc::AF_UNIX as u8;
    assert_eq!(parse(&family, 9, IdMode::Cookie), Err(Refusal::Malformed));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
        v6 in any::<bool>(),
    ) {
        let _ = parse(&bytes, 1, IdMode::Tuple);
        if let Some(first) = bytes.first_mut() {
            *first = if v6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
        }
        let _ = parse(&bytes, 1, IdMode::Cookie);
    }
}
