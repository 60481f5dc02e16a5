//! Whatever happens, the books balance.

use std::collections::BTreeMap;

use hostlens_ebpf::wire::SockTotals;
use proptest::prelude::*;

use super::*;

/// What happens to one socket in one cycle.
#[derive(Clone, Copy, Debug)]
enum Event {
    Open {
        peer: u8,
    },
    Send {
        which: u8,
        bytes: u16,
    },
    /// The next walk misses it.
    Miss {
        which: u8,
    },
    End {
        which: u8,
    },
    /// It ends and its final record finds no room.
    EndLost {
        which: u8,
    },
    /// A life between two walks.
    Short {
        peer: u8,
        bytes: u16,
        lost: bool,
    },
    FailedWalk,
    /// What scrapers have been served: how many snapshots behind.
    Serve {
        behind: u8,
    },
    NoScraper,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<u8>().prop_map(|peer| Event::Open { peer }),
        6 => any::<(u8, u16)>().prop_map(|(which, bytes)| Event::Send { which, bytes }),
        1 => any::<u8>().prop_map(|which| Event::Miss { which }),
        2 => any::<u8>().prop_map(|which| Event::End { which }),
        1 => any::<u8>().prop_map(|which| Event::EndLost { which }),
        2 => any::<(u8, u16, bool)>()
            .prop_map(|(peer, bytes, lost)| Event::Short { peer, bytes, lost }),
        1 => Just(Event::FailedWalk),
        1 => (0u8..6).prop_map(|behind| Event::Serve { behind }),
        1 => Just(Event::NoScraper),
    ]
}

struct Socket {
    record: SockRecord,
    /// The walk of this cycle misses it.
    missed: bool,
    /// The last complete walk missed it; two would be its end.
    missed_before: bool,
}

struct World {
    rig: Rig,
    living: Vec<Socket>,
    next: u64,
    lost: [SockTotals; 3],
    /// All bytes that connections born since have sent.
    sent: u64,
    booked: u64,
    shown: BTreeMap<PeerKey, u64>,
}

const BUDGET: usize = 5;

impl World {
    fn new() -> Self {
        let mut rig = Rig::new(BUDGET);
        rig.table = TcpTable::new(TcpConfig {
            retention: Duration::from_secs(30),
            ..config(BUDGET)
        });
        Self {
            rig,
            living: Vec::new(),
            next: 1,
            lost: [SockTotals::default(); 3],
            sent: 0,
            booked: 0,
            shown: BTreeMap::new(),
        }
    }

    fn open(&mut self, peer: u8) -> SockRecord {
        self.next += 1;
        SockRecord {
            born_ns: self.rig.born(),
            remote_addr: octets(&format!("10.0.1.{}", peer % 16)),
            ..socket(self.next)
        }
    }

    fn lose(&mut self, record: &SockRecord) {
        let totals = &mut self.lost[Direction::Outbound as usize];
        totals.connections += 1;
        totals.sent_bytes += record.bytes_sent;
    }

    fn cycle(&mut self, events: &[Event]) -> Result<(), TestCaseError> {
        let mut ends = Vec::new();
        let mut complete = true;
        for &event in events {
            let count = self.living.len();
            let at = |which: u8| (count > 0).then(|| usize::from(which) % count);
            match event {
                Event::Open { peer } => {
                    let record = self.open(peer);
                    self.living.push(Socket {
                        record,
                        missed: false,
                        missed_before: false,
                    });
                }
                Event::Send { which, bytes } => {
                    if let Some(at) = at(which) {
                        self.living[at].record.bytes_sent += u64::from(bytes);
                        self.sent += u64::from(bytes);
                    }
                }
                Event::Miss { which } => {
                    // A socket missed in its first walk is old in its second.
                    if let Some(at) = at(which) {
                        let (socket, now) = (&mut self.living[at], self.rig.born());
                        socket.missed = !socket.missed_before && socket.record.born_ns < now;
                    }
                }
                Event::End { which } => {
                    if let Some(at) = at(which) {
                        ends.push(ended(self.living.remove(at).record));
                    }
                }
                Event::EndLost { which } => {
                    if let Some(at) = at(which) {
                        let record = self.living.remove(at).record;
                        self.lose(&record);
                    }
                }
                Event::Short { peer, bytes, lost } => {
                    let record = SockRecord {
                        bytes_sent: u64::from(bytes),
                        ..self.open(peer)
                    };
                    self.sent += u64::from(bytes);
                    if lost {
                        self.lose(&record);
                    } else {
                        ends.push(ended(record));
                    }
                }
                Event::FailedWalk => complete = false,
                Event::Serve { behind } => {
                    let floor = self.rig.sequence.saturating_sub(u64::from(behind));
                    self.rig.gate.served_floor = Some(floor);
                }
                Event::NoScraper => self.rig.gate.served_floor = None,
            }
        }
        let (living, lost) = (&self.living, &self.lost);
        let rows = self.rig.cycle_with(complete, |table| {
            for socket in living.iter().filter(|socket| !socket.missed) {
                table.socket(&socket.record);
            }
            ends.iter().for_each(|record| table.socket(record));
            table.lost(lost);
        });
        for socket in &mut self.living {
            let missed = std::mem::take(&mut socket.missed);
            if complete || !missed {
                socket.missed_before = missed;
            }
        }
        self.check(&rows)
    }

    fn check(&mut self, rows: &[PeerRow]) -> Result<(), TestCaseError> {
        let named = rows
            .iter()
            .filter(|row| !matches!(row.key, PeerKey::Folded(_)))
            .count();
        prop_assert!(named <= BUDGET, "{} label sets", named);
        let mut shown = BTreeMap::new();
        for row in rows {
            let before = self.shown.get(&row.key).copied().unwrap_or(0);
            prop_assert!(row.sent_bytes >= before, "{:?} went down", row.key);
            prop_assert!(
                shown.insert(row.key, row.sent_bytes).is_none(),
                "twice {:?}",
                row.key
            );
            self.booked += row.sent_bytes - before;
        }
        self.shown = shown;
        prop_assert!(
            self.booked <= self.sent,
            "{} booked of {}",
            self.booked,
            self.sent
        );
        let shown: u64 = rows.iter().filter_map(|row| row.connections[0]).sum();
        prop_assert_eq!(shown, self.rig.table.tracked());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn named_and_other_make_up_the_truth(
        cycles in prop::collection::vec(prop::collection::vec(event(), 0..12), 1..40)
    ) {
        let mut world = World::new();
        world.cycle(&[])?;
        for events in &cycles {
            world.cycle(events)?;
        }
        // Until the last overflow is settled.
        for _ in 0..4 {
            world.cycle(&[])?;
        }
        prop_assert_eq!(world.booked, world.sent);
    }
}
