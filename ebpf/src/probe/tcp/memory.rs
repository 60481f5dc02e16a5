//! What is remembered of a socket from its opening to its end, and where.

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns};

use crate::{
    offsets::at,
    probe::load::{bytes, member, pointer, words},
    wire::{Direction, ListenBind, RefusedKey},
};

const AF_INET6: u16 = 10;
/// `::ffff:0.0.0.0/96` as it lies in memory.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xFF, 0xFF]);

/// Identity and history of one connection or listener.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct SockState {
    /// See `SockRecord::id`.
    pub id: u64,
    /// See `SockRecord::born_ns`.
    pub born_ns: u64,
    /// See `SockRecord::established_ns`.
    pub established_ns: u64,
    /// See `SockRecord::owner_start_ns`.
    pub owner_start_ns: u64,
    /// See `SockRecord::listener`.
    pub listener: u64,
    /// Address of that listener's socket; of a listener its own.
    pub listener_sk: u64,
    /// Local address, IPv4 mapped.
    pub local: [u32; 4],
    /// Remote address, IPv4 mapped.
    pub remote: [u32; 4],
    /// Network namespace.
    pub netns: u32,
    /// RTT, µs, as it stood when the close handshake began; 0 before.
    pub closing_srtt_us: u32,
    /// `delivered` at the same moment.
    pub closing_delivered: u32,
    /// See `SockRecord::owner_tgid`.
    pub owner_tgid: u32,
    /// Local port.
    pub local_port: u16,
    /// Remote port.
    pub remote_port: u16,
    /// [`Direction`].
    pub direction: u8,
    /// [`ListenBind`].
    pub listen_bind: u8,
    /// Family is `AF_INET6`.
    pub v6: u8,
    /// Its final record is out; the socket may linger or be reused.
    pub ended: u8,
    /// See `SockRecord::flags`.
    pub flags: u8,
    /// State that the last change seen led to.
    pub last: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// Round-trip time of the opening, µs; 0 unknown.
    pub handshake_us: u32,
}

const _: () = assert!(size_of::<SockState>() == 112);

/// Where the states live: socket storage, or a hash map on kernels without it.
#[expect(
    clippy::mut_from_ref,
    reason = "the map is outside the program; the kernel hands out its values"
)]
pub trait Sockets {
    /// State of a socket.
    fn get(&self, sk: *const u8) -> Option<&mut SockState>;
    /// State of a socket, a zeroed one if it has none; `None` if there is no room.
    fn get_or_create(&self, sk: *const u8) -> Option<&mut SockState>;
    /// Forgets a socket where the map does not do so by itself.
    fn forget(&self, sk: *const u8);
}

impl SockState {
    /// Begins a connection of this socket now (or before our time if `born_ns` is 0). Owner and
    /// listener stay what they were.
    ///
    /// # Safety
    /// `sk` is a socket known to the verifier.
    #[inline(always)]
    pub unsafe fn begin(
        &mut self,
        sk: *const u8,
        direction: Direction,
        bind: ListenBind,
        born_ns: u64,
    ) {
        // SAFETY: helpers without arguments.
        let (now, cpu) = unsafe { (bpf_ktime_get_ns(), bpf_get_smp_processor_id()) };
        self.id = identity(now, cpu);
        self.born_ns = born_ns;
        self.closing_srtt_us = 0;
        self.closing_delivered = 0;
        self.direction = direction as u8;
        self.listen_bind = bind as u8;
        self.ended = 0;
        self.flags = 0;
        self.established_ns = 0;
        self.handshake_us = 0;
        // SAFETY: promised by the caller.
        unsafe { self.place(sk) };
    }

    /// Reads addresses, ports and namespace from the socket. The local port may still be 0 when a
    /// connection is being opened, and the peer unknown for a child in SYN_RECV up to 6.12.
    ///
    /// # Safety
    /// `sk` is a socket known to the verifier.
    #[inline(always)]
    pub unsafe fn place(&mut self, sk: *const u8) {
        // SAFETY: promised by the caller; offsets are of `struct sock_common`.
        unsafe {
            self.v6 = u8::from(member::<u16>(sk, &at::SKC_FAMILY) == AF_INET6);
            if self.v6 == 1 {
                self.local = words(sk, &at::SKC_V6_RCV_SADDR);
                self.remote = words(sk, &at::SKC_V6_DADDR);
            } else {
                self.local = [0, 0, MAPPED, member(sk, &at::SKC_RCV_SADDR)];
                self.remote = [0, 0, MAPPED, member(sk, &at::SKC_DADDR)];
            }
            self.local_port = member(sk, &at::SKC_NUM);
            self.remote_port = u16::from_be(member(sk, &at::SKC_DPORT));
            let net = pointer(sk, &at::SKC_NET);
            self.netns = member(net, &at::NET_INUM);
        }
    }

    /// Whether it came, or still is, from the listener that took this connection.
    #[inline(always)]
    pub fn is_clone(&self, sk: *const u8) -> bool {
        self.listener_sk != 0 && self.listener_sk != sk as u64
    }

    /// Where the socket is bound, as a key.
    #[inline(always)]
    pub fn bound(&self) -> RefusedKey {
        RefusedKey {
            local_addr: bytes(self.local),
            netns: self.netns,
            local_port: self.local_port,
            reserved: 0,
        }
    }

    /// How a listener with this state is bound, for its children.
    #[inline(always)]
    pub fn bind(&self) -> ListenBind {
        if self.v6 == 1 && self.local == [0; 4] {
            ListenBind::AnyV6
        } else if self.v6 == 0 && self.local[3] == 0 {
            ListenBind::AnyV4
        } else {
            ListenBind::Exact
        }
    }
}

/// Mixes the time of opening with the CPU it happened on: one CPU opens no two sockets in the same
/// nanosecond, and the mixing (finalizer of splitmix64) is a bijection.
#[inline(always)]
fn identity(now: u64, cpu: u32) -> u64 {
    let mut x = now.rotate_left(12) ^ u64::from(cpu);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) | 1
}
