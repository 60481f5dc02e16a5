// Included by each TCP object: maps cannot be shared between objects. Where the states of sockets
// live is the object's own.

/// Histograms, mapped by user space.
#[btf_map]
static TURN_HISTOGRAMS: Array<TurnSlot, TURN_SLOTS, BPF_F_MMAPABLE> = Array::new();

/// Slot of each group. All its memory is there from the start: an event can't fail to get some.
#[btf_map]
static TURN_SLOT_OF: HashMap<RttKey, u32, TURN_GROUPS> = HashMap::new();

/// Slots nobody uses.
#[btf_map]
static TURN_FREE: Queue<u32, TURN_GROUPS> = Queue::new();

/// Counts the times of watching: what is remembered from an earlier one begins anew.
#[btf_map]
static TURN_ERA: Array<u32, 1> = Array::new();

/// Runs and their time.
#[btf_map]
static TURN_COST: PerCpuArray<TurnCost, 1> = PerCpuArray::new();

/// Maps of the groups.
struct TurnGroups;

impl tcp::group::GroupMaps for TurnGroups {
    type Slot = TurnSlot;
    const FOLDED: u32 = TURN_FOLDED as u32;

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<&TurnSlot> {
        TURN_HISTOGRAMS.get(index)
    }

    #[inline(always)]
    fn find(&self, key: &RttKey) -> Option<u32> {
        // SAFETY: entries are written once, before they can be found.
        unsafe { TURN_SLOT_OF.get(key) }.copied()
    }

    #[inline(always)]
    fn insert(&self, key: &RttKey, slot: u32) -> bool {
        TURN_SLOT_OF
            .insert(key, slot, u64::from(BPF_NOEXIST))
            .is_ok()
    }

    #[inline(always)]
    fn take_free(&self) -> Option<u32> {
        TURN_FREE.pop().ok().flatten()
    }

    #[inline(always)]
    fn put_free(&self, slot: u32) {
        // It was taken from there: there is room.
        let _ = TURN_FREE.push(slot, 0);
    }
}

/// What both kinds of states have in common.
#[inline(always)]
fn turn_era() -> u32 {
    TURN_ERA.get(0).copied().unwrap_or(0)
}

#[inline(always)]
fn turn_cost<'a>() -> Option<&'a mut TurnCost> {
    // SAFETY: the entry is this CPU's; an interrupt in between costs a count at most.
    unsafe { TURN_COST.get_ptr_mut(0)?.as_mut() }
}

/// A segment of an established connection.
#[btf_tracepoint(function = "tcp_probe")]
pub fn tcp_turn(ctx: BtfTracePointContext) -> i32 {
    let (sk, skb): (*const u8, *const u8) = (ctx.arg(0), ctx.arg(1));
    if let Some(run) = tcp::turn::Run::begin(&MAPS) {
        // SAFETY: the tracepoint's arguments are a socket of TCP and what arrived for it.
        unsafe { tcp::turn::on_segment(&MAPS, sk, skb) };
        run.end();
    }
    0
}

/// The last answer of a connection that leaves ESTABLISHED.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn tcp_turn_last(ctx: BtfTracePointContext) -> i32 {
    let sk: *const u8 = ctx.arg(0);
    let old: i32 = ctx.arg(1);
    if old == i32::from(tcp_state::ESTABLISHED)
        && let Some(run) = tcp::turn::Run::begin(&MAPS)
    {
        // SAFETY: the tracepoint's first argument is a socket.
        unsafe { tcp::turn::on_left(&MAPS, sk) };
        run.end();
    }
    0
}

/// Data was copied to a reader.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
pub fn tcp_turn_read(ctx: BtfTracePointContext) -> i32 {
    let sk: *const u8 = ctx.arg(0);
    if let Some(run) = tcp::turn::Run::begin(&MAPS) {
        // SAFETY: the tracepoint's argument is a socket.
        unsafe { tcp::turn::on_read(&MAPS, sk) };
        run.end();
    }
    0
}
