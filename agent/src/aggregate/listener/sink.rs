//! What a poll hands in, and who is asked for by where he listens.

use std::net::IpAddr;

use hostlens_ebpf::wire::{ListenRecord, RefusedKey, UNKNOWN_U64};

use super::{
    history::second,
    socket::{Socket, Standing},
    table::ListenerTable,
};
use crate::{
    aggregate::Listeners,
    clock::Moment,
    collect::DoorSink,
    model::{ListenerKey, UNKNOWN},
};

impl DoorSink for ListenerTable {
    fn listener(&mut self, record: &ListenRecord) {
        let at = self.at.unwrap_or_else(Moment::now);
        // A poll's record of a socket may come after its last one.
        if self.ended.contains(&record.id) {
            return;
        }
        self.counts_accepted = record.established != UNKNOWN_U64;
        self.counts_resets = record.resets != UNKNOWN_U64;
        let poll = self.polls.total;
        let known = self.sockets.contains_key(&record.id);
        if !known {
            let newborn = record.born_ns != 0
                && self.horizon.is_newborn(record.born_ns)
                && !self.vanished.contains(&record.id);
            self.sockets
                .insert(record.id, Socket::new(record, newborn, poll));
            self.waiting.push(record.id);
        }
        let Some(socket) = self.sockets.get_mut(&record.id) else {
            return;
        };
        // One that seemed to have gone is there after all.
        socket.ended = None;
        socket.missed = 0;
        let again = known && socket.seen == poll;
        if !again {
            socket.seen = poll;
            self.polled += 1;
        }
        let more = socket.take(record, second(at.mono_ns), again);
        let renamed = socket.owner_changed(record)
            && match &socket.standing {
                Standing::Placed(_, owner) => *owner.process == *UNKNOWN,
                Standing::Waiting(..) => false,
            };
        self.book(record.id, &more);
        if renamed {
            self.displace(record.id, at);
        }
        if record.ended != 0 {
            self.ended.insert(record.id);
            self.end(record.id, at);
        }
    }

    fn refused(&mut self, key: &RefusedKey, more: u64) {
        self.refused.note(key, more);
    }

    fn refused_elsewhere(&mut self, more: u64) {
        self.refused.elsewhere(more);
    }
}

impl Listeners for ListenerTable {
    fn listener(&self, netns: u32, ip: IpAddr, port: u16) -> Option<ListenerKey> {
        let door = self.doors.find((netns, ip, port))?;
        Some(ListenerKey::Bound {
            ip: door.ip,
            port,
            owner: door.owner.clone(),
        })
    }
}
