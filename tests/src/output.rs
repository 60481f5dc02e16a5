//! Lines that a child process prints, gathered while it runs.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// The lines printed so far; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Output {
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Output {
    /// Gathers the lines of `stream` until it ends, on a thread of its own.
    pub fn gather(&self, stream: impl Read + Send + 'static) {
        let lines = Arc::clone(&self.lines);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.0.lock().unwrap().push(line);
                lines.1.notify_all();
            }
        });
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap().clone()
    }

    /// The first line from number `from` on for which `found` answers, with its number.
    ///
    /// # Panics
    /// When there is none within `limit`; shows what was printed.
    pub fn wait<T>(
        &self,
        from: usize,
        limit: Duration,
        found: impl Fn(&str) -> Option<T>,
    ) -> (usize, T) {
        let end = Instant::now() + limit;
        let mut lines = self.lines.0.lock().unwrap();
        loop {
            let hit = lines.iter().enumerate().skip(from);
            if let Some(hit) = hit
                .filter_map(|(number, line)| Some((number, found(line)?)))
                .next()
            {
                return hit;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "awaited line not printed within {limit:?}; output: {lines:#?}"
            );
            lines = self.lines.1.wait_timeout(lines, left).unwrap().0;
        }
    }
}
