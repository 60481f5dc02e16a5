//! A process that asks one filesystem, so that nobody else has to wait for the answer.
//!
//! No flag makes `statfs` safe on a mount whose server is gone, and who waits for it cannot always
//! be called back, not even by SIGKILL: a request that a FUSE server has read is waited for without
//! end (`request_wait_answer` in `fs/fuse/dev.c`), and a process does not end before its last
//! thread. So each such mount has a small process of its own, is asked only once at a time, and is
//! called hung when an answer is overdue.

use std::{
    io::{self, ErrorKind, Read, Write},
    os::fd::AsRawFd,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::{Answer, helper};

/// An answer is overdue after this, ns.
pub(super) const OVERDUE_NS: u64 = 1_000_000_000;

/// Helpers at most, those included that wait for mounts which are gone.
pub(super) const HELPERS: usize = 64;

/// No answer is longer.
const LONGEST: usize = 4_096;

/// The helper of one mount.
#[derive(Debug)]
pub(super) struct Asker {
    child: Child,
    questions: ChildStdin,
    answers: ChildStdout,
    /// What was read of a line.
    text: Vec<u8>,
    /// When the question was asked that is not answered yet, ns of `CLOCK_MONOTONIC`.
    asked_ns: Option<u64>,
    last: Answer,
    /// It ended by itself.
    ended: bool,
}

impl Asker {
    /// Starts a helper.
    ///
    /// # Errors
    /// When no process can be had.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes to the helper"));
        };
        // SAFETY: sets a flag of a descriptor that `answers` keeps open.
        let status = unsafe { libc::fcntl(answers.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            child,
            questions,
            answers,
            text: Vec::new(),
            asked_ns: None,
            last: Answer::Pending,
            ended: false,
        })
    }

    /// Asks, unless an answer is outstanding.
    pub fn ask(&mut self, now_ns: u64) {
        self.take();
        // One byte in a pipe that is empty: never waits.
        if self.asked_ns.is_none() && !self.ended && self.questions.write_all(b"\n").is_ok() {
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

    /// Whether it ended by itself, so that another one is needed.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Sends it away. It goes at once unless it hangs.
    pub fn leave(mut self) -> Child {
        // Fails if it has gone already.
        let _ = self.child.kill();
        self.child
    }

    fn take(&mut self) {
        let mut part = [0; LONGEST];
        loop {
            match self.answers.read(&mut part) {
                Ok(length @ 1..) => self.text.extend(part.iter().take(length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => {
                    self.ended = true;
                    self.asked_ns = None;
                    self.last = Answer::Refused("its helper ended".into());
                    return;
                }
            }
        }
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            self.last = helper::read(String::from_utf8_lossy(&line).trim_end());
            self.asked_ns = None;
        }
        self.text.truncate(LONGEST);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{fs, thread};

    use super::*;

    fn script(text: &str) -> Asker {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        Asker::start(command).unwrap()
    }

    /// Waits for another process.
    fn until(mut holds: impl FnMut() -> bool) {
        while !holds() {
            thread::yield_now();
        }
    }

    #[test]
    fn asked_once_and_hung_until_it_answers() {
        let name = format!("hostlens-asker-{}", std::process::id());
        let permit = std::env::temp_dir().join(name);
        let mut asker = script(&format!(
            "read q; until [ -e {0} ]; do sleep 0.02; done; echo none; \
             while read q; do echo asked again; done",
            permit.display()
        ));
        assert_eq!(asker.answer(0), Answer::Pending);
        asker.ask(10);
        assert_eq!(asker.answer(10 + OVERDUE_NS - 1), Answer::Pending);
        for cycle in 2..50 {
            asker.ask(cycle * OVERDUE_NS);
            assert_eq!(asker.answer(cycle * OVERDUE_NS), Answer::Hung);
        }
        fs::write(&permit, "").unwrap();
        let late = 60 * OVERDUE_NS;
        until(|| asker.answer(late) != Answer::Hung);
        assert_eq!(asker.answer(late), Answer::Room(None), "asked once");
        asker.ask(late);
        until(|| asker.answer(late) != Answer::Room(None));
        fs::remove_file(&permit).unwrap();
        asker.leave().wait().unwrap();
    }

    #[test]
    fn a_helper_that_ends_is_no_hung_mount() {
        let mut asker = script("read q; exit 1");
        asker.ask(1);
        until(|| {
            asker.answer(1);
            asker.ended()
        });
        assert!(matches!(asker.answer(OVERDUE_NS * 9), Answer::Refused(_)));
        asker.ask(2);
        asker.leave().wait().unwrap();
    }
}
