//! Listening sockets: an entry of their own each, from `listen()` to the end, which is polled
//! several times a second. What happens between two polls (connections established, the longest
//! queue, resets) is counted in the entry by the events themselves.

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns};

use crate::{
    offsets::{ABSENT, at, set},
    probe::load::{add_one, bytes, global, probe},
    wire::{ListenBind, ListenRecord, RefusedKey, UNKNOWN_U64, tcp_state},
};

use super::memory::SockState;

/// An entry this old whose socket does not listen was missed at its end, ns. A younger one is
/// about to listen: the state changes after the event.
const STALE_NS: u64 = 1_000_000_000;

/// Where the listeners live.
#[expect(
    clippy::mut_from_ref,
    reason = "the map is outside the program; the kernel hands out its values"
)]
pub trait Listeners {
    /// Entry of a listening socket.
    fn listener(&self, key: u64) -> Option<&mut ListenRecord>;
    /// Makes or replaces an entry; false if there is no room.
    fn put_listener(&self, key: u64, record: &ListenRecord) -> bool;
    /// Removes an entry.
    fn drop_listener(&self, key: u64);
    /// Counts a listener that found no room.
    fn lost_listener(&self);
    /// Remembers which socket listens at an address and port.
    fn bind_port(&self, _bound: &RefusedKey, _sk: u64) {}
    /// Forgets it, if it is this socket.
    fn free_port(&self, _bound: &RefusedKey, _sk: u64) {}
    /// The socket that last began to listen at an address and port.
    fn port(&self, _bound: &RefusedKey) -> Option<u64> {
        None
    }
}

/// A socket listens: gives it an entry, if it has none of this life. False without room.
#[inline(always)]
pub fn enter(listeners: &impl Listeners, sk: u64, state: &mut SockState) -> bool {
    state.listener_sk = sk;
    if let Some(entry) = listeners.listener(sk)
        && entry.id == state.id
    {
        return true;
    }
    let entry = ListenRecord {
        id: state.id,
        born_ns: state.born_ns,
        owner_start_ns: state.owner_start_ns,
        owner_tgid: state.owner_tgid,
        local_addr: bytes(state.local),
        netns: state.netns,
        local_port: state.local_port,
        v6: state.v6,
        uid: probe(sk, &at::SK_UID),
        inode: inode(sk),
        // SAFETY: all-zero bytes are a valid record.
        ..unsafe { core::mem::zeroed() }
    };
    listeners.bind_port(&state.bound(), sk);
    listeners.put_listener(sk, &entry)
}

/// A socket stops listening: its entry, as it stands now, waits under its id for the next poll.
/// The address may have another listener before that.
#[inline(always)]
pub fn leave(listeners: &impl Listeners, sk: u64, state: &SockState) {
    listeners.free_port(&state.bound(), sk);
    let Some(entry) = listeners.listener(sk) else {
        return;
    };
    sample(sk, entry);
    entry.ended = 1;
    if !listeners.put_listener(entry.id, entry) {
        listeners.lost_listener();
    }
    listeners.drop_listener(sk);
}

/// Finds the listener of a connection by its local address and port, where children are no clones:
/// bound to that address, or to a wildcard. Of several sockets bound alike (`SO_REUSEPORT`) it is
/// the one that began to listen last.
#[inline(always)]
pub fn find(listeners: &impl Listeners, state: &mut SockState) {
    let mut bound = state.bound();
    let mut bind = ListenBind::Exact;
    let mut found = listeners.port(&bound);
    if found.is_none() {
        bound.local_addr[12..].copy_from_slice(&[0; 4]);
        bind = ListenBind::AnyV4;
        found = listeners.port(&bound);
    }
    if found.is_none() {
        bound.local_addr = [0; 16];
        bind = ListenBind::AnyV6;
        found = listeners.port(&bound);
    }
    let Some(sk) = found else { return };
    let Some(entry) = listeners.listener(sk) else {
        return;
    };
    state.listen_bind = bind as u8;
    state.listener = entry.id;
    state.listener_sk = sk;
    state.owner_tgid = entry.owner_tgid;
    state.owner_start_ns = entry.owner_start_ns;
}

