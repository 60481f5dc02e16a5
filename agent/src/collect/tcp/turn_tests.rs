#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::{Direction, Excluded, ListenKey, RttKey, TurnGroup};

use super::{observed::with_each, turns::Turns};
use crate::collect::{TurnSamples, TurnSink};

/// Turns by port of the listener: what its peers waited, what we waited for it, and what its
/// connections waited and took.
#[derive(Default)]
pub(super) struct Answers {
    responses: HashMap<(u16, u8), Vec<TurnSamples>>,
    listeners: HashMap<u16, Vec<TurnSamples>>,
}

impl TurnSink for Answers {
    fn response(&mut self, key: &RttKey, turns: &TurnSamples) {
        let of = self.responses.entry((key.port, key.direction));
        of.or_default().push(turns.clone());
    }

    fn listener(&mut self, listener: &ListenKey, turns: &TurnSamples) {
        let of = self.listeners.entry(listener.port);
        of.or_default().push(turns.clone());
    }

    fn elsewhere(&mut self, group: TurnGroup, _turns: &TurnSamples) {
        panic!("no room for {group:?}");
    }
}

/// Samples of the first and second histogram, sums of both in ns, and those left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub counts: [u64; 2],
    pub sums_ns: [u64; 2],
    pub excluded: [u32; Excluded::COUNT],
}

impl Answers {
    fn sum(&self, of: Option<&Vec<TurnSamples>>) -> Sum {
        let mut sum = Sum::default();
        for turns in of.into_iter().flatten() {
            for (at, samples) in [&turns.first, &turns.second].into_iter().enumerate() {
                sum.counts[at] += samples.count();
                sum.sums_ns[at] += samples.sum_ns();
            }
            for (into, more) in sum.excluded.iter_mut().zip(turns.excluded) {
                *into += more;
            }
        }
        sum
    }

    pub fn response(&self, port: u16, direction: Direction) -> Sum {
        self.sum(self.responses.get(&(port, direction as u8)))
    }

    fn listener(&self, port: u16) -> Sum {
        self.sum(self.listeners.get(&port))
    }
}

/// Answers each byte of one connection after so long; how many there were and how long it took
/// over them, from read to sent.
fn serve(delay: Duration) -> (SocketAddr, JoinHandle<Duration>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut served = Duration::ZERO;
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 {
            let begun = Instant::now();
            std::thread::sleep(delay);
            served += begun.elapsed();
            stream.write_all(&byte).unwrap();
        }
        served
    });
    (address, serving)
}

/// Asks so often, one byte each, without Nagle's delays; how long it waited altogether.
fn ask(address: SocketAddr, turns: u32) -> (TcpStream, Duration) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut waited = Duration::ZERO;
    for _ in 0..turns {
        let mut byte = [1];
        stream.write_all(&byte).unwrap();
        let begun = Instant::now();
        stream.read_exact(&mut byte).unwrap();
        waited += begun.elapsed();
    }
    (stream, waited)
}

const TURNS: u32 = 40;
/// What tests on one machine with others may lose: no program runs within itself, nor everywhere.
const LOST: u64 = 2;

/// Whether what was measured lies near the truth: a fifth and, per turn, what wake-ups take.
fn is_near(measured_ns: u64, truth: Duration) -> bool {
    let truth = truth.as_nanos() as u64;
    measured_ns.abs_diff(truth) < truth / 5 + u64::from(TURNS) * 300_000
}

/// Others work on this machine too: one undisturbed attempt of these will do.
const ATTEMPTS: usize = 5;

#[test]
fn both_ends_tell_how_long_an_answer_took() {
    with_each(|observed| {
        let mut turns = observed.watch_turns();
        let right = (0..ATTEMPTS).any(|_| one_conversation(&mut turns));
        assert!(right, "no attempt was measured right");
        let cost = turns.cost();
        assert!(cost.runs > u64::from(TURNS) && cost.timed > 0 && cost.timed_ns > 0);
        assert_eq!(turns.lost(), 0);
    });
}

/// Whether what both ends tell is what was measured here.
fn one_conversation(turns: &mut Turns) -> bool {
    let (address, serving) = serve(Duration::from_millis(3));
    let (stream, waited) = ask(address, TURNS);
    drop(stream);
    let served = serving.join().unwrap();
    let mut told = Answers::default();
    turns.take(crate::clock::Moment::now(), &mut told);
    let out = told.response(address.port(), Direction::Outbound);
    let inward = told.response(address.port(), Direction::Inbound);
    let listener = told.listener(address.port());
    println!("waited {waited:?} {out:?}\nserved {served:?} {inward:?}\n{listener:?}");
    let all = u64::from(TURNS);
    for told in [out.counts[0], inward.counts[0], listener.counts[1]] {
        assert!(told <= all, "{told} of {all}");
    }
    let whole = out.counts[0].min(inward.counts[0]).min(listener.counts[1]) + LOST >= all;
    // Stamps of first bytes are cut to µs.
    let parts = listener.sums_ns[0] + listener.sums_ns[1];
    whole
        && parts.abs_diff(inward.sums_ns[0]) <= all * 1_000
        && is_near(out.sums_ns[0], waited)
        && is_near(out.sums_ns[1], served)
        && is_near(listener.sums_ns[1], served)
}

/// Longer than any answer here takes, even where others work too.
const DETACHED: Duration = Duration::from_millis(500);

#[test]
fn a_turn_that_was_not_seen_whole_is_none() {
    with_each(|observed| {
        let mut turns = observed.watch_turns();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut asking = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut answering, _) = listener.accept().unwrap();
        let say = |from: &mut TcpStream, to: &mut TcpStream| {
            from.write_all(&[1]).unwrap();
            to.read_exact(&mut [0]).unwrap();
        };
        say(&mut asking, &mut answering);
        say(&mut answering, &mut asking);
        // A question is open when it ends, and another when it begins again.
        say(&mut asking, &mut answering);
        observed.detach_turns();
        std::thread::sleep(DETACHED);
        say(&mut answering, &mut asking);
        say(&mut asking, &mut answering);
        std::thread::sleep(DETACHED);
        observed.attach_turns();
        say(&mut answering, &mut asking);
        for _ in 0..3 {
            say(&mut asking, &mut answering);
            say(&mut answering, &mut asking);
        }
        drop((asking, answering));
        let mut told = Answers::default();
        turns.take(crate::clock::Moment::now(), &mut told);
        for direction in [Direction::Outbound, Direction::Inbound] {
            let sum = told.response(port, direction);
            println!("{direction:?} {sum:?}");
            assert!((1..=4).contains(&sum.counts[0]));
            assert!(u128::from(sum.sums_ns[0]) < DETACHED.as_nanos());
        }
    });
}
