//! Conversations that are no turns, on sockets of this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::{Direction, Excluded};

use super::{
    observed::with_each,
    turn_tests::{Answers, Sum},
};
use crate::clock::Moment;

/// Nothing takes so long.
const LIMIT: Duration = Duration::from_secs(10);

/// Both ends of a connection.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let asking = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (answering, _) = listener.accept().unwrap();
    asking.set_nodelay(true).unwrap();
    answering.set_nodelay(true).unwrap();
    for end in [&asking, &answering] {
        end.set_read_timeout(Some(LIMIT)).unwrap();
    }
    (asking, answering)
}

fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

/// What both ends tell of a conversation.
fn told_of(talk: impl Fn(TcpStream, TcpStream)) -> Vec<[Sum; 2]> {
    let sums = std::cell::RefCell::new(Vec::new());
    with_each(|observed| {
        let mut turns = observed.watch_turns();
        let (asking, answering) = connection();
        let port = answering.local_addr().unwrap().port();
        talk(asking, answering);
        let mut told = Answers::default();
        turns.take(Moment::now(), &mut told);
        let of = [Direction::Outbound, Direction::Inbound];
        let both = of.map(|direction| told.response(port, direction));
        println!("{both:?}");
        sums.borrow_mut().push(both);
    });
    sums.into_inner()
}

/// A question each ms, an answer to each 5.3 ms later.
fn multiplex(mut asking: TcpStream, mut answering: TcpStream) {
    const QUESTIONS: usize = 400;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let begun = Instant::now();
            for question in 0..QUESTIONS {
                sleep_until(begun + Duration::from_millis(question as u64));
                asking.write_all(&[1; 100]).unwrap();
            }
            let mut rest = vec![0; QUESTIONS * 300];
            asking.read_exact(&mut rest).unwrap();
        });
        let (due, answers) = std::sync::mpsc::channel();
        let mut reading = answering.try_clone().unwrap();
        scope.spawn(move || {
            let mut question = [0; 100];
            for _ in 0..QUESTIONS {
                reading.read_exact(&mut question).unwrap();
                due.send(Instant::now() + Duration::from_micros(5_300))
                    .unwrap();
            }
        });
        for due in answers {
            sleep_until(due);
            answering.write_all(&[2; 300]).unwrap();
        }
    });
}

#[test]
fn multiplexed_questions_are_left_out() {
    for [out, inward] in told_of(multiplex) {
        for told in [out, inward] {
            let left_out: u32 = told.excluded.iter().sum();
            assert!(told.excluded[Excluded::Overlap as usize] > 0);
            assert!(told.counts[0] <= u64::from(left_out) / 10, "{told:?}");
        }
    }
}

/// A push each 2 ms, and a question after each answer, which takes 5.2 ms.
fn push(asking: TcpStream, answering: TcpStream) {
    const QUESTIONS: usize = 60;
    std::thread::scope(|scope| {
        let mut reading = answering.try_clone().unwrap();
        let mut pushing = answering.try_clone().unwrap();
        let (done, over) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while over
                .recv_timeout(Duration::from_millis(2))
                .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                pushing.write_all(&[9; 10]).unwrap();
            }
        });
        scope.spawn(move || {
            let _ends_with_us = done;
            let mut question = [0; 100];
            let mut answering = answering;
            while reading.read_exact(&mut question).is_ok() {
                std::thread::sleep(Duration::from_micros(5_200));
                answering.write_all(&[1; 100]).unwrap();
            }
        });
        let mut asking = asking;
        let mut bytes = [0; 200];
        for _ in 0..QUESTIONS {
            asking.write_all(&[1; 100]).unwrap();
            let mut answered = 0;
            while answered < 100 {
                let read = asking.read(&mut bytes).unwrap();
                answered += bytes[..read].iter().filter(|byte| **byte == 1).count();
            }
        }
        drop(asking);
    });
}

#[test]
fn answers_among_pushes_are_left_out() {
    for [out, inward] in told_of(push) {
        for told in [out, inward] {
            assert!(told.excluded[Excluded::Push as usize] > 0);
            assert!(told.counts[0] <= 3, "{}", told.counts[0]);
        }
    }
}

/// Questions and answers of so many bytes, one after the other.
fn large(question: usize, answer: usize) -> impl Fn(TcpStream, TcpStream) {
    const TURNS: usize = 30;
    move |mut asking, mut answering| {
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut bytes = vec![0; question];
                while answering.read_exact(&mut bytes).is_ok() {
                    std::thread::sleep(Duration::from_millis(3));
                    answering.write_all(&vec![1; answer]).unwrap();
                }
            });
            let mut bytes = vec![0; answer];
            for _ in 0..TURNS {
                asking.write_all(&vec![1; question]).unwrap();
                asking.read_exact(&mut bytes).unwrap();
            }
            drop(asking);
        });
    }
}

#[test]
fn streamed_answers_and_uploads_are_turns() {
    for sizes in [(100, 1 << 20), (1 << 20, 100)] {
        for [out, inward] in told_of(large(sizes.0, sizes.1)) {
            for told in [out, inward] {
                let left_out: u32 = told.excluded.iter().sum();
                assert!(told.counts[0] + u64::from(left_out) >= 28);
                assert!(told.counts[0] >= 20, "{}", told.counts[0]);
            }
        }
    }
}
