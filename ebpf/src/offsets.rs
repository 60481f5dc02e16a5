//! The one door to kernel structures: which members the programs read, and under which name.
//!
//! rustc emits no CO-RE relocations. Each entry is a read-only global of the object; user space
//! finds the member in the running kernel's BTF and sets the global before loading. The verifier
//! sees frozen read-only data as constants, so the loads stay direct and type-checked. A member
//! this kernel lacks stays [`ABSENT`]: the branch around its load is pruned.

/// Value of an offset the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// One entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Symbol of the global in the objects.
    pub name: &'static str,
    /// Structure as named in BTF.
    pub structure: &'static str,
    /// Member path; anonymous structs and unions are looked through.
    pub path: &'static str,
    /// Added to the member's offset: a fixed place inside it.
    pub add: u32,
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident = $structure:literal, $path:literal, $add:literal;)*) => {
        /// Every member read by some program.
        pub static TABLE: &[Offset] = &[
            $(Offset { name: stringify!($name), structure: $structure, path: $path, add: $add },)*
        ];

        /// The globals themselves; only programs have them.
        #[cfg(target_arch = "bpf")]
        pub mod at {
            $($(#[$doc])* #[unsafe(no_mangle)] pub static $name: u32 = super::ABSENT;)*
        }
    };
}

offsets! {
    // include/net/sock.h
    /// Address family.
    SKC_FAMILY = "sock_common", "skc_family", 0;
    /// State, `TCP_*`.
    SKC_STATE = "sock_common", "skc_state", 0;
    /// Local port, host order; 0 once the socket is unhashed.
    SKC_NUM = "sock_common", "skc_num", 0;
    /// Remote port, network order.
    SKC_DPORT = "sock_common", "skc_dport", 0;
    /// Local IPv4 address.
    SKC_RCV_SADDR = "sock_common", "skc_rcv_saddr", 0;
    /// Remote IPv4 address.
    SKC_DADDR = "sock_common", "skc_daddr", 0;
    /// Local IPv6 address.
    SKC_V6_RCV_SADDR = "sock_common", "skc_v6_rcv_saddr", 0;
    /// Remote IPv6 address.
    SKC_V6_DADDR = "sock_common", "skc_v6_daddr", 0;
    /// Network namespace.
    SKC_NET = "sock_common", "skc_net", 0;
    /// `SOCK_*` flags; `SOCK_DONE` (bit 1) says that the peer's FIN was taken.
    SKC_FLAGS = "sock_common", "skc_flags", 0;
    /// Error of the socket.
    SK_ERR = "sock", "sk_err", 0;
    /// Connections waiting in a listener's accept queue.
    SK_ACK_BACKLOG = "sock", "sk_ack_backlog", 0;
    /// Limit of a listener's accept queue.
    SK_MAX_ACK_BACKLOG = "sock", "sk_max_ack_backlog", 0;
    /// What the network last said of the socket (ICMP), errno.
    SK_ERR_SOFT = "sock", "sk_err_soft", 0;
    /// What applications hold of the socket; null before accept and after close.
    SK_SOCKET = "sock", "sk_socket", 0;
    /// 1 while a task is at work on the socket; interrupts then leave it alone.
    SK_LOCK_OWNED = "sock", "sk_lock.owned", 0;
    /// Buffers received and not yet read.
    SK_RECEIVE_QLEN = "sock", "sk_receive_queue.qlen", 0;
    /// See `ListenRecord::drops`.
    SK_DROPS = "sock", "sk_drops", 0;
    /// See `ListenRecord::uid`.
    SK_UID = "sock", "sk_uid", 0;
    // include/linux/net.h
    /// `SS_UNCONNECTED` and friends.
    SOCKET_STATE = "socket", "state", 0;
    /// The protocol's socket.
    SOCKET_SK = "socket", "sk", 0;
    /// Inode number, from the address of the `struct socket` that begins the allocation.
    SOCKET_INO = "socket_alloc", "vfs_inode.i_ino", 0;
    // include/net/inet_sock.h
    /// Local port, network order; outlives `SKC_NUM` at the end.
    INET_SPORT = "inet_sock", "inet_sport", 0;
    // include/net/inet_connection_sock.h
    /// See `SockRecord::retransmits`.
    ICSK_RETRANSMITS = "inet_connection_sock", "icsk_retransmits", 0;
    /// Head of a listener's accept queue.
    ICSK_ACCEPT_HEAD = "inet_connection_sock", "icsk_accept_queue.rskq_accept_head", 0;
    /// The connection a request became.
    REQ_SK = "request_sock", "sk", 0;
    // include/linux/skbuff.h
    /// Start of the buffer.
    SKB_HEAD = "sk_buff", "head", 0;
    /// What its protocol notes of it.
    SKB_CB = "sk_buff", "cb", 0;
    /// Device it came by.
    SKB_DEV = "sk_buff", "dev", 0;
    /// Where the IP header lies in the buffer.
    SKB_NETWORK_HEADER = "sk_buff", "network_header", 0;
    /// Where the TCP header lies in the buffer.
    SKB_TRANSPORT_HEADER = "sk_buff", "transport_header", 0;
    /// Network namespace of a device.
    DEV_NET = "net_device", "nd_net.net", 0;
    /// Inode number of a namespace.
    NET_INUM = "net", "ns.inum", 0;
    // include/linux/seq_file.h
    /// Bytes a walk has written since its reader last came, `size_t`.
    SEQ_COUNT = "seq_file", "count", 0;
    // include/linux/tcp.h
    /// Smoothed RTT, µs << 3.
    TP_SRTT_US = "tcp_sock", "srtt_us", 0;
    /// Windowed minimum RTT; the current value is the first sample's.
    TP_RTT_MIN = "tcp_sock", "rtt_min", 4;
    /// See `SockRecord::bytes_sent`.
    TP_BYTES_SENT = "tcp_sock", "bytes_sent", 0;
    /// See `SockRecord::bytes_retrans`.
    TP_BYTES_RETRANS = "tcp_sock", "bytes_retrans", 0;
    /// See `SockRecord::bytes_received`.
    TP_BYTES_RECEIVED = "tcp_sock", "bytes_received", 0;
    /// See `SockRecord::data_segs_out`.
    TP_DATA_SEGS_OUT = "tcp_sock", "data_segs_out", 0;
    /// See `SockRecord::total_retrans`.
    TP_TOTAL_RETRANS = "tcp_sock", "total_retrans", 0;
    /// See `SockRecord::delivered`.
    TP_DELIVERED = "tcp_sock", "delivered", 0;
    /// RTT of the newest segment known delivered, µs.
    TP_RACK_RTT_US = "tcp_sock", "rack.rtt_us", 0;
    /// End of that segment.
    TP_RACK_END_SEQ = "tcp_sock", "rack.end_seq", 0;
    /// Next sequence number expected.
    TP_RCV_NXT = "tcp_sock", "rcv_nxt", 0;
    /// First sequence number not yet read.
    TP_COPIED_SEQ = "tcp_sock", "copied_seq", 0;
    /// Next sequence number to be sent.
    TP_SND_NXT = "tcp_sock", "snd_nxt", 0;
    /// When it last sent a segment, ns of `CLOCK_MONOTONIC`; where it paces itself: when it may send
    /// the next.
    TP_WSTAMP_NS = "tcp_sock", "tcp_wstamp_ns", 0;
    /// When it last looked at the clock, before what it sent last or later; ns of the same.
    TP_CLOCK_CACHE = "tcp_sock", "tcp_clock_cache", 0;
    /// When the first segment of the flight was sent, µs of the same; after an acknowledgement: when
    /// the newest segment known delivered was.
    TP_FIRST_TX = "tcp_sock", "first_tx_mstamp", 0;
    /// End of what was written.
    TP_WRITE_SEQ = "tcp_sock", "write_seq", 0;
    /// First unacknowledged sequence number.
    TP_SND_UNA = "tcp_sock", "snd_una", 0;
    /// When it last sent data, jiffies; of a connection nobody accepted yet: when it was established.
    TP_LSNDTIME = "tcp_sock", "lsndtime", 0;
    // include/net/tcp.h
    /// First sequence number of a segment.
    CB_SEQ = "tcp_skb_cb", "seq", 0;
    /// The one after its last byte; a FIN takes one too.
    CB_END_SEQ = "tcp_skb_cb", "end_seq", 0;
    /// Flags of its header.
    CB_FLAGS = "tcp_skb_cb", "tcp_flags", 0;
    /// What it acknowledges.
    CB_ACK_SEQ = "tcp_skb_cb", "ack_seq", 0;
    // include/linux/sched.h
    /// Thread id.
    TASK_PID = "task_struct", "pid", 0;
    /// Process id.
    TASK_TGID = "task_struct", "tgid", 0;
    /// Start since boot, ns (5.5; `real_start_time` before).
    TASK_START_BOOTTIME = "task_struct", "start_boottime", 0;
    /// Parent as seen by wait and getppid.
    TASK_REAL_PARENT = "task_struct", "real_parent", 0;
    /// Leader of the thread group.
    TASK_GROUP_LEADER = "task_struct", "group_leader", 0;
    /// Objective credentials.
    TASK_REAL_CRED = "task_struct", "real_cred", 0;
    /// Command name.
    TASK_COMM = "task_struct", "comm", 0;
    /// `PF_*`.
    TASK_FLAGS = "task_struct", "flags", 0;
    /// Wait status.
    TASK_EXIT_CODE = "task_struct", "exit_code", 0;
    /// `EXIT_ZOMBIE` and friends.
    TASK_EXIT_STATE = "task_struct", "exit_state", 0;
    /// Address space.
    TASK_MM = "task_struct", "mm", 0;
    /// Descriptor table.
    TASK_FILES = "task_struct", "files", 0;
    /// What threads share, and what ended ones left.
    TASK_SIGNAL = "task_struct", "signal", 0;
    /// CPU time, ns.
    TASK_RUNTIME = "task_struct", "se.sum_exec_runtime", 0;
    /// User time, ns.
    TASK_UTIME = "task_struct", "utime", 0;
    /// System time, ns.
    TASK_STIME = "task_struct", "stime", 0;
    /// Minor faults.
    TASK_MIN_FLT = "task_struct", "min_flt", 0;
    /// Major faults.
    TASK_MAJ_FLT = "task_struct", "maj_flt", 0;
    /// Voluntary switches.
    TASK_NVCSW = "task_struct", "nvcsw", 0;
    /// Involuntary switches.
    TASK_NIVCSW = "task_struct", "nivcsw", 0;
    /// Bytes read from storage (`CONFIG_TASK_IO_ACCOUNTING`).
    TASK_READ_BYTES = "task_struct", "ioac.read_bytes", 0;
    /// Bytes written to storage.
    TASK_WRITE_BYTES = "task_struct", "ioac.write_bytes", 0;
    /// Time runnable and not running, ns (`CONFIG_SCHED_INFO`).
    TASK_RUN_DELAY = "task_struct", "sched_info.run_delay", 0;
    /// Delay accounting; null for tasks that began while it was off.
    TASK_DELAYS = "task_struct", "delays", 0;
    // include/linux/delayacct.h
    /// Time waiting for storage, ns.
    DELAYS_BLKIO = "task_delay_info", "blkio_delay", 0;
    /// Namespaces.
    TASK_NSPROXY = "task_struct", "nsproxy", 0;
    /// Counts execve.
    TASK_EXEC_ID = "task_struct", "self_exec_id", 0;
    /// Cgroups.
    TASK_CGROUPS = "task_struct", "cgroups", 0;
    // include/linux/sched/signal.h: totals of threads that ended
    /// CPU time, ns.
    SIG_RUNTIME = "signal_struct", "sum_sched_runtime", 0;
    /// User time, ns.
    SIG_UTIME = "signal_struct", "utime", 0;
    /// System time, ns.
    SIG_STIME = "signal_struct", "stime", 0;
    /// Minor faults.
    SIG_MIN_FLT = "signal_struct", "min_flt", 0;
    /// Major faults.
    SIG_MAJ_FLT = "signal_struct", "maj_flt", 0;
    /// Voluntary switches.
    SIG_NVCSW = "signal_struct", "nvcsw", 0;
    /// Involuntary switches.
    SIG_NIVCSW = "signal_struct", "nivcsw", 0;
    /// Bytes read from storage.
    SIG_READ_BYTES = "signal_struct", "ioac.read_bytes", 0;
    /// Bytes written to storage.
    SIG_WRITE_BYTES = "signal_struct", "ioac.write_bytes", 0;
    /// What threads that ended left in a group of several (`CONFIG_TASKSTATS`).
    SIG_STATS = "signal_struct", "stats", 0;
    // include/uapi/linux/taskstats.h
    /// Time runnable and not running, ns.
    STATS_RUN_DELAY = "taskstats", "cpu_delay_total", 0;
    /// Time waiting for storage, ns.
    STATS_BLKIO = "taskstats", "blkio_delay_total", 0;
    /// Address space of a victim of the out-of-memory killer, until the very end (4.9).
    SIG_OOM_MM = "signal_struct", "oom_mm", 0;
    /// Living threads.
    SIG_NR_THREADS = "signal_struct", "nr_threads", 0;
    /// Soft limit of descriptors: `rlim[RLIMIT_NOFILE].rlim_cur`, 7 × 16 bytes in.
    SIG_NOFILE = "signal_struct", "rlim", 112;
    /// Effective user id.
    CRED_EUID = "cred", "euid", 0;
    /// Network namespace of a task.
    NSPROXY_NET = "nsproxy", "net_ns", 0;
    // include/linux/fdtable.h
    /// Current table.
    FILES_FDT = "files_struct", "fdt", 0;
    /// Size of the table.
    FDT_MAX_FDS = "fdtable", "max_fds", 0;
    /// Bitmap of open descriptors.
    FDT_OPEN_FDS = "fdtable", "open_fds", 0;
    // include/linux/fs.h
    /// What an open file stands for.
    FILE_INODE = "file", "f_inode", 0;
    /// Its type and permissions.
    INODE_MODE = "inode", "i_mode", 0;
    /// Its filesystem.
    INODE_SB = "inode", "i_sb", 0;
    /// Which kind of filesystem, `*_MAGIC`.
    SB_MAGIC = "super_block", "s_magic", 0;
    // include/linux/mm_types.h
    /// Start of the arguments, user address.
    MM_ARG_START = "mm_struct", "arg_start", 0;
    /// End of the arguments, user address.
    MM_ARG_END = "mm_struct", "arg_end", 0;
    /// Leader of the process an address space belongs to (`CONFIG_MEMCG`).
    MM_OWNER = "mm_struct", "owner", 0;
    // include/linux/mm_types.h, include/linux/rmap.h
    /// Start of a mapped range.
    VMA_START = "vm_area_struct", "vm_start", 0;
    /// Its end.
    VMA_END = "vm_area_struct", "vm_end", 0;
    /// Its address space.
    VMA_MM = "vm_area_struct", "vm_mm", 0;
    /// Page number of its start in what is mapped.
    VMA_PGOFF = "vm_area_struct", "vm_pgoff", 0;
    /// Ranges that may map a page, as an interval tree.
    ANON_VMA_ROOT = "anon_vma", "rb_root.rb_root.rb_node", 0;
    /// Range of a node.
    AVC_VMA = "anon_vma_chain", "vma", 0;
    /// Where the node lies in it.
    AVC_RB = "anon_vma_chain", "rb", 0;
    /// Last page number in the tree below.
    AVC_SUBTREE_LAST = "anon_vma_chain", "rb_subtree_last", 0;
    /// Left child.
    RB_LEFT = "rb_node", "rb_left", 0;
    /// Right child.
    RB_RIGHT = "rb_node", "rb_right", 0;
    // include/linux/blk_types.h
    /// State.
    BIO_STATE = "bio", "bi_flags", 0;
    /// Number of segments.
    BIO_VCNT = "bio", "bi_vcnt", 0;
    /// Segments.
    BIO_VEC = "bio", "bi_io_vec", 0;
    /// First page of a segment.
    BVEC_PAGE = "bio_vec", "bv_page", 0;
    /// Bytes of a segment.
    BVEC_LEN = "bio_vec", "bv_len", 0;
    // include/linux/bpf.h
    /// Which tasks a walk is about: read by no program, a walk over one process needs it (6.1).
    ITER_TASK = "bpf_iter_aux_info", "task", 0;
    // include/linux/cgroup-defs.h
    /// Cgroup in the v2 hierarchy.
    CSS_SET_DFL_CGRP = "css_set", "dfl_cgrp", 0;
    /// Its node.
    CGROUP_KN = "cgroup", "kn", 0;
    /// Its id (u64 since 5.5).
    KERNFS_NODE_ID = "kernfs_node", "id", 0;
    /// Cgroup of a controller's state.
    CSS_CGROUP = "cgroup_subsys_state", "cgroup", 0;
    // include/linux/blk-mq.h
    /// Queue of a request.
    RQ_QUEUE = "request", "q", 0;
    /// `REQ_OP_*` and `REQ_*`.
    RQ_CMD_FLAGS = "request", "cmd_flags", 0;
    /// `RQF_*`.
    RQ_FLAGS = "request", "rq_flags", 0;
    /// Bytes still to be done.
    RQ_DATA_LEN = "request", "__data_len", 0;
    /// What the request is made of; null for a flush.
    RQ_BIO = "request", "bio", 0;
    /// When it was queued, ns of `CLOCK_MONOTONIC`.
    RQ_START = "request", "start_time_ns", 0;
    /// When the driver got it, likewise; 0 unknown.
    RQ_IO_START = "request", "io_start_time_ns", 0;
    /// Disk of a request (up to 5.16).
    RQ_DISK = "request", "rq_disk", 0;
    // include/linux/blkdev.h
    /// Disk of a queue (from 5.15).
    QUEUE_DISK = "request_queue", "disk", 0;
    /// What makes a driver one of requests.
    QUEUE_MQ_OPS = "request_queue", "mq_ops", 0;
    /// Major number.
    DISK_MAJOR = "gendisk", "major", 0;
    /// Minor number of the whole disk.
    DISK_FIRST_MINOR = "gendisk", "first_minor", 0;
    /// Queue of a disk.
    DISK_QUEUE = "gendisk", "queue", 0;
    // include/linux/blk_types.h
    /// Disk of a device or partition.
    BDEV_DISK = "block_device", "bd_disk", 0;
    /// Device of a bio (from 5.12).
    BIO_BDEV = "bio", "bi_bdev", 0;
    /// `REQ_OP_*` and `REQ_*`.
    BIO_OPF = "bio", "bi_opf", 0;
    /// `blk_status_t`.
    BIO_STATUS = "bio", "bi_status", 0;
    /// Bytes still to be done.
    BIO_SIZE = "bio", "bi_iter.bi_size", 0;
    /// Whom a bio is charged to, with its device.
    BIO_BLKG = "bio", "bi_blkg", 0;
    // block/blk-cgroup.h
    /// Whom.
    BLKG_BLKCG = "blkcg_gq", "blkcg", 0;
    /// Its cgroup.
    BLKCG_CGROUP = "blkcg", "css.cgroup", 0;
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        /// Globals that user space sets otherwise than from one member's offset.
        pub static SETTINGS: &[&str] = &[$(stringify!($name),)*];

        /// The settings themselves; only programs have them.
        #[cfg(target_arch = "bpf")]
        pub mod set {
            $($(#[$doc])* #[unsafe(no_mangle)] pub static $name: u32 = $value;)*
        }
    };
}

settings! {
    /// Offset of the first page counter inside `mm_struct`.
    MM_RSS = 0xFFFF_FFFF;
    /// Distance of one page counter to the next.
    MM_RSS_STRIDE = 8;
    /// 1: the counters are exact (no per-CPU parts, kernels up to 6.1).
    MM_RSS_EXACT = 0;
    /// Offset in `css_set` of the v1 controller whose hierarchy identifies a task; absent where
    /// there is no v1 hierarchy.
    CSS_SET_V1 = 0xFFFF_FFFF;
    /// `RQF_IO_STAT`; absent where the kernel's types do not tell (up to 6.11).
    RQF_IO_STAT = 0xFFFF_FFFF;
    /// `REQ_SYNC`.
    REQ_SYNC = 0xFFFF_FFFF;
    /// Length of a jiffy, ns.
    JIFFY_NS = 0xFFFF_FFFF;
    /// Which argument of `block_bio_queue` is the request: 0; absent up to 5.10, where it is the
    /// second.
    BIO_ARGUMENT = 0xFFFF_FFFF;
    /// Flag of a request that writes to swap (`REQ_SWAP`).
    REQ_SWAP = 0xFFFF_FFFF;
    /// State of a request that shares another's segments (`BIO_CLONED`), which was seen before.
    BIO_CLONED = 0xFFFF_FFFF;
    /// Number of a device, offset.
    BDEV_DEV = 0xFFFF_FFFF;
    /// Flag of a page whose home is swap.
    PAGE_SWAPBACKED = 0xFFFF_FFFF;
    /// Flag of a page that begins several.
    PAGE_HEAD = 0xFFFF_FFFF;
    /// Offset in `struct page` of the address of the page that begins several; odd if it is one.
    PAGE_COMPOUND_HEAD = 0xFFFF_FFFF;
    /// Offset in `struct page` of its mapping.
    PAGE_MAPPING = 0xFFFF_FFFF;
    /// Offset in `struct page` of its number in the mapping.
    PAGE_INDEX = 0xFFFF_FFFF;
    /// Offset in `struct page` of what it is charged to; absent without memory cgroups.
    PAGE_MEMCG = 0xFFFF_FFFF;
    /// Offset in `struct page` of the number of pages it begins; absent where that has no field.
    PAGE_COUNT = 0xFFFF_FFFF;
    /// Size of a page, as a power of two.
    PAGE_SHIFT = 12;
}
