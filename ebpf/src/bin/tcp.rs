//! TCP with socket storage (kernels from 5.11): one pass over the storage map sees the sockets of
//! all network namespaces.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    reason = "the attribute macros drop the doc comments of entry points"
)]

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::{
        BPF_ANY, BPF_NOEXIST, BPF_SK_STORAGE_GET_F_CREATE, bpf_map_type::BPF_MAP_TYPE_SK_STORAGE,
    },
    btf_maps::{Array, HashMap, LpmTrie, PerCpuArray, Queue, RingBuf, lpm_trie::Key},
    helpers::generated::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_sk_storage_get,
        bpf_skc_to_tcp_sock, bpf_sock_from_file,
    },
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use hostlens_ebpf::{
    offsets::at,
    probe::{iter, load::add_one, load::member, load::pointer, tcp},
    wire::{
        Direction, DoorTotals, LISTENERS as LISTENER_LIMIT, LISTENING, ListenElement, ListenKey,
        ListenRecord, OWN_NETWORKS, REFUSED as REFUSED_LIMIT, RTT_FOLDED, RTT_GROUPS, RTT_SLOTS,
        RefusedElement, RefusedKey, RttKey, RttSlot, SOCK_BATCH, SockKind, SockRecord, SockTotals,
        TURN_FOLDED, TURN_GROUPS, TURN_SLOTS, TurnCost, TurnSlot, tcp_state,
    },
};

include!("../probe/tcp/ends.rs");
include!("../probe/tcp/place_maps.rs");
include!("../probe/tcp/ack_maps.rs");
include!("../probe/tcp/turn_maps.rs");
include!("../probe/tcp/turn_storage.rs");
include!("../probe/tcp/door.rs");

/// All maps of this object.
struct Maps;

static MAPS: Maps = Maps;

const BPF_F_MMAPABLE: usize = 1 << 10;
const BPF_F_NO_PREALLOC: usize = 1;
const BPF_F_CLONE: usize = 1 << 9;

/// Declared by hand: the library's type has neither the clone flag nor a form for tracing.
#[repr(C)]
struct SkStorage {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const tcp::SockState,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC | BPF_F_CLONE],
}

// SAFETY: a declaration for the loader; programs only pass its address on.
unsafe impl Sync for SkStorage {}

#[btf_map]
static SOCKETS: SkStorage = SkStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

impl SkStorage {
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "the value is outside the program; the kernel hands it out"
    )]
    fn lookup(&self, sk: *const u8, flags: u32) -> Option<&mut tcp::SockState> {
        // SAFETY: `sk` is a socket known to the verifier; the value, once there, lives as long as
        // the socket, and programs touch it only under the socket's own lock or in a walk.
        unsafe {
            bpf_sk_storage_get(
                core::ptr::from_ref(self).cast_mut().cast(),
                sk.cast_mut().cast(),
                core::ptr::null_mut(),
                u64::from(flags),
            )
            .cast::<tcp::SockState>()
            .as_mut()
        }
    }
}

impl tcp::Sockets for Maps {
    #[inline(always)]
    fn get(&self, sk: *const u8) -> Option<&mut tcp::SockState> {
        SOCKETS.lookup(sk, BPF_ANY)
    }

    #[inline(always)]
    fn get_or_create(&self, sk: *const u8) -> Option<&mut tcp::SockState> {
        SOCKETS.lookup(sk, BPF_SK_STORAGE_GET_F_CREATE)
    }

    #[inline(always)]
    fn forget(&self, _sk: *const u8) {}
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
}

impl tcp::Current for Maps {
    #[inline(always)]
    fn current(&self) -> tcp::Task {
        // SAFETY: the helper gives the running task, known to the verifier.
        unsafe { tcp::Task::typed(bpf_get_current_task_btf().cast::<u8>().cast_const()) }
    }

    #[inline(always)]
    fn current_tgid(&self) -> u32 {
        // SAFETY: a helper without arguments.
        (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
    }
}

/// Where a walk puts its records; the reader gets one byte for each and looks here.
///
/// Through the reader's buffer (32 KiB) a walk would stop every 273 sockets, and each time
/// `bpf_sk_storage_map_seq_find_next` counts its way from the start of a bucket, of which there
/// are as few as CPUs: at 50,000 sockets and 2 CPUs that took two thirds of the walk.
#[btf_map]
static SOCKET_BATCH: Array<SockRecord, SOCK_BATCH, BPF_F_MMAPABLE> = Array::new();

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

/// Walk of all sockets with storage (`struct bpf_iter__bpf_sk_storage_map`: meta, map, sk, value).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_sk_storage_map")]
fn tcp_walk(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has four slots; sk and value are null at the end of the walk.
    unsafe {
        let sk = iter::slot(ctx, 2);
        let value = iter::slot(ctx, 3).cast::<tcp::SockState>().cast_mut();
        if let (false, Some(state)) = (sk.is_null(), value.as_mut()) {
            tcp::walk(&MAPS, sk, state, |record| {
                // As many bytes were written as there are records in the batch.
                if let Some(place) = SOCKET_BATCH.get_ptr_mut(iter::written(ctx) as u32) {
                    *place = *record;
                    iter::emit(ctx, &1u8);
                }
            });
        }
    }
    0
}

/// Gives the sockets of one namespace that are older than the programs their storage
/// (`struct bpf_iter__tcp`: meta, sk_common, uid).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
fn tcp_seed(ctx: *mut c_void) -> i32 {
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
        if !tp.is_null() && tcp::seed(&MAPS, tp) {
            iter::emit(ctx, &1u64);
        }
    }
    0
}

/// Gives the sockets behind the descriptors of all processes the owner they lack
/// (`struct bpf_iter__task_file`: meta, task, fd, file). Of several processes the first is taken.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
fn tcp_owners(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has four slots; task and file are null at the end of the walk.
    unsafe {
        let task = iter::slot(ctx, 1);
        let file = iter::slot(ctx, 3);
        if task.is_null() || file.is_null() {
            return 0;
        }
        let socket = bpf_sock_from_file(file.cast_mut().cast())
            .cast::<u8>()
            .cast_const();
        if socket.is_null() {
            return 0;
        }
        let sk = pointer(socket, &at::SOCKET_SK);
        if sk.is_null() {
            return 0;
        }
        let tp = bpf_skc_to_tcp_sock(sk.cast_mut().cast())
            .cast::<u8>()
            .cast_const();
        if !tp.is_null() && tcp::adopt(&MAPS, tp, tcp::Task::typed(task)) {
            iter::emit(ctx, &1u64);
        }
    }
    0
}
