//! TCP without socket storage (kernels 5.8 to 5.10): states live in a hash map, and each network
//! namespace is walked by itself.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_ANY, BPF_NOEXIST},
    btf_maps::{Array, HashMap, LpmTrie, PerCpuArray, Queue, RingBuf, lpm_trie::Key},
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_task, bpf_skc_to_tcp_sock},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use hostlens_ebpf::{
    offsets::at,
    probe::{iter, load::add_one, load::member, tcp},
    wire::{
        Direction, DoorTotals, LISTENERS as LISTENER_LIMIT, LISTENING, ListenElement, ListenKey,
        ListenRecord, OWN_NETWORKS, REFUSED as REFUSED_LIMIT, RefusedElement, RefusedKey, RttKey,
        SockKind, SockRecord, SockTotals, TURN_FOLDED, TURN_GROUPS, TURN_SLOTS, TURN_SOCKETS,
        TurnCost, TurnSlot, tcp_state,
    },
};

include!("../probe/tcp/ends.rs");
include!("../probe/tcp/door.rs");
include!("../probe/tcp/place_maps.rs");
include!("../probe/tcp/turn_maps.rs");

const BPF_F_MMAPABLE: usize = 1 << 10;
const BPF_F_NO_PREALLOC: usize = 1;

/// States by address of the socket; an entry lives from the first sight to the end of the socket.
#[btf_map]
static SOCKETS: HashMap<u64, tcp::SockState, { 1 << 18 }, BPF_F_NO_PREALLOC> = HashMap::new();

/// The listener that last took an address and port: children are no clones here.
#[btf_map]
static LISTEN_PORTS: HashMap<RefusedKey, u64, { LISTENER_LIMIT }, BPF_F_NO_PREALLOC> =
    HashMap::new();

/// What is remembered of the turns of each socket, by its address.
#[btf_map]
static TURNS: HashMap<u64, tcp::turn::TurnState, TURN_SOCKETS, BPF_F_NO_PREALLOC> = HashMap::new();

/// An empty one, as it is too large to be made on the stack.
#[btf_map]
static TURN_EMPTY: Array<tcp::turn::TurnState, 1> = Array::new();

/// All maps of this object.
struct Maps;

static MAPS: Maps = Maps;

impl tcp::Sockets for Maps {
    #[inline(always)]
    fn get(&self, sk: *const u8) -> Option<&mut tcp::SockState> {
        let found = SOCKETS.get_ptr_mut(sk as u64)?;
        // SAFETY: entries are removed only at the end of their socket, under its lock.
        unsafe { found.as_mut() }
    }

    #[inline(always)]
    fn get_or_create(&self, sk: *const u8) -> Option<&mut tcp::SockState> {
        let key = sk as u64;
        if SOCKETS.get_ptr_mut(key).is_none() {
            // SAFETY: all-zero bytes are a valid state.
            let empty: tcp::SockState = unsafe { core::mem::zeroed() };
            SOCKETS.insert(key, empty, u64::from(BPF_ANY)).ok()?;
        }
        self.get(sk)
    }

    #[inline(always)]
    fn forget(&self, sk: *const u8) {
        // Absent is as good as removed. Turns too: what follows them may not run now.
        let _ = SOCKETS.remove(sk as u64);
        let _ = TURNS.remove(sk as u64);
    }
}

impl tcp::Listeners for Maps {
    #[inline(always)]
    fn listener(&self, key: u64) -> Option<&mut ListenRecord> {
        listener_entry(key)
    }

    #[inline(always)]
    fn put_listener(&self, key: u64, record: &ListenRecord) -> bool {
        LISTENERS.insert(key, record, u64::from(BPF_ANY)).is_ok()
    }

    #[inline(always)]
    fn drop_listener(&self, key: u64) {
        // Absent is as good as removed.
        let _ = LISTENERS.remove(key);
    }

    #[inline(always)]
    fn lost_listener(&self) {
        count(DoorTotals::LISTENERS_LOST);
    }

