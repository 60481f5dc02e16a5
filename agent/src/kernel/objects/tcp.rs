//! TCP sockets.

use crate::kernel::object::{Hook, ObjectSpec, ProgramSpec};

/// Members without which a socket record would say something wrong.
const SOCKET: &[&str] = &[
    "SKC_FAMILY",
    "SKC_STATE",
    "SKC_NUM",
    "SKC_DPORT",
    "SKC_RCV_SADDR",
    "SKC_DADDR",
    "SKC_V6_RCV_SADDR",
    "SKC_V6_DADDR",
    "SKC_NET",
    "SKC_FLAGS",
    "NET_INUM",
    "TP_SRTT_US",
    "TP_RTT_MIN",
    "TP_BYTES_SENT",
    "TP_BYTES_RETRANS",
    "TP_BYTES_RECEIVED",
    "TP_DATA_SEGS_OUT",
    "TP_TOTAL_RETRANS",
    "TP_DELIVERED",
    "TP_RCV_NXT",
    "TP_COPIED_SEQ",
    "TP_WRITE_SEQ",
    "TP_SND_UNA",
    "SK_ERR",
    "SK_SOCKET",
    "SK_LOCK_OWNED",
    "INET_SPORT",
    "SEQ_COUNT",
    "TASK_TGID",
    "TASK_FLAGS",
    "TASK_GROUP_LEADER",
    "TASK_START_BOOTTIME",
];

/// Members without which there is no round-trip time per acknowledgement.
const ACK: &[&str] = &["TP_RACK_RTT_US", "TP_RACK_END_SEQ"];
/// Members without which there is no time to first byte.
const TURN: &[&str] = &[
    "SKB_CB",
    "CB_SEQ",
    "CB_END_SEQ",
    "CB_FLAGS",
    "CB_ACK_SEQ",
    "TP_SND_NXT",
    "TP_SND_UNA",
    "TP_RCV_NXT",
    "TP_COPIED_SEQ",
    "TP_BYTES_SENT",
    "TP_BYTES_RETRANS",
    "TP_BYTES_RECEIVED",
    "TP_DATA_SEGS_OUT",
    "TP_RTT_MIN",
    "TP_WSTAMP_NS",
    "TP_FIRST_TX",
];

const TURN_PROGRAM: ProgramSpec = ProgramSpec {
    name: "tcp_turn",
    hook: Hook::LateTracepoint("tcp_probe", 2),
    needs: TURN,
};

const TURN_LAST: ProgramSpec = ProgramSpec {
    name: "tcp_turn_last",
    hook: Hook::LateTracepoint("inet_sock_set_state", 2),
    needs: TURN,
};

const TURN_READ: ProgramSpec = ProgramSpec {
    name: "tcp_turn_read",
    hook: Hook::LateTracepoint("tcp_rcv_space_adjust", 1),
    needs: TURN,
};

/// Members without which the owner of a socket would be wrong.
const OWNER: &[&str] = &[
    "SK_LOCK_OWNED",
    "TASK_TGID",
    "TASK_FLAGS",
    "TASK_GROUP_LEADER",
    "TASK_START_BOOTTIME",
];

/// Members without which a listener's record would say something wrong.
const LISTENER: &[&str] = &[
    "SKC_STATE",
    "SKC_NUM",
    "SK_ACK_BACKLOG",
    "SK_MAX_ACK_BACKLOG",
    "SK_DROPS",
    "SK_UID",
];

/// Members that tell what was refused.
const REFUSAL: &[&str] = &[
    "SKB_HEAD",
    "SKB_DEV",
    "SKB_NETWORK_HEADER",
    "SKB_TRANSPORT_HEADER",
    "DEV_NET",
    "NET_INUM",
    "SK_ACK_BACKLOG",
    "SK_MAX_ACK_BACKLOG",
];

const STATE_CHANGED: ProgramSpec = ProgramSpec {
    name: "tcp_state_changed",
    hook: Hook::Tracepoint("inet_sock_set_state", 3),
    needs: SOCKET,
};

const DESTROYED: ProgramSpec = ProgramSpec {
    name: "tcp_destroyed",
    hook: Hook::Tracepoint("tcp_destroy_sock", 1),
    needs: &["TP_RCV_NXT", "TP_COPIED_SEQ", "SKC_FLAGS"],
};

const READ: ProgramSpec = ProgramSpec {
    name: "tcp_read",
    hook: Hook::Tracepoint("tcp_rcv_space_adjust", 1),
    needs: OWNER,
};

const RESET_SENT: ProgramSpec = ProgramSpec {
    name: "tcp_reset_sent",
    hook: Hook::Tracepoint("tcp_send_reset", 2),
    needs: REFUSAL,
};

const POLL_LISTENERS: ProgramSpec = ProgramSpec {
    name: "tcp_listeners",
    hook: Hook::Iterator("bpf_map_elem"),
    needs: LISTENER,
};

const POLL_REFUSALS: ProgramSpec = ProgramSpec {
    name: "tcp_refusals",
    hook: Hook::Iterator("bpf_map_elem"),
    needs: &[],
};

/// TCP with socket storage.
pub const TCP: ObjectSpec = ObjectSpec {
    name: "tcp",
    bytes: embedded!("tcp"),
    programs: &[
        STATE_CHANGED,
        DESTROYED,
        READ,
        RESET_SENT,
        POLL_LISTENERS,
        POLL_REFUSALS,
        ProgramSpec {
            name: "tcp_walk",
            hook: Hook::Iterator("bpf_sk_storage_map"),
            needs: SOCKET,
        },
        ProgramSpec {
            name: "tcp_seed",
            hook: Hook::Iterator("tcp"),
            needs: SOCKET,
        },
        ProgramSpec {
            name: "tcp_owners",
            hook: Hook::Iterator("task_file"),
            needs: &["SOCKET_SK"],
        },
        ProgramSpec {
            name: "tcp_acked",
            hook: Hook::Tracepoint("tcp_probe", 1),
            needs: ACK,
        },
        ProgramSpec {
            name: "tcp_acked_last",
            hook: Hook::Tracepoint("inet_sock_set_state", 2),
            needs: ACK,
        },
        TURN_PROGRAM,
        TURN_LAST,
        TURN_READ,
    ],
};

/// TCP without socket storage.
pub const TCP_HASH: ObjectSpec = ObjectSpec {
    name: "tcp_hash",
    bytes: embedded!("tcp_hash"),
    programs: &[
        STATE_CHANGED,
        DESTROYED,
        READ,
        RESET_SENT,
        POLL_LISTENERS,
        POLL_REFUSALS,
        ProgramSpec {
            name: "tcp_walk",
            hook: Hook::Iterator("tcp"),
            needs: SOCKET,
        },
        TURN_PROGRAM,
        TURN_LAST,
        TURN_READ,
    ],
};
