//! What the last record of a socket says of its end. Pure; the facts are those of the transition
//! to `TCP_CLOSE`: state before it, `sk_err`, `sk_err_soft`, what was left in the queues.

use hostlens_ebpf::wire::{Direction, SockFlags, SockRecord, tcp_state};

use super::errno;
use crate::model::{AbortCause, CloseReason, ConnectError};

/// How an established connection ended.
///
/// | `sk_err` | state before | |
/// |---|---|---|
/// | `ECONNRESET`, `EPIPE` | any | the peer reset it |
/// | `ETIMEDOUT`, or the soft error that took its place (`tcp_write_err()`) | any | the peer fell silent |
/// | 0 | any, bytes unread | closed here, which reset it (`__tcp_close()`) |
/// | 0 | `FIN_WAIT2`, `CLOSING`, `LAST_ACK` | closed by both |
/// | 0 | earlier | cut off from this side: nobody had accepted it, or it was disconnected (`tcp_disconnect()`: `SO_LINGER` 0, `AF_UNSPEC`) |
/// | another | any | cut off from this side (`tcp_abort()`) |
pub fn close_reason(record: &SockRecord) -> (CloseReason, Option<AbortCause>) {
    match record.error {
        errno::ECONNRESET | errno::EPIPE => (CloseReason::ResetReceived, None),
        errno::ETIMEDOUT => (CloseReason::Timeout, Some(AbortCause::Timeout)),
        0 => closed_here(record),
        error if error == record.soft_error => (CloseReason::Timeout, Some(AbortCause::Timeout)),
        _ => (CloseReason::ResetSent, None),
    }
}

fn closed_here(record: &SockRecord) -> (CloseReason, Option<AbortCause>) {
    let has = |flag| record.flags & flag != 0;
    let open = matches!(
        record.old_state,
        tcp_state::ESTABLISHED | tcp_state::CLOSE_WAIT
    );
    let inbound = record.direction == Direction::Inbound as u8;
    if open && inbound && !has(SockFlags::ACCEPTED) {
        return (CloseReason::ResetSent, Some(AbortCause::NeverAccepted));
    }
    // Closing a socket with bytes unread resets the connection, half closed by `shutdown()` or
    // not. What may still be read is not counted here (`SockFlags::UNREAD_LATER`).
    if record.unread > 0 {
        return (CloseReason::AbortedUnread, Some(AbortCause::Unread));
    }
    match record.old_state {
        _ if open => (CloseReason::ResetSent, Some(AbortCause::Linger)),
        // Half closed by `shutdown()`, then cut off.
        tcp_state::FIN_WAIT1 => {
            let cause = has(SockFlags::LINGER).then_some(AbortCause::Linger);
            (CloseReason::ResetSent, cause)
        }
        _ => (CloseReason::Closed, None),
    }
}

/// Whether the record of an attempt that came to nothing is that of an attempt made here: a
/// handshake that a peer began and did not complete is none. Where both ends began at once, ours
/// had come to SYN_RECV.
pub fn is_connect_failure(record: &SockRecord) -> bool {
    let ours = record.direction == Direction::Outbound as u8;
    record.old_state == tcp_state::SYN_SENT
        || record.old_state == tcp_state::SYN_RECV && ours
        || record.flags & SockFlags::LOCAL != 0
}

/// Why an attempt to connect came to nothing. A timeout for which the network had given a reason
/// (ICMP, kept as soft error) is that reason.
pub fn connect_error(record: &SockRecord) -> ConnectError {
    let local = record.flags & SockFlags::LOCAL != 0;
    match record.error {
        0 if local => ConnectError::Other,
        0 if record.flags & SockFlags::NO_PORT != 0 => ConnectError::AddressNotAvailable,
        0 => ConnectError::Aborted,
        errno::ETIMEDOUT if !local && record.soft_error != 0 => named(record.soft_error),
        error => named(error),
    }
}

