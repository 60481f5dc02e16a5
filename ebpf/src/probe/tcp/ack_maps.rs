// Included by the TCP object with socket storage: maps cannot be shared between objects.

/// What is remembered of each socket for its round-trip times; not handed on to children.
#[repr(C)]
struct AckStorage {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const tcp::ack::AckState,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC],
}

// SAFETY: a declaration for the loader; programs only pass its address on.
unsafe impl Sync for AckStorage {}

#[btf_map]
static ACKS: AckStorage = AckStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

/// Histograms, mapped by user space. One slot if they are not wanted.
#[btf_map]
static RTT_HISTOGRAMS: Array<RttSlot, RTT_SLOTS, BPF_F_MMAPABLE> = Array::new();

/// Slot of each group. All its memory is there from the start: an event can't fail to get some.
#[btf_map]
static RTT_SLOT_OF: HashMap<RttKey, u32, RTT_GROUPS> = HashMap::new();

/// Slots nobody uses.
#[btf_map]
static RTT_FREE: Queue<u32, RTT_GROUPS> = Queue::new();

#[expect(
    clippy::mut_from_ref,
    reason = "the value is outside the program; the kernel hands it out"
)]
impl AckStorage {
    #[inline(always)]
    fn lookup(&self, sk: *const u8, flags: u32) -> Option<&mut tcp::ack::AckState> {
        // SAFETY: `sk` is a socket known to the verifier; the value, once there, lives as long as
        // the socket, and programs touch it only under the socket's own lock.
        unsafe {
            bpf_sk_storage_get(
                core::ptr::from_ref(self).cast_mut().cast(),
                sk.cast_mut().cast(),
                core::ptr::null_mut(),
                u64::from(flags),
            )
            .cast::<tcp::ack::AckState>()
            .as_mut()
        }
    }
}

impl tcp::ack::RttMaps for Maps {
    #[inline(always)]
    fn state(&self, sk: *const u8) -> Option<&mut tcp::ack::AckState> {
        ACKS.lookup(sk, BPF_ANY)
    }

    #[inline(always)]
    fn create(&self, sk: *const u8) -> Option<&mut tcp::ack::AckState> {
        ACKS.lookup(sk, BPF_SK_STORAGE_GET_F_CREATE)
    }
}

impl tcp::group::GroupMaps for Maps {
    type Slot = RttSlot;
    const FOLDED: u32 = RTT_FOLDED as u32;

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<&RttSlot> {
        RTT_HISTOGRAMS.get(index)
    }

    #[inline(always)]
    fn find(&self, key: &RttKey) -> Option<u32> {
        // SAFETY: entries are written once, before they can be found.
        unsafe { RTT_SLOT_OF.get(key) }.copied()
    }

    #[inline(always)]
    fn insert(&self, key: &RttKey, slot: u32) -> bool {
        RTT_SLOT_OF.insert(key, slot, u64::from(BPF_NOEXIST)).is_ok()
    }

    #[inline(always)]
    fn take_free(&self) -> Option<u32> {
        RTT_FREE.pop().ok().flatten()
    }

    #[inline(always)]
    fn put_free(&self, slot: u32) {
        // It was taken from there: there is room.
        let _ = RTT_FREE.push(slot, 0);
    }
}

#[btf_tracepoint(function = "tcp_probe")]
pub fn tcp_acked(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's first argument is a socket.
    unsafe { tcp::ack::acked(&MAPS, ctx.arg(0)) };
    0
}

/// Takes the last round-trip time of a connection that leaves ESTABLISHED.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn tcp_acked_last(ctx: BtfTracePointContext) -> i32 {
    let old: i32 = ctx.arg(1);
    if old == i32::from(tcp_state::ESTABLISHED) {
        // SAFETY: the tracepoint's first argument is a socket.
        unsafe { tcp::ack::acked(&MAPS, ctx.arg(0)) };
    }
    0
}
