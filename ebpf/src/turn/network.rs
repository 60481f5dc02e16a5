//! How much of a response was the network.
//!
//! The smoothed round-trip time does not tell: a peer's kernel delays its acknowledgement and sends
//! it with an answer that comes soon, so it holds the service too. The shortest round trip of the
//! connection is free of that. An acknowledgement that came alone before the answer measured the
//! network of this very turn, unless it was delayed. One that came with the answer says that the
//! answer took no longer than such delays: what is beyond them was the network.

use super::{core::Turn, event::Nanos};

/// Delays of acknowledgements: 40 ms on most systems, 200 ms on others, with timers' slack.
const DELAYED_NS: [(u64, u64); 2] = [(35_000_000, 60_000_000), (195_000_000, 215_000_000)];
/// Least delay of an acknowledgement that waits for an answer (`TCP_DELACK_MIN`).
const HELD_NS: u64 = 40_000_000;

/// The part of a response that the peer took; none if no round trip is known.
#[inline(always)]
pub(super) fn peer_ns(turn: &Turn, response_ns: u64) -> Nanos {
    if turn.floor_us == u32::MAX {
        return Nanos::NONE;
    }
    let floor = turn.floor_us as u64 * 1_000;
    let network = if turn.noted_ns == 0 {
        floor.max(response_ns.saturating_sub(HELD_NS))
    } else {
        let acked = turn.noted_ns.saturating_sub(turn.asked_ns);
        let over = acked.saturating_sub(floor);
        let delayed = (over >= DELAYED_NS[0].0 && over <= DELAYED_NS[0].1)
            || (over >= DELAYED_NS[1].0 && over <= DELAYED_NS[1].1);
        if delayed { floor } else { acked }
    };
    Nanos::new(response_ns.saturating_sub(network))
}
