//! Whatever happens in whatever order, every life is booked once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{ServiceKey, ServiceRow};

#[derive(Clone, Copy, Debug)]
enum Event {
    /// A connection is dialled; the walk may see it before it is established.
    Dial {
        owner: u8,
        port: u8,
        outbound: bool,
    },
    Establish {
        which: u8,
    },
    /// Another process reads.
    Hand {
        which: u8,
        owner: u8,
    },
    End {
        which: u8,
        twice: bool,
        walk_after: bool,
    },
    Fail {
        which: u8,
    },
    Short {
        owner: u8,
        port: u8,
    },
    Unread {
        owner: u8,
        bytes: u8,
    },
    /// A process can be named from now on, or under another name.
    Name {
        owner: u8,
        name: u8,
    },
    Exit {
        owner: u8,
    },
    FailedWalk,
    Drain,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<(u8, u8, bool)>()
            .prop_map(|(owner, port, outbound)| Event::Dial { owner, port, outbound }),
        4 => any::<u8>().prop_map(|which| Event::Establish { which }),
        2 => any::<(u8, u8)>().prop_map(|(which, owner)| Event::Hand { which, owner }),
        3 => any::<(u8, bool, bool)>()
            .prop_map(|(which, twice, walk_after)| Event::End { which, twice, walk_after }),
        1 => any::<u8>().prop_map(|which| Event::Fail { which }),
        2 => any::<(u8, u8)>().prop_map(|(owner, port)| Event::Short { owner, port }),
        1 => any::<(u8, u8)>().prop_map(|(owner, bytes)| Event::Unread { owner, bytes }),
        2 => any::<(u8, u8)>().prop_map(|(owner, name)| Event::Name { owner, name }),
        1 => any::<u8>().prop_map(|owner| Event::Exit { owner }),
        1 => Just(Event::FailedWalk),
        2 => Just(Event::Drain),
    ]
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const BUDGET: usize = 4;

#[derive(Default, Debug, PartialEq)]
struct Sums {
    opened: u64,
    closed: u64,
    unread: u64,
    failed: u64,
}

struct World {
    rig: Rig,
    living: Vec<SockRecord>,
    next: u64,
    truth: Sums,
    booked: Sums,
    shown: BTreeMap<ServiceKey, [u64; 3]>,
    failures: BTreeMap<crate::model::FailureKey, u64>,
}

