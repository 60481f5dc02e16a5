#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::collect::dns::message::tests::message;

const QUERY: [u8; 2] = [1, 0];
const MS: u64 = 1_000_000;

fn packet(time_ns: u64, socket: u64, query: bool, bytes: &[u8]) -> Packet<'_> {
    Packet {
        time_ns,
        socket,
        owner: if query { (10, 20) } else { (0, 0) },
        resolver: [127, 0, 0, 53].into(),
        query,
        tcp: false,
        length: bytes.len(),
        bytes,
    }
}

fn take(matcher: &mut Matcher, packet: &Packet<'_>) -> Vec<Lookup> {
    let mut done = Vec::new();
    matcher.take(packet, |lookup| done.push(lookup));
    done
}

fn expire(matcher: &mut Matcher, now_ns: u64) -> Vec<Lookup> {
    let mut done = Vec::new();
    matcher.expire(now_ns, |lookup| done.push(lookup));
    done
}

#[test]
fn a_query_sent_again_keeps_its_first_time() {
    let mut matcher = Matcher::default();
    let query = message(7, QUERY, "a.b");
    let answer = message(7, [0x81, 0x83], "a.b");
    assert!(take(&mut matcher, &packet(0, 1, true, &query)).is_empty());
    assert!(take(&mut matcher, &packet(1_000 * MS, 1, true, &query)).is_empty());
    // Another socket, another id, the resolver's own side.
    assert!(take(&mut matcher, &packet(5, 2, false, &answer)).is_empty());
    let other = message(8, [0x81, 0x80], "a.b");
    assert!(take(&mut matcher, &packet(5, 1, false, &other)).is_empty());
    assert!(take(&mut matcher, &packet(5, 1, false, &query)).is_empty());
    let done = take(&mut matcher, &packet(1_050 * MS, 1, false, &answer));
    let expected = Lookup {
        tgid: 10,
        start_ns: 20,
        resolver: [127, 0, 0, 53].into(),
        name: "a.b".into(),
        outcome: Outcome::Answer {
            rcode: 3,
            ns: 1_050 * MS,
        },
    };
    assert_eq!(done, [expected]);
    assert!(take(&mut matcher, &packet(1_060 * MS, 1, false, &answer)).is_empty());
    assert_eq!((matcher.waiting(), matcher.dropped()), (0, 0));
    assert!(expire(&mut matcher, u64::MAX).is_empty());
}

#[test]
fn silence_is_a_timeout_after_five_seconds() {
    let mut matcher = Matcher::default();
    for id in 0..3 {
        let query = message(id, QUERY, "silent");
        take(
            &mut matcher,
            &packet(u64::from(id) * 1_000 * MS, 1, true, &query),
        );
    }
    assert!(expire(&mut matcher, 4_999 * MS).is_empty());
    let done = expire(&mut matcher, 6_000 * MS);
    assert_eq!(done.len(), 2);
    assert!(done.iter().all(|lookup| lookup.outcome == Outcome::Timeout));
    let late = message(2, [0x81, 0x80], "silent");
    let done = take(&mut matcher, &packet(7_001 * MS, 1, false, &late));
    assert_eq!(done[0].outcome, Outcome::Timeout, "not looked at in time");
    assert_eq!(matcher.waiting(), 0);
}

#[test]
fn the_first_of_several_resolvers_settles_a_question() {
    let mut matcher = Matcher::default();
    let query = message(7, QUERY, "a.b");
    for last in 1..4 {
        let mut sent = packet(0, 1, true, &query);
        sent.resolver = [10, 0, 0, last].into();
        take(&mut matcher, &sent);
    }
    // The same id for another kind of record at the same resolver is another question.
    assert_eq!(matcher.waiting(), 3);
    let answer = message(7, [0x81, 0x80], "a.b");
    let mut got = packet(MS, 1, false, &answer);
    got.resolver = [10, 0, 0, 2].into();
    assert_eq!(take(&mut matcher, &got)[0].resolver, got.resolver);
    assert_eq!(matcher.waiting(), 0);
    assert!(expire(&mut matcher, u64::MAX).is_empty());
}

#[test]
fn an_id_used_for_another_question_is_counted() {
    let mut matcher = Matcher::default();
    take(&mut matcher, &packet(0, 1, true, &message(7, QUERY, "one")));
    take(
        &mut matcher,
        &packet(3_000 * MS, 1, true, &message(7, QUERY, "two")),
    );
    assert_eq!((matcher.waiting(), matcher.dropped()), (1, 1));
    assert!(
        expire(&mut matcher, 6_000 * MS).is_empty(),
        "it has its own time"
    );
    assert_eq!(&*expire(&mut matcher, 8_000 * MS)[0].name, "two");
}

#[test]
fn only_so_many_wait() {
    let mut matcher = Matcher::default();
    let query = message(7, QUERY, "flood");
    for socket in 0..PENDING as u64 + 10 {
        take(&mut matcher, &packet(0, socket, true, &query));
    }
    assert_eq!((matcher.waiting(), matcher.dropped()), (PENDING, 10));
    assert_eq!(expire(&mut matcher, PATIENCE_NS).len(), PENDING);
    assert_eq!((matcher.waiting(), matcher.pending.len()), (0, 0));
}

#[test]
fn tcp_is_matched_with_and_without_the_length_in_front() {
    for answer_framed in [true, false] {
        let mut matcher = Matcher::default();
        let framed = |message: Vec<u8>| {
            let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
            bytes.extend(message);
            bytes
        };
        let query = framed(message(7, QUERY, "a.b"));
        let mut sent = packet(0, 1, true, &query);
        sent.tcp = true;
        take(&mut matcher, &sent);
        let answer = message(7, [0x81, 0x80], "a.b");
        let answer = if answer_framed {
            framed(answer)
        } else {
            answer
        };
        let mut got = packet(MS, 1, false, &answer);
        got.tcp = true;
        assert_eq!(take(&mut matcher, &got).len(), 1, "{answer_framed}");
    }
}

proptest! {
    #[test]
    fn arbitrary_packets_never_panic(
        packets in prop::collection::vec(
            (0..u64::MAX / 2, 0..3u64, any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..64)),
            0..100,
        )
    ) {
        let mut matcher = Matcher::default();
        for (time, socket, query, tcp, bytes) in packets {
            let mut packet = packet(time, socket, query, &bytes);
            packet.tcp = tcp;
            matcher.take(&packet, |_| {});
            matcher.expire(time, |_| {});
        }
        matcher.expire(u64::MAX, |_| {});
        prop_assert_eq!(matcher.waiting(), 0);
        prop_assert!(matcher.pending.is_empty());
    }
}
