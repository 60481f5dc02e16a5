//! A thread that asks one filesystem, so that nobody else has to wait for the answer.
//!
//! No flag makes `statfs` safe on a mount whose server is gone, and a thread that waits for it
//! cannot be called back. So each such mount has one thread, is asked only once at a time, and is
//! called hung when an answer is overdue. The thread ends with its mount or with the process,
//! which does not wait for it.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use super::{Answer, ask};

/// An answer is overdue after this, ns.
pub(super) const OVERDUE_NS: u64 = 1_000_000_000;

/// Threads at most, those included that wait for mounts which are gone.
pub(super) const THREADS: usize = 64;

/// It makes one system call.
const STACK_BYTES: usize = 64 << 10;

/// Counts threads that are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Living(Arc<AtomicUsize>);

impl Living {
    /// Threads that are there.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The thread of one mount, seen from outside.
#[derive(Debug)]
pub(super) struct Asker {
    questions: Sender<()>,
    answers: Receiver<Answer>,
    /// When the question was asked that is not answered yet, ns of `CLOCK_MONOTONIC`.
    asked_ns: Option<u64>,
    last: Answer,
}

impl Asker {
    /// Starts the thread of the mount at `path`.
    ///
    /// # Errors
    /// When there are [`THREADS`] already, or no thread can be had.
    pub fn start(path: PathBuf, living: &Living) -> io::Result<Self> {
        Self::with(living, move || ask(&path))
    }

    fn with(living: &Living, ask: impl Fn() -> Answer + Send + 'static) -> io::Result<Self> {
        if living.count() >= THREADS {
            let words = format!("{THREADS} threads already ask or wait");
            return Err(io::Error::other(words));
        }
        let (questions, asked) = channel();
        let (answer, answers) = channel();
        living.0.fetch_add(1, Ordering::Relaxed);
        let leave = Leave(living.clone());
        thread::Builder::new()
            .name("statfs".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _leave = leave;
                while asked.recv().is_ok() {
                    if answer.send(ask()).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            questions,
            answers,
            asked_ns: None,
            last: Answer::Pending,
        })
    }

    /// Asks, unless an answer is outstanding.
    pub fn ask(&mut self, now_ns: u64) {
        self.take();
        if self.asked_ns.is_none() && self.questions.send(()).is_ok() {
            self.asked_ns = Some(now_ns);
        }
    }

    /// The last answer, or that it hangs.
    pub fn answer(&mut self, now_ns: u64) -> Answer {
        self.take();
        match self.asked_ns {
            Some(asked) if now_ns.saturating_sub(asked) >= OVERDUE_NS => Answer::Hung,
            _ => self.last.clone(),
        }
    }

    fn take(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            self.last = answer;
            self.asked_ns = None;
        }
    }
}

/// Counts a thread out when it ends.
struct Leave(Living);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Mutex, mpsc::sync_channel};

    use super::*;

    /// Waits for the state of another thread.
    fn until(mut holds: impl FnMut() -> bool) {
        while !holds() {
            thread::yield_now();
        }
    }

    #[test]
    fn asked_once_and_hung_until_it_answers() {
        let living = Living::default();
        // The server answers one question per permission.
        let (permit, permits) = sync_channel(8);
        let permits = Mutex::new(permits);
        let asked = Arc::new(AtomicUsize::new(0));
        let mut asker = Asker::with(&living, {
            let asked = Arc::clone(&asked);
            move || {
                asked.fetch_add(1, Ordering::SeqCst);
                let _ = permits.lock().unwrap().recv();
                Answer::Refused("permission denied".into())
            }
        })
        .unwrap();
        assert_eq!(asker.answer(0), Answer::Pending);
        asker.ask(10);
        until(|| asked.load(Ordering::SeqCst) == 1);
        assert_eq!(asker.answer(10 + OVERDUE_NS - 1), Answer::Pending);
        assert_eq!(asker.answer(10 + OVERDUE_NS), Answer::Hung);
        for cycle in 2..50 {
            asker.ask(cycle * OVERDUE_NS);
            assert_eq!(asker.answer(cycle * OVERDUE_NS), Answer::Hung);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1, "touched once");
        permit.send(()).unwrap();
        let late = 60 * OVERDUE_NS;
        until(|| asker.answer(late) != Answer::Hung);
        asker.ask(late);
        assert_eq!(
            asker.answer(late + 1),
            Answer::Refused("permission denied".into())
        );
        permit.send(()).unwrap();
        drop(asker);
        until(|| living.count() == 0);
    }

    #[test]
    fn no_more_threads_than_agreed() {
        let living = Living::default();
        let ask = || Answer::Pending;
        let all: Vec<_> = (0..THREADS).map(|_| Asker::with(&living, ask)).collect();
        assert!(all.iter().all(Result::is_ok));
        assert!(Asker::with(&living, ask).is_err());
        drop(all);
        until(|| living.count() == 0);
    }
}
