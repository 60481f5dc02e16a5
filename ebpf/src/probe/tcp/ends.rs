// Included by each TCP object: maps cannot be shared between objects, so each has its own.

/// Final records; user space polls, nothing is woken. Resized at load.
#[btf_map]
static SOCK_ENDS: RingBuf<SockRecord, { 1 << 20 }> = RingBuf::new();

/// Absolute totals of final records that found no room, by direction.
#[btf_map]
static SOCK_OVERFLOW: PerCpuArray<SockTotals, 3> = PerCpuArray::new();

const NO_WAKEUP: u64 = 1;

impl tcp::End for Maps {
    #[inline(always)]
    fn ended(&self, record: &SockRecord) {
        if SOCK_ENDS.output(*record, NO_WAKEUP).is_ok() {
            return;
        }
        if record.kind == SockKind::Unread as u8 {
            // The connection itself was told of before.
            count(DoorTotals::UNREAD_LOST);
            return;
        }
        let direction = Direction::from_wire(record.direction) as u32;
        if let Some(totals) = SOCK_OVERFLOW.get_ptr_mut(direction) {
            // SAFETY: a slot of this CPU; the programs that write it do not nest on one CPU.
            unsafe {
                (*totals).connections += 1;
                (*totals).sent_bytes += record.bytes_sent.saturating_sub(record.bytes_retrans);
                (*totals).received_bytes += record.bytes_received;
                (*totals).data_segs_out += u64::from(record.data_segs_out);
                (*totals).total_retrans += u64::from(record.total_retrans);
            }
        }
    }
}

/// The tracepoint also serves SCTP, DCCP and MPTCP.
///
/// # Safety
/// `sk` is a socket known to the verifier.
#[inline(always)]
unsafe fn is_tcp(sk: *const u8) -> bool {
    // SAFETY: promised by the caller.
    !unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()) }.is_null()
}
