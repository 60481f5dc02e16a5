//! Which answer belongs to which query. A query is known by its socket, the id the asker chose and
//! the resolver; sent again it keeps its first time.

use std::{collections::VecDeque, net::IpAddr, sync::Arc};

use rustc_hash::FxHashMap;

use super::{
    Lookup, Outcome, Packet,
    message::{self, Header},
};

/// No answer within this time is a timeout, ns: the default of resolv.conf(5).
const PATIENCE_NS: u64 = 5_000_000_000;
/// Queries waiting at most.
const PENDING: usize = 16_384;
/// Resolvers asked the same at once at most.
const RESOLVERS: usize = 8;

#[derive(Debug)]
struct Query {
    began_ns: u64,
    owner: (u32, u64),
    resolver: IpAddr,
    name: Arc<str>,
    kind: Option<u16>,
}

type Key = (u64, u16);

/// Queries that wait for their answer.
#[derive(Debug, Default)]
pub struct Matcher {
    pending: FxHashMap<Key, Vec<Query>>,
    /// When each was asked, oldest first; those answered meanwhile are passed over.
    order: VecDeque<(u64, Key)>,
    waiting: usize,
    dropped: u64,
}

impl Matcher {
    /// Takes a packet; `done` is told of the lookup it completes, if it does.
    pub fn take(&mut self, packet: &Packet<'_>, done: impl FnMut(Lookup)) {
        let framed = match packet.tcp {
            true => message::framed(packet.bytes, packet.length),
            false => packet.bytes,
        };
        let Some(header) = message::header(framed) else {
            return;
        };
        if packet.query {
            if !header.answer && header.opcode == 0 && header.questions > 0 {
                self.ask(packet, header, framed);
            }
        } else if header.answer {
            self.answer(packet, header, done);
        }
    }

    fn ask(&mut self, packet: &Packet<'_>, header: Header, bytes: &[u8]) {
        let Some(question) = message::question(bytes) else {
            return;
        };
        let key = (packet.socket, header.id);
        let queries = self.pending.entry(key).or_default();
        let known = queries
            .iter()
            .position(|query| query.resolver == packet.resolver);
        if let Some(known) = known.and_then(|at| queries.get_mut(at)) {
            let again = *known.name == *question.name && known.kind == question.kind;
            // The id was given to another question: whether the former was answered stays open.
            if !again {
                self.dropped += 1;
                known.name = question.name.into();
                known.kind = question.kind;
                known.owner = packet.owner;
                known.began_ns = packet.time_ns;
                self.order.push_back((packet.time_ns, key));
            }
            return;
        }
        if self.waiting >= PENDING || queries.len() >= RESOLVERS {
            self.dropped += 1;
            if queries.is_empty() {
                self.pending.remove(&key);
            }
            return;
        }
        queries.push(Query {
            began_ns: packet.time_ns,
            owner: packet.owner,
            resolver: packet.resolver,
            name: question.name.into(),
            kind: question.kind,
        });
        self.waiting += 1;
        self.order.push_back((packet.time_ns, key));
    }

    fn answer(&mut self, packet: &Packet<'_>, header: Header, mut done: impl FnMut(Lookup)) {
        let key = (packet.socket, header.id);
        let Some(queries) = self.pending.get_mut(&key) else {
            return;
        };
        let Some(at) = queries
            .iter()
            .position(|query| query.resolver == packet.resolver)
        else {
            return;
        };
        let query = queries.swap_remove(at);
        self.waiting -= 1;
        // Who asks several resolvers at once is content with the first answer, and closes the
        // socket: the others are neither answered nor in default.
        let before = queries.len();
        queries.retain(|other| (&other.name, other.kind) != (&query.name, query.kind));
        self.waiting -= before - queries.len();
        if queries.is_empty() {
            self.pending.remove(&key);
        }
        let ns = packet.time_ns.saturating_sub(query.began_ns);
        done(query.over(if ns < PATIENCE_NS {
            let rcode = header.rcode;
            Outcome::Answer { rcode, ns }
        } else {
            Outcome::Timeout
        }));
    }

    /// Ends what has waited too long at `now_ns`. All packets up to then must have been taken.
    pub fn expire(&mut self, now_ns: u64, mut done: impl FnMut(Lookup)) {
        while let Some(&(began_ns, key)) = self.order.front() {
            if now_ns.saturating_sub(began_ns) < PATIENCE_NS {
                break;
            }
            self.order.pop_front();
            let Some(queries) = self.pending.get_mut(&key) else {
                continue;
            };
            let due = |query: &mut Query| query.began_ns <= began_ns;
            for query in queries.extract_if(.., due) {
                self.waiting -= 1;
                done(query.over(Outcome::Timeout));
            }
            if queries.is_empty() {
                self.pending.remove(&key);
            }
        }
        if self.pending.capacity() > 1024 && self.pending.len() < self.pending.capacity() / 4 {
            self.pending.shrink_to(self.pending.len() * 2);
        }
    }

    /// Queries waiting.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many may wait.
    pub const fn capacity() -> usize {
        PENDING
    }

    /// Queries whose outcome is not known: too many waited, or their id was used again.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Query {
    fn over(self, outcome: Outcome) -> Lookup {
        Lookup {
            tgid: self.owner.0,
            start_ns: self.owner.1,
            resolver: self.resolver,
            name: self.name,
            outcome,
        }
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
