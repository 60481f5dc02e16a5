//! Whatever happens, the books balance.

use std::collections::BTreeMap;

use hostlens_ebpf::wire::TaskTotals;
use proptest::prelude::*;

use super::*;

/// What happens to one process in one cycle.
#[derive(Clone, Copy, Debug)]
enum Event {
    Fork {
        name: u8,
    },
    Run {
        which: u8,
        ms: u8,
    },
    /// One of its threads runs.
    RunThread {
        which: u8,
        ms: u8,
    },
    /// Its threads end: their time moves to the leader's record.
    JoinThreads {
        which: u8,
    },
    Exec {
        which: u8,
        name: u8,
    },
    End {
        which: u8,
    },
    EndLost {
        which: u8,
    },
    Short {
        name: u8,
        ms: u8,
        lost: bool,
    },
    FailedWalk,
    Serve {
        behind: u8,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let two = any::<(u8, u8)>;
    prop_oneof![
        4 => any::<u8>().prop_map(|name| Event::Fork { name }),
        5 => two().prop_map(|(which, ms)| Event::Run { which, ms }),
        3 => two().prop_map(|(which, ms)| Event::RunThread { which, ms }),
        1 => any::<u8>().prop_map(|which| Event::JoinThreads { which }),
        2 => two().prop_map(|(which, name)| Event::Exec { which, name }),
        2 => any::<u8>().prop_map(|which| Event::End { which }),
        1 => any::<u8>().prop_map(|which| Event::EndLost { which }),
        2 => any::<(u8, u8, bool)>().prop_map(|(name, ms, lost)| Event::Short { name, ms, lost }),
        1 => Just(Event::FailedWalk),
        1 => (0u8..6).prop_map(|behind| Event::Serve { behind }),
    ]
}

const BUDGET: usize = 4;

struct World {
    rig: Rig,
    /// Leader and CPU time of its living threads.
    living: Vec<(TaskRecord, u64)>,
    next: u32,
    lost: TaskTotals,
    ran: u64,
    born: u64,
    booked: [u64; 3],
    shown: BTreeMap<(Arc<str>, Arc<str>), [u64; 3]>,
}

fn name(number: u8) -> String {
    format!("p{}", number % 12)
}

impl World {
    fn new() -> Self {
        Self {
            rig: Rig::new(BUDGET),
            living: Vec::new(),
            next: 1,
            lost: TaskTotals::default(),
            ran: 0,
            born: 0,
            booked: [0; 3],
            shown: BTreeMap::new(),
        }
    }

    fn fork(&mut self, number: u8) -> TaskRecord {
        // Few process ids, so that they are used again.
        self.next = self.next % 20 + 1;
        while self
            .living
            .iter()
            .any(|(leader, _)| leader.tgid == self.next)
        {
            self.next += 1;
        }
        self.born += 1;
        let start_ns = self.rig.now.boot_ns + SECOND + self.born;
        TaskRecord {
            start_ns,
            ..process(self.next, &name(number))
        }
    }

    fn lose(&mut self, record: &TaskRecord) {
        self.lost.processes += 1;
        self.lost.counters.runtime_ns += record.counters.runtime_ns;
        self.lost.counters.utime_ns += record.counters.utime_ns;
    }

    /// Takes one of the living out, its threads joined.
    fn take(&mut self, which: u8) -> Option<TaskRecord> {
        if self.living.is_empty() {
            return None;
        }
        let at = usize::from(which) % self.living.len();
        let (mut leader, threads) = self.living.remove(at);
        leader.counters.runtime_ns += threads;
        Some(leader)
    }

    fn happen(&mut self, event: Event, ends: &mut Vec<TaskRecord>) {
        let count = self.living.len().max(1);
        let at = |which: u8| usize::from(which) % count;
        match event {
            Event::Fork { name } if self.living.len() < 15 => {
                let record = self.fork(name);
                self.living.push((record, 0));
            }
            Event::Run { which, ms } => {
                if let Some((leader, _)) = self.living.get_mut(at(which)) {
                    leader.counters.runtime_ns += u64::from(ms) * MS;
                    leader.counters.utime_ns += u64::from(ms / 4) * 4 * MS;
                    self.ran += u64::from(ms) * MS;
                }
            }
            Event::RunThread { which, ms } => {
                if let Some((_, threads)) = self.living.get_mut(at(which)) {
                    *threads += u64::from(ms) * MS;
                    self.ran += u64::from(ms) * MS;
                }
            }
            Event::JoinThreads { which } => {
                if let Some((leader, threads)) = self.living.get_mut(at(which)) {
                    leader.counters.runtime_ns += std::mem::take(threads);
                }
            }
            Event::Exec { which, name: to } => {
                if let Some((leader, _)) = self.living.get_mut(at(which)) {
                    leader.comm = process(0, &name(to)).comm;
                    leader.exec_id += 1;
                }
            }
            Event::End { which } => ends.extend(self.take(which).map(|last| ended(last, 0))),
            Event::EndLost { which } => {
                if let Some(last) = self.take(which) {
                    self.lose(&last);
                }
            }
            Event::Short { name, ms, lost } => {
                let record = ran(u64::from(ms) * MS, self.fork(name));
                self.ran += record.counters.runtime_ns;
                if lost {
                    self.lose(&record);
                } else {
                    ends.push(ended(record, 9));
                }
            }
            Event::Serve { behind } => {
                let floor = self.rig.sequence.saturating_sub(u64::from(behind));
                self.rig.gate.served_floor = Some(floor);
            }
            Event::Fork { .. } | Event::FailedWalk => (),
        }
    }

    fn cycle(&mut self, events: &[Event]) -> Result<(), TestCaseError> {
        let mut ends = Vec::new();
        for &event in events {
            self.happen(event, &mut ends);
        }
        let complete = !events
            .iter()
            .any(|event| matches!(event, Event::FailedWalk));
        let (living, lost) = (&self.living, self.lost);
        let rows = self.rig.cycle_with(complete, |table, names| {
            for (leader, threads) in living {
                if *threads > 0 {
                    table.thread(&thread(leader.tgid, *threads));
                }
                table.process(leader, names);
            }
            ends.iter().for_each(|record| table.process(record, names));
            table.lost(&lost);
        });
        self.check(&rows)
    }

    fn check(&mut self, rows: &[ProcessRow]) -> Result<(), TestCaseError> {
        let named = rows.iter().filter(|row| !row.folded).count();
        prop_assert!(named <= BUDGET, "{} label sets", named);
        let mut shown = BTreeMap::new();
        for row in rows {
            let key = (row.process.clone(), row.user.clone());
            let ends = row.exited.iter().flatten().map(|exit| exit.1).sum();
            let now = [cpu(row), row.started, ends];
            let before = self.shown.get(&key).copied().unwrap_or_default();
            for ((sum, now), before) in self.booked.iter_mut().zip(now).zip(before) {
                prop_assert!(now >= before, "{:?} went down", key);
                *sum += now - before;
            }
            prop_assert!(shown.insert(key.clone(), now).is_none(), "twice {:?}", key);
        }
        self.shown = shown;
        let processes: u64 = rows.iter().map(|row| row.processes).sum();
        prop_assert_eq!(processes, self.rig.table.tracked());
        prop_assert_eq!(self.booked[0], self.rig.table.cpu_total_ns());
        prop_assert!(self.booked[0] <= self.ran);
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
        let ended = world.born - world.living.len() as u64;
        prop_assert_eq!(world.booked, [world.ran, world.born, ended]);
    }
}
