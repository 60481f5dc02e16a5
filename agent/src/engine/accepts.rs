//! Which process accepted which connections, picked from their final records on the way.

use hostlens_ebpf::wire::{SockFlags, SockKind, SockRecord, SockTotals};

use crate::collect::TcpSink;

/// Accepts held between two polls of the listeners; the balance needs no more of them.
const MOST: usize = 16_384;

/// Hands records on and notes whoever read from an inbound connection: it accepted it, as far as
/// anyone can tell. Long-lived connections count when they end.
pub struct Accepts<'a> {
    /// Where the records go.
    pub sink: &'a mut dyn TcpSink,
    /// Listener and process of each.
    pub noted: &'a mut Vec<(u64, u32)>,
}

impl TcpSink for Accepts<'_> {
    fn socket(&mut self, record: &SockRecord) {
        if record.kind == SockKind::Final as u8
            && record.listener != 0
            && record.flags & SockFlags::OWNER_READ != 0
            && self.noted.len() < MOST
        {
            self.noted.push((record.listener, record.owner_tgid));
        }
        self.sink.socket(record);
    }

    fn time_wait(&mut self, record: &SockRecord) {
        self.sink.time_wait(record);
    }

    fn lost(&mut self, totals: &[SockTotals; 3]) {
        self.sink.lost(totals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count(usize);

    impl TcpSink for Count {
        fn socket(&mut self, _record: &SockRecord) {
            self.0 += 1;
        }
        fn time_wait(&mut self, _record: &SockRecord) {}
        fn lost(&mut self, _totals: &[SockTotals; 3]) {}
    }

    #[test]
    fn notes_the_reader_of_a_connection_that_ended() {
        let (mut count, mut noted) = (Count::default(), Vec::new());
        let mut accepts = Accepts {
            sink: &mut count,
            noted: &mut noted,
        };
        let read = SockRecord {
            kind: SockKind::Final as u8,
            listener: 5,
            owner_tgid: 7,
            flags: SockFlags::OWNER_READ,
            ..SockRecord::default()
        };
        for record in [
            read,
            SockRecord { flags: 0, ..read },
            SockRecord {
                listener: 0,
                ..read
            },
            SockRecord {
                kind: SockKind::Live as u8,
                ..read
            },
        ] {
            accepts.socket(&record);
        }
        assert_eq!((noted, count.0), (vec![(5, 7)], 4));
    }
}