fn named(error: u16) -> ConnectError {
    match error {
        errno::ECONNREFUSED => ConnectError::Refused,
        errno::ECONNRESET => ConnectError::Reset,
        errno::ETIMEDOUT => ConnectError::Timeout,
        errno::EHOSTUNREACH => ConnectError::HostUnreachable,
        errno::ENETUNREACH => ConnectError::NetworkUnreachable,
        errno::EADDRNOTAVAIL => ConnectError::AddressNotAvailable,
        errno::EACCES | errno::EPERM => ConnectError::PermissionDenied,
        _ => ConnectError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN: u8 = Direction::Inbound as u8;
    const OUT: u8 = Direction::Outbound as u8;
    const ACCEPTED: u8 = SockFlags::ACCEPTED;
    const LINGER: u8 = SockFlags::ACCEPTED | SockFlags::LINGER;

    #[test]
    fn how_a_connection_ended() {
        use tcp_state::{
            CLOSE_WAIT, CLOSING, ESTABLISHED as ESTAB, FIN_WAIT1, FIN_WAIT2, LAST_ACK,
        };
        let (closed, received, sent, timeout, aborted) = (
            CloseReason::Closed,
            CloseReason::ResetReceived,
            CloseReason::ResetSent,
            CloseReason::Timeout,
            CloseReason::AbortedUnread,
        );
        // old state, sk_err, soft, direction, flags, unread
        let table = [
            ((FIN_WAIT2, 0, 0, OUT, ACCEPTED, 0), closed, None),
            ((CLOSING, 0, 0, IN, ACCEPTED, 0), closed, None),
            ((LAST_ACK, 0, 0, IN, ACCEPTED, 0), closed, None),
            // A soft error that did not decide anything.
            ((LAST_ACK, 0, 113, IN, ACCEPTED, 0), closed, None),
            ((ESTAB, 104, 0, IN, ACCEPTED, 0), received, None),
            ((ESTAB, 104, 0, IN, ACCEPTED, 100), received, None),
            ((CLOSE_WAIT, 32, 0, OUT, ACCEPTED, 0), received, None),
            ((FIN_WAIT1, 104, 0, OUT, ACCEPTED, 0), received, None),
            (
                (ESTAB, 110, 0, OUT, ACCEPTED, 0),
                timeout,
                Some(AbortCause::Timeout),
            ),
            (
                (FIN_WAIT1, 110, 0, OUT, ACCEPTED, 0),
                timeout,
                Some(AbortCause::Timeout),
            ),
            (
                (ESTAB, 113, 113, OUT, ACCEPTED, 0),
                timeout,
                Some(AbortCause::Timeout),
            ),
            (
                (ESTAB, 0, 0, IN, ACCEPTED, 700),
                aborted,
                Some(AbortCause::Unread),
            ),
            (
                (CLOSE_WAIT, 0, 0, OUT, 0, 1),
                aborted,
                Some(AbortCause::Unread),
            ),
            // Bytes unread come before SO_LINGER, as in __tcp_close().
            (
                (ESTAB, 0, 0, OUT, LINGER, 700),
                aborted,
                Some(AbortCause::Unread),
            ),
            (
                (FIN_WAIT1, 0, 0, OUT, ACCEPTED, 9),
                aborted,
                Some(AbortCause::Unread),
            ),
            (
                (FIN_WAIT2, 0, 0, OUT, ACCEPTED, 9),
                aborted,
                Some(AbortCause::Unread),
            ),
            (
                (LAST_ACK, 0, 0, IN, ACCEPTED, 9),
                aborted,
                Some(AbortCause::Unread),
            ),
            (
                (ESTAB, 0, 0, OUT, LINGER, 0),
                sent,
                Some(AbortCause::Linger),
            ),
            // connect(AF_UNSPEC).
            (
                (ESTAB, 0, 0, OUT, ACCEPTED, 0),
                sent,
                Some(AbortCause::Linger),
            ),
            (
                (FIN_WAIT1, 0, 0, OUT, LINGER, 0),
                sent,
                Some(AbortCause::Linger),
            ),
            ((FIN_WAIT1, 0, 0, OUT, ACCEPTED, 0), sent, None),
            (
                (ESTAB, 0, 0, IN, 0, 0),
                sent,
                Some(AbortCause::NeverAccepted),
            ),
            (
                (CLOSE_WAIT, 0, 0, IN, 0, 5),
                sent,
                Some(AbortCause::NeverAccepted),
            ),
            // ss -K: ECONNABORTED.
            ((ESTAB, 103, 0, IN, ACCEPTED, 0), sent, None),
        ];
        for (case, reason, cause) in table {
            let (old_state, error, soft_error, direction, flags, unread) = case;
            let record = SockRecord {
                old_state,
                error,
                soft_error,
                direction,
                flags,
                unread,
                ..SockRecord::default()
            };
            assert_eq!(close_reason(&record), (reason, cause), "{case:?}");
        }
    }

    #[test]
    fn why_an_attempt_failed() {
        use ConnectError as E;
        const SYN_SENT: u8 = tcp_state::SYN_SENT;
        const LOCAL: u8 = SockFlags::LOCAL;
        let table = [
            ((SYN_SENT, 111, 0, 0), E::Refused),
            ((SYN_SENT, 104, 0, 0), E::Reset),
            ((SYN_SENT, 110, 0, 0), E::Timeout),
            ((SYN_SENT, 110, 113, 0), E::HostUnreachable),
            ((SYN_SENT, 110, 101, 0), E::NetworkUnreachable),
            ((SYN_SENT, 113, 113, 0), E::HostUnreachable),
            ((SYN_SENT, 101, 0, 0), E::NetworkUnreachable),
            ((SYN_SENT, 0, 0, 0), E::Aborted),
            // It would have been told, had the application waited.
            ((SYN_SENT, 0, 113, 0), E::Aborted),
            ((SYN_SENT, 0, 0, SockFlags::NO_PORT), E::AddressNotAvailable),
            ((SYN_SENT, 13, 0, 0), E::PermissionDenied),
            ((SYN_SENT, 92, 0, 0), E::Other),
            ((0, 101, 0, LOCAL), E::NetworkUnreachable),
            ((0, 113, 0, LOCAL), E::HostUnreachable),
            ((0, 13, 0, LOCAL), E::PermissionDenied),
            ((0, 1, 0, LOCAL), E::PermissionDenied),
            ((0, 99, 0, LOCAL), E::AddressNotAvailable),
            ((0, 22, 0, LOCAL), E::Other),
            ((0, 0, 0, LOCAL), E::Other),
        ];
        for (case, wanted) in table {
            let (old_state, error, soft_error, flags) = case;
            let record = SockRecord {
                old_state,
                error,
                soft_error,
                flags,
                ..SockRecord::default()
            };
            assert!(is_connect_failure(&record), "{case:?}");
            assert_eq!(connect_error(&record), wanted, "{case:?}");
        }
        let begun_by_a_peer = SockRecord {
            old_state: tcp_state::SYN_RECV,
            error: 104,
            ..SockRecord::default()
        };
        assert!(!is_connect_failure(&begun_by_a_peer));
        let begun_by_both = SockRecord {
            direction: Direction::Outbound as u8,
            error: 104,
            ..begun_by_a_peer
        };
        assert!(is_connect_failure(&begun_by_both));
        assert_eq!(connect_error(&begun_by_both), ConnectError::Reset);
    }
}