    #[inline(always)]
    fn bind_port(&self, bound: &RefusedKey, sk: u64) {
        // Without room the connections have no listener.
        let _ = LISTEN_PORTS.insert(bound, sk, u64::from(BPF_ANY));
    }

    #[inline(always)]
    fn free_port(&self, bound: &RefusedKey, sk: u64) {
        if tcp::Listeners::port(self, bound) == Some(sk) {
            // Absent is as good as removed.
            let _ = LISTEN_PORTS.remove(bound);
        }
    }

    #[inline(always)]
    fn port(&self, bound: &RefusedKey) -> Option<u64> {
        let found = LISTEN_PORTS.get_ptr(bound)?;
        // SAFETY: an entry is freed after a grace period, programs run within one.
        Some(unsafe { found.read_volatile() })
    }
}

impl tcp::Current for Maps {
    #[inline(always)]
    fn current(&self) -> tcp::Task {
        // SAFETY: a helper without arguments.
        tcp::Task::probed(unsafe { bpf_get_current_task() })
    }

    #[inline(always)]
    fn current_tgid(&self) -> u32 {
        // SAFETY: a helper without arguments.
        (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
    }
}

impl tcp::turn::TurnMaps for Maps {
    type Groups = TurnGroups;

    #[inline(always)]
    fn groups(&self) -> &TurnGroups {
        &TurnGroups
    }

    #[inline(always)]
    fn turn(&self, sk: *const u8) -> Option<&mut tcp::turn::TurnState> {
        let found = TURNS.get_ptr_mut(sk as u64)?;
        // SAFETY: entries are removed only at the end of their connection, under its lock.
        unsafe { found.as_mut() }
    }

    #[inline(always)]
    fn create_turn(&self, sk: *const u8) -> Option<&mut tcp::turn::TurnState> {
        let empty = TURN_EMPTY.get(0)?;
        TURNS.insert(sk as u64, empty, u64::from(BPF_ANY)).ok()?;
        self.turn(sk)
    }

    #[inline(always)]
    fn forget_turn(&self, sk: *const u8) {
        // Absent is as good as removed.
        let _ = TURNS.remove(sk as u64);
    }

    #[inline(always)]
    fn era(&self) -> u32 {
        turn_era()
    }

    #[inline(always)]
    fn cost(&self) -> Option<&mut TurnCost> {
        turn_cost()
    }
}

#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn tcp_state_changed(ctx: BtfTracePointContext) -> i32 {
    let sk: *const u8 = ctx.arg(0);
    let (old, new): (i32, i32) = (ctx.arg(1), ctx.arg(2));
    debug!(&ctx, "socket state {} -> {}", old, new);
    // SAFETY: the tracepoint's first argument is a socket.
    unsafe {
        if is_tcp(sk) {
            tcp::on_transition(&MAPS, sk, old as u8, new as u8);
        }
    }
    0
}

/// Walk of one namespace's sockets (`struct bpf_iter__tcp`: meta, sk_common, uid).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
fn tcp_walk(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has at least two slots; the socket is null at the end of the walk.
    unsafe {
        let sk = iter::slot(ctx, 1);
        if sk.is_null() {
            return 0;
        }
        let state: u8 = member(sk, &at::SKC_STATE);
        if state == tcp_state::TIME_WAIT || state == tcp_state::NEW_SYN_RECV {
            return 0;
        }
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast())
            .cast::<u8>()
            .cast_const();
        if tp.is_null() {
            return 0;
        }
        tcp::seed(&MAPS, tp);
        match tcp::Sockets::get(&MAPS, tp) {
            Some(state) => tcp::walk(&MAPS, tp, state, |record| iter::emit(ctx, record)),
            None => {
                // The map is full: identity 0 tells user space to make one of the addresses.
                let mut state: tcp::SockState = core::mem::zeroed();
                state.place(tp);
                tcp::walk(&MAPS, tp, &mut state, |record| iter::emit(ctx, record));
            }
        }
    }
    0
}
