//! Keys and resizes, read by a thread of their own: when a terminal is hung up, crossterm's reader
//! never returns, and the loop must still end.

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::Context;
use crossterm::event::{self, Event};

/// What comes from the terminal.
pub struct Input(Receiver<Event>);

impl Input {
    /// Starts to read. The thread lives as long as the process: a blocked read cannot be ended.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start() -> anyhow::Result<Self> {
        let (events, receiver) = mpsc::channel();
        let read = move || {
            while let Ok(event) = event::read() {
                if events.send(event).is_err() {
                    break;
                }
            }
        };
        let thread = thread::Builder::new().name("top-input".into()).spawn(read);
        thread.context("cannot start a thread")?;
        Ok(Self(receiver))
    }

    /// The next event, and those that came with it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn wait(&self, timeout: Duration) -> io::Result<impl Iterator<Item = Event>> {
        let first = match self.0.recv_timeout(timeout) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Ok(first.into_iter().chain(self.0.try_iter()))
    }
}
