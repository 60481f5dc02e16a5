//! What a link itself knows of round trips: when data left the near end, and when the packet that
//! acknowledged it came back there. The same rule as the kernel's: of the segments one packet
//! acknowledges, the newest counts, from its last transmission.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::random::Random;

/// Spread of a link's delay, and the round trips it saw.
#[derive(Debug)]
pub struct PacketTruth {
    most: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    random: Random,
    /// Segments under way by ports (near, far): end, last transmission.
    sent: HashMap<[u16; 2], Vec<(u32, Instant)>>,
    round_trips: Vec<Duration>,
}

impl PacketTruth {
    /// Packets take up to `most` longer than the link's delay: half of them no more than an
    /// eighth of it.
    pub fn new(most: Duration) -> Self {
        Self {
            most,
            state: Mutex::default(),
        }
    }

    /// How much longer the next packet takes.
    pub fn jitter(&self) -> Duration {
        let mut state = self.state.lock().unwrap();
        self.most.mul_f64(state.random.part().powi(3))
    }

    /// A packet has left the near end.
    pub fn left(&self, packet: &[u8]) {
        let now = Instant::now();
        let Some(segment) = Segment::of(packet) else {
            return;
        };
        if segment.length == 0 {
            return;
        }
        let end = segment.sequence.wrapping_add(segment.length);
        let mut state = self.state.lock().unwrap();
        let sent = state.sent.entry(segment.ports).or_default();
        sent.retain(|(other, _)| *other != end);
        sent.push((end, now));
    }

    /// A packet is about to reach the near end.
    pub fn arrives(&self, packet: &[u8]) {
        let now = Instant::now();
        let Some(segment) = Segment::of(packet) else {
            return;
        };
        let Some(acknowledged) = segment.acknowledged else {
            return;
        };
        let [far, near] = segment.ports;
        let mut state = self.state.lock().unwrap();
        let Some(sent) = state.sent.get_mut(&[near, far]) else {
            return;
        };
        let covered = |end: u32| acknowledged.wrapping_sub(end) < u32::MAX / 2;
        let newest = sent
            .iter()
            .filter(|(end, _)| covered(*end))
            .max_by_key(|(_, at)| *at);
        let round_trip = newest.map(|(_, at)| now - *at);
        sent.retain(|(end, _)| !covered(*end));
        state.round_trips.extend(round_trip);
    }

    /// All round trips so far, seconds, ascending.
    pub fn round_trips(&self) -> Vec<f64> {
        let state = self.state.lock().unwrap();
        let mut all: Vec<f64> = state
            .round_trips
            .iter()
            .map(Duration::as_secs_f64)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

/// A TCP segment over IPv4 without options or IPv6 without extension headers.
struct Segment {
    ports: [u16; 2],
    sequence: u32,
    acknowledged: Option<u32>,
    /// Payload, bytes.
    length: u32,
}

impl Segment {
    const ACK: u8 = 1 << 4;

    fn of(packet: &[u8]) -> Option<Self> {
        let (protocol, header) = match packet.first()? >> 4 {
            4 => (*packet.get(9)?, 20),
            6 => (*packet.get(6)?, 40),
            _ => return None,
        };
        let tcp = packet.get(header..).filter(|tcp| tcp.len() >= 20)?;
        if i32::from(protocol) != libc::IPPROTO_TCP {
            return None;
        }
        let number =
            |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
        let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        Some(Self {
            ports: [port(0), port(2)],
            sequence: number(4),
            acknowledged: (tcp[13] & Self::ACK != 0).then(|| number(8)),
            length: (tcp.len() - usize::from(tcp[12] >> 4) * 4) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment over IPv4.
    fn segment(ports: [u16; 2], sequence: u32, acknowledged: u32, payload: usize) -> Vec<u8> {
        let mut packet = vec![0; 40 + payload];
        packet[0] = 0x45;
        packet[9] = libc::IPPROTO_TCP as u8;
        packet[20..22].copy_from_slice(&ports[0].to_be_bytes());
        packet[22..24].copy_from_slice(&ports[1].to_be_bytes());
        packet[24..28].copy_from_slice(&sequence.to_be_bytes());
        packet[28..32].copy_from_slice(&acknowledged.to_be_bytes());
        packet[32] = 5 << 4;
        packet[33] = Segment::ACK;
        packet
    }

    #[test]
    fn one_round_trip_for_each_acknowledgement_of_something_new() {
        let truth = PacketTruth::new(Duration::ZERO);
        // Around the wrap of sequence numbers.
        let start = u32::MAX - 50;
        truth.left(&segment([5, 80], start, 1, 0));
        truth.left(&segment([5, 80], start, 1, 100));
        truth.left(&segment([5, 80], start.wrapping_add(100), 1, 100));
        truth.left(&segment([6, 80], 900, 1, 10));
        truth.arrives(&segment([80, 5], 1, start, 0));
        assert!(truth.round_trips().is_empty());
        truth.arrives(&segment([80, 5], 1, start.wrapping_add(200), 30));
        truth.arrives(&segment([80, 5], 31, start.wrapping_add(200), 30));
        assert_eq!(truth.round_trips().len(), 1);
        truth.arrives(&segment([80, 6], 1, 910, 0));
        assert_eq!(truth.round_trips().len(), 2);
    }

    #[test]
    fn half_of_the_packets_are_hardly_late() {
        let truth = PacketTruth::new(Duration::from_millis(80));
        let mut all: Vec<Duration> = (0..1000).map(|_| truth.jitter()).collect();
        all.sort();
        assert!((8..13).contains(&all[500].as_millis()), "{:?}", all[500]);
        assert!(all[999] <= Duration::from_millis(80) && all[950] > Duration::from_millis(60));
    }
}