/// A connection joined the queue of its listener.
#[inline(always)]
pub fn joined(listeners: &impl Listeners, state: &SockState) {
    let Some(entry) = listeners.listener(state.listener_sk) else {
        return;
    };
    if entry.id != state.listener {
        return;
    }
    // SAFETY: a place in the map's value.
    unsafe { add_one(&raw mut entry.established) };
    let queue: u32 = probe(state.listener_sk, &at::SK_ACK_BACKLOG);
    if queue > entry.high_water {
        entry.high_water = queue;
    }
}

/// A reset went out in the name of a listener: counted if its queue is full, as others answer
/// stray packets.
#[inline(always)]
pub fn reset_sent(listeners: &impl Listeners, sk: u64) {
    if let Some(entry) = listeners.listener(sk) {
        let (queue, limit) = queue(sk);
        if queue >= limit {
            // SAFETY: a place in the map's value.
            unsafe { add_one(&raw mut entry.resets) };
        }
    }
}

/// One entry of a poll, taken together with its longest queue; `None` if there is nothing to say.
///
/// # Safety
/// `value` is the value slot of an iterator over the listeners.
#[inline(always)]
pub unsafe fn poll(key: u64, value: *mut ListenRecord) -> Option<ListenRecord> {
    // SAFETY: promised by the caller.
    let mut record = unsafe { value.read() };
    if record.ended == 1 {
        return Some(record);
    }
    let state: u8 = probe(key, &at::SKC_STATE);
    if state != tcp_state::LISTEN {
        // SAFETY: a helper without arguments.
        let age = unsafe { bpf_ktime_get_ns() }.saturating_sub(record.born_ns);
        record.ended = 1;
        return (age > STALE_NS).then_some(record);
    }
    // SAFETY: promised by the caller.
    unsafe {
        (*value).high_water = 0;
        // listen() without bind() chooses the port after the event.
        if record.local_port == 0 {
            record.local_port = probe(key, &at::SKC_NUM);
            (*value).local_port = record.local_port;
        }
    }
    sample(key, &mut record);
    Some(record)
}

/// Reads off the socket what changes. Each read is a call, and there are many listeners: two
/// neighbours are read at once, and an empty queue has no head.
#[inline(always)]
fn sample(sk: u64, record: &mut ListenRecord) {
    (record.queue, record.limit) = queue(sk);
    record.drops = probe(sk, &at::SK_DROPS);
    if record.inode == 0 {
        record.inode = inode(sk);
    }
    if record.queue > record.high_water {
        record.high_water = record.queue;
    }
    record.oldest_wait_ns = match record.queue {
        0 => 0,
        _ => oldest_wait(sk),
    };
}

/// Length of the queue and its limit.
#[inline(always)]
fn queue(sk: u64) -> (u32, u32) {
    if global(&at::SK_MAX_ACK_BACKLOG) == global(&at::SK_ACK_BACKLOG).wrapping_add(4) {
        let [queue, limit]: [u32; 2] = probe(sk, &at::SK_ACK_BACKLOG);
        return (queue, limit);
    }
    (
        probe(sk, &at::SK_ACK_BACKLOG),
        probe(sk, &at::SK_MAX_ACK_BACKLOG),
    )
}

/// Inode number of the socket; 0 while no application holds it.
#[inline(always)]
fn inode(sk: u64) -> u64 {
    match probe::<u64>(sk, &at::SK_SOCKET) {
        0 => 0,
        socket => probe(socket, &at::SOCKET_INO),
    }
}

/// How long the head of the queue has stood there, to one jiffy.
#[inline(always)]
fn oldest_wait(sk: u64) -> u64 {
    let jiffy = global(&set::JIFFY_NS);
    if jiffy == ABSENT || global(&at::TP_LSNDTIME) == ABSENT {
        return UNKNOWN_U64;
    }
    let head: u64 = probe(sk, &at::ICSK_ACCEPT_HEAD);
    if head == 0 {
        return 0;
    }
    let child: u64 = probe(head, &at::REQ_SK);
    let since: u32 = probe(child, &at::TP_LSNDTIME);
    // Accepted meanwhile: what was read may be anything, and the next is younger than a poll.
    if probe::<u64>(sk, &at::ICSK_ACCEPT_HEAD) != head || child == 0 {
        return 0;
    }
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_jiffies64() } as u32;
    let waited = now.wrapping_sub(since);
    // Established in the jiffy that begins just now.
    if waited > u32::MAX / 2 {
        return 0;
    }
    u64::from(waited) * u64::from(jiffy)
}
