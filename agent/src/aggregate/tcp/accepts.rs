//! Who accepts the connections of a listener: the process that is the first to read from one.

use hostlens_ebpf::wire::{SockFlags, SockRecord};

use super::table::TcpTable;

/// Notes kept until somebody asks, at most.
const LIMIT: usize = 65_536;

/// One connection that a process took from a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Identity of the listener, see `ListenRecord::id`.
    pub listener: u64,
    /// The process.
    pub tgid: u32,
}

/// What was noted since somebody asked.
#[derive(Debug, Default)]
pub(super) struct Accepts(Vec<Accept>);

/// Whether the record says by whom its connection was accepted.
fn tells(record: &SockRecord) -> bool {
    record.listener != 0 && record.owner_tgid != 0 && record.flags & SockFlags::OWNER_READ != 0
}

impl Accepts {
    /// Notes who accepted a connection, if the record tells.
    pub fn note(&mut self, record: &SockRecord) {
        if tells(record) && self.0.len() < LIMIT {
            self.0.push(Accept {
                listener: record.listener,
                tgid: record.owner_tgid,
            });
        }
    }
}

impl TcpTable {
    /// Notes by whom a living connection was accepted, once.
    #[inline]
    pub(super) fn accepted(&mut self, record: &SockRecord) {
        if !tells(record) {
            return;
        }
        if let Some(known) = self.connections.get_mut(&record.id)
            && !std::mem::replace(&mut known.accept_told, true)
        {
            self.accepts.note(record);
        }
    }

    /// Who accepted connections since the last call; those that were there before we came are
    /// left out.
    pub fn accepts(&mut self) -> impl Iterator<Item = Accept> {
        self.accepts.0.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_read_from_a_listeners_connection_is_noted() {
        let read = SockRecord {
            listener: 5,
            owner_tgid: 7,
            flags: SockFlags::OWNER_READ | SockFlags::ACCEPTED,
            ..SockRecord::default()
        };
        let mut accepts = Accepts::default();
        let unread = SockRecord {
            flags: SockFlags::ACCEPTED,
            ..read
        };
        let outbound = SockRecord {
            listener: 0,
            ..read
        };
        for record in [read, unread, outbound] {
            accepts.note(&record);
        }
        let one = Accept {
            listener: 5,
            tgid: 7,
        };
        assert_eq!(accepts.0, [one]);
    }
}
