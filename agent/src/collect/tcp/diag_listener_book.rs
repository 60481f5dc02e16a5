//! The listeners of one namespace from poll to poll: which are new, and which have ended.

use hostlens_ebpf::wire::ListenRecord;
use rustc_hash::FxHashMap;

/// Polls without it after which a listener is gone: under churn a dump may skip one.
const MOST_MISSED: u8 = 2;

/// Listeners by identity.
#[derive(Debug, Default)]
pub struct ListenerBook {
    listeners: FxHashMap<u64, Listener>,
    /// Time of this poll, `CLOCK_MONOTONIC` ns; 0 if it is the first one.
    born_ns: u64,
    /// A poll has come to its end.
    polled: bool,
}

/// A listener as last seen.
#[derive(Debug)]
struct Listener {
    record: ListenRecord,
    missed: u8,
}

impl ListenerBook {
    /// Begins a poll at `mono_ns` of `CLOCK_MONOTONIC`.
    pub fn begin(&mut self, mono_ns: u64) {
        // What is there at the first poll is older than we are.
        self.born_ns = if self.polled { mono_ns } else { 0 };
        for listener in self.listeners.values_mut() {
            listener.missed = listener.missed.saturating_add(1);
        }
    }

    /// Takes note of a listener and fills in its birth.
    pub fn seen(&mut self, record: &mut ListenRecord) {
        let known = self.listeners.get(&record.id);
        record.born_ns = known.map_or(self.born_ns, |listener| listener.record.born_ns);
        let listener = Listener {
            record: *record,
            missed: 0,
        };
        self.listeners.insert(record.id, listener);
    }

    /// Ends a poll that has seen all there are, and hands on the last records of those that are
    /// no more.
    pub fn finish(&mut self, mut ended: impl FnMut(&ListenRecord)) {
        self.polled = true;
        self.listeners.retain(|_, listener| {
            let gone = listener.missed >= MOST_MISSED;
            if gone {
                ended(&last(&listener.record));
            }
            !gone
        });
    }

    /// Hands on all there are, as last seen.
    pub fn replay(&self, each: impl FnMut(&ListenRecord)) {
        let records = self.listeners.values().map(|listener| &listener.record);
        records.for_each(each);
    }

    /// Forgets all, and hands on their last records.
    pub fn end_all(&mut self, mut ended: impl FnMut(&ListenRecord)) {
        for (_, listener) in self.listeners.drain() {
            ended(&last(&listener.record));
        }
    }
}

/// The last record of a listener: nobody waits there any more.
fn last(record: &ListenRecord) -> ListenRecord {
    ListenRecord {
        queue: 0,
        high_water: 0,
        oldest_wait_ns: 0,
        ended: 1,
        ..*record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(book: &mut ListenerBook, id: u64, drops: u32) -> u64 {
        let mut record = ListenRecord {
            id,
            drops,
            queue: 3,
            ..ListenRecord::default()
        };
        book.seen(&mut record);
        record.born_ns
    }

    fn finish(book: &mut ListenerBook) -> Vec<ListenRecord> {
        let mut ended = Vec::new();
        book.finish(|record| ended.push(*record));
        ended
    }

    #[test]
    fn only_what_comes_after_the_first_poll_has_a_birth() {
        let mut book = ListenerBook::default();
        book.begin(100);
        assert_eq!(see(&mut book, 1, 0), 0);
        finish(&mut book);
        book.begin(200);
        assert_eq!((see(&mut book, 1, 0), see(&mut book, 2, 0)), (0, 200));
        finish(&mut book);
        book.begin(300);
        // Told twice in one dump, it is still the same.
        assert_eq!((see(&mut book, 2, 0), see(&mut book, 2, 0)), (200, 200));
    }

    #[test]
    fn a_first_poll_that_broke_off_gives_no_births() {
        let mut book = ListenerBook::default();
        book.begin(100);
        see(&mut book, 1, 0);
        book.begin(200);
        assert_eq!(see(&mut book, 2, 0), 0);
    }

    #[test]
    fn one_miss_is_no_end_and_two_are() {
        let mut book = ListenerBook::default();
        for (poll, seen, gone) in [(1, true, 0), (2, false, 0), (3, true, 0), (4, false, 0)] {
            book.begin(poll);
            if seen {
                see(&mut book, 1, 7);
            }
            assert_eq!(finish(&mut book).len(), gone);
        }
        book.begin(5);
        let ended = finish(&mut book);
        assert_eq!(ended.len(), 1);
        assert_eq!((ended[0].ended, ended[0].drops, ended[0].queue), (1, 7, 0));
        // It is told once.
        book.begin(6);
        assert!(finish(&mut book).is_empty());
    }

    #[test]
    fn a_namespace_that_goes_takes_its_listeners_along() {
        let mut book = ListenerBook::default();
        book.begin(1);
        see(&mut book, 1, 0);
        see(&mut book, 2, 0);
        let mut shown = 0;
        book.replay(|record| shown += record.queue);
        assert_eq!(shown, 6);
        let mut ended = 0;
        book.end_all(|record| ended += record.ended);
        assert_eq!(ended, 2);
        book.end_all(|_| ended += 1);
        assert_eq!(ended, 2);
    }
}