impl World {
    fn new(process_label: bool) -> Self {
        let mut rig = Rig::new(BUDGET);
        rig.table = TcpTable::new(TcpConfig {
            retention: Duration::from_secs(30),
            service_budget: BUDGET,
            failure_budget: BUDGET,
            process_label,
            ..config(BUDGET)
        });
        Self {
            rig,
            living: Vec::new(),
            next: 1,
            truth: Sums::default(),
            booked: Sums::default(),
            shown: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    fn dial(&mut self, owner: u8, port: u8, outbound: bool) -> SockRecord {
        self.next += 1;
        let direction = if outbound {
            Direction::Outbound
        } else {
            Direction::Inbound
        };
        let port = 1 + u16::from(port % 6);
        SockRecord {
            born_ns: self.rig.born(),
            owner_tgid: u32::from(owner % 8),
            owner_start_ns: 1,
            state: tcp_state::SYN_SENT,
            direction: direction as u8,
            local_port: if outbound { 40_000 } else { port },
            remote_port: if outbound { port } else { 40_000 },
            ..socket(self.next)
        }
    }

    fn establish(record: &mut SockRecord) -> bool {
        let fresh = record.established_ns == 0;
        record.established_ns = record.born_ns + 1;
        record.state = tcp_state::ESTABLISHED;
        fresh
    }

    fn last(record: &SockRecord) -> SockRecord {
        SockRecord {
            old_state: tcp_state::LAST_ACK,
            ended_ns: record.established_ns + 5,
            ..ended(*record)
        }
    }

    fn cycle(&mut self, events: &[Event]) -> Result<(), TestCaseError> {
        let mut early = Vec::new();
        let mut late = Vec::new();
        let mut complete = true;
        for &event in events {
            let count = self.living.len();
            let at = |which: u8| (count > 0).then(|| usize::from(which) % count);
            match event {
                Event::Dial {
                    owner,
                    port,
                    outbound,
                } => {
                    let record = self.dial(owner, port, outbound);
                    self.living.push(record);
                }
                Event::Establish { which } => {
                    if let Some(at) = at(which) {
                        let fresh = Self::establish(&mut self.living[at]);
                        self.truth.opened += u64::from(fresh);
                    }
                }
                Event::Hand { which, owner } => {
                    if let Some(at) = at(which) {
                        self.living[at].owner_tgid = u32::from(owner % 8);
                    }
                }
                Event::End {
                    which,
                    twice,
                    walk_after,
                } => {
                    if let Some(at) = at(which) {
                        let mut record = self.living.remove(at);
                        let fresh = Self::establish(&mut record);
                        self.truth.opened += u64::from(fresh);
                        self.truth.closed += 1;
                        early.push(Self::last(&record));
                        if twice {
                            late.push(Self::last(&record));
                        }
                        if walk_after {
                            late.push(record);
                        }
                    }
                }
                Event::Fail { which } => {
                    if let Some(at) = at(which)
                        && self.living[at].established_ns == 0
                    {
                        let record = self.living.remove(at);
                        let failed = SockRecord {
                            kind: SockKind::Failed as u8,
                            old_state: tcp_state::SYN_SENT,
                            error: 111,
                            ..ended(record)
                        };
                        let failed = SockRecord {
                            kind: SockKind::Failed as u8,
                            ..failed
                        };
                        self.truth.failed += 1;
                        early.extend([failed, failed]);
                        late.push(record);
                    }
                }
                Event::Short { owner, port } => {
                    let mut record = self.dial(owner, port, true);
                    Self::establish(&mut record);
                    self.truth.opened += 1;
                    self.truth.closed += 1;
                    early.push(Self::last(&record));
                }
                Event::Unread { owner, bytes } => {
                    let record = SockRecord {
                        kind: SockKind::Unread as u8,
                        unread: u32::from(bytes),
                        ..self.dial(owner, 1, true)
                    };
                    self.truth.unread += u64::from(bytes);
                    early.push(record);
                }
                Event::Name { owner, name } => {
                    let name = NAMES[usize::from(name) % NAMES.len()];
                    self.rig.owners.0.insert(u32::from(owner % 8), name);
                }
                Event::Exit { owner } => {
                    self.rig.owners.0.remove(&u32::from(owner % 8));
                }
                Event::FailedWalk => complete = false,
                Event::Drain => {
                    let table = &mut self.rig.table;
                    early.drain(..).for_each(|record| table.socket(&record));
                    table.resolve(&self.rig.owners);
                }
            }
        }
        let living = &self.living;
        self.rig.cycle_with(complete, |table| {
            early.iter().for_each(|record| table.socket(record));
            living.iter().for_each(|record| table.socket(record));
            late.iter().for_each(|record| table.socket(record));
        });
        let (sequence, gate) = (self.rig.sequence, self.rig.gate);
        let rows = self.rig.table.services(sequence, gate);
        self.check(&rows)?;
        let rows = self.rig.table.failures(sequence, gate);
        let mut shown = BTreeMap::new();
        for row in rows {
            let before = self.failures.get(&row.key).copied().unwrap_or(0);
            prop_assert!(row.failures >= before);
            self.booked.failed += row.failures - before;
            shown.insert(row.key, row.failures);
        }
        self.failures = shown;
        Ok(())
    }

    fn check(&mut self, rows: &[ServiceRow]) -> Result<(), TestCaseError> {
        let named = |direction| {
            let matches = |key: &ServiceKey| matches!(key, ServiceKey::Service { direction: of, .. } if *of == direction);
            rows.iter().filter(|row| matches(&row.key)).count()
        };
        prop_assert!(named(Direction::Inbound) <= BUDGET && named(Direction::Outbound) <= BUDGET);
        let mut shown = BTreeMap::new();
        for row in rows {
            let now = [
                row.opened,
                row.closed.unwrap().iter().sum(),
                row.unread_bytes.unwrap(),
            ];
            let before = self.shown.get(&row.key).copied().unwrap_or_default();
            prop_assert!(now.iter().zip(before).all(|(now, before)| *now >= before));
            self.booked.opened += now[0] - before[0];
            self.booked.closed += now[1] - before[1];
            self.booked.unread += now[2] - before[2];
            prop_assert_eq!(row.live, row.connections > 0, "{:?}", &row.key);
            prop_assert!(shown.insert(row.key.clone(), now).is_none());
        }
        self.shown = shown;
        let connections: u64 = rows.iter().map(|row| row.connections).sum();
        let truth = self
            .living
            .iter()
            .filter(|record| record.established_ns > 0)
            .count() as u64;
        prop_assert!(connections <= truth);
        if self.rig.table.waiting_lives.is_empty() {
            prop_assert_eq!(connections, truth);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_life_is_booked_once(
        label in any::<bool>(),
        cycles in prop::collection::vec(prop::collection::vec(event(), 0..12), 1..30)
    ) {
        let mut world = World::new(label);
        world.cycle(&[])?;
        for events in &cycles {
            world.cycle(events)?;
        }
        // Until nobody waits for a name any more.
        for _ in 0..4 {
            world.cycle(&[])?;
        }
        prop_assert!(world.rig.table.waiting_lives.is_empty());
        prop_assert_eq!(&world.booked, &world.truth);
        // Nothing stays when all is over.
        let ends: Vec<Event> = world
            .living
            .iter()
            .map(|_| Event::End { which: 0, twice: false, walk_after: false })
            .collect();
        world.cycle(&ends)?;
        for _ in 0..20 {
            world.cycle(&[])?;
        }
        prop_assert_eq!(&world.booked, &world.truth);
        prop_assert_eq!(world.rig.table.flows.len(), 0);
        prop_assert_eq!(world.rig.table.owners.len(), 0);
        prop_assert!(world.shown.values().len() == 0 || world.rig.table.tracked() == 0);
    }
}
