// Included by each TCP object: maps cannot be shared between objects, so each has its own.

/// Listening sockets by their address; those that ended since the last poll by their id.
#[btf_map]
static LISTENERS: HashMap<u64, ListenRecord, { LISTENER_LIMIT }, BPF_F_NO_PREALLOC> =
    HashMap::new();

/// Refusals since each entry was made.
#[btf_map]
static REFUSED: HashMap<RefusedKey, u64, { REFUSED_LIMIT }, BPF_F_NO_PREALLOC> = HashMap::new();

/// Counts that belong to no entry, see `DoorTotals`.
#[btf_map]
static DOOR_TOTALS: PerCpuArray<u64, { DoorTotals::LEN }> = PerCpuArray::new();

/// Counts one on this CPU.
#[inline(always)]
fn count(place: u32) {
    if let Some(total) = DOOR_TOTALS.get_ptr_mut(place) {
        // SAFETY: a slot of this CPU; the programs that write it do not nest on one CPU.
        unsafe { *total += 1 };
    }
}

#[inline(always)]
fn listener_entry(key: u64) -> Option<&'static mut ListenRecord> {
    // SAFETY: an entry is freed after a grace period, programs run within one.
    unsafe { LISTENERS.get_ptr_mut(key)?.as_mut() }
}

impl tcp::Refusals for Maps {
    #[inline(always)]
    fn refused(&self, key: &RefusedKey) {
        let entry = REFUSED.get_ptr_mut(key).or_else(|| {
            // Another CPU may be first, or there is no room: the second look tells.
            let _ = REFUSED.insert(key, 0, u64::from(BPF_NOEXIST));
            REFUSED.get_ptr_mut(key)
        });
        match entry {
            Some(total) => {
                // SAFETY: a place in the map's value.
                unsafe { add_one(total) };
            }
            None => count(DoorTotals::ELSEWHERE),
        }
        // Last: a reader that sees the total move finds the entry moved.
        count(DoorTotals::REFUSED);
    }
}

/// Resets we send (the kernel's arguments: socket or null, buffer or null, and a reason from 6.10).
#[btf_tracepoint(function = "tcp_send_reset")]
pub fn tcp_reset_sent(ctx: BtfTracePointContext) -> i32 {
    tcp::on_reset(&MAPS, ctx.as_ptr());
    0
}

/// Data was copied to a reader.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
pub fn tcp_read(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's argument is a socket.
    unsafe { tcp::on_read(&MAPS, ctx.arg(0)) };
    0
}

/// A socket is destroyed.
#[btf_tracepoint(function = "tcp_destroy_sock")]
pub fn tcp_destroyed(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the tracepoint's argument is a socket.
    unsafe { tcp::on_destroy(&MAPS, ctx.arg(0)) };
    0
}

/// Poll of all listeners (`struct bpf_iter__bpf_map_elem`: meta, map, key, value).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
fn tcp_listeners(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has four slots; key and value are null at the end of the walk.
    unsafe {
        let key = iter::slot(ctx, 2).cast::<u64>();
        let value = iter::slot(ctx, 3).cast::<ListenRecord>().cast_mut();
        if key.is_null() || value.is_null() {
            return 0;
        }
        let key = key.read_volatile();
        if let Some(record) = tcp::poll(key, value) {
            iter::emit(ctx, &ListenElement { key, record });
        }
    }
    0
}

/// Poll of all refusals (`struct bpf_iter__bpf_map_elem`).
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
fn tcp_refusals(ctx: *mut c_void) -> i32 {
    // SAFETY: the context has four slots; key and value are null at the end of the walk.
    unsafe {
        let key = iter::slot(ctx, 2).cast::<RefusedKey>();
        let value = iter::slot(ctx, 3).cast::<u64>();
        if key.is_null() || value.is_null() {
            return 0;
        }
        let element = RefusedElement {
            key: key.read(),
            count: value.read_volatile(),
        };
        iter::emit(ctx, &element);
    }
    0
}
