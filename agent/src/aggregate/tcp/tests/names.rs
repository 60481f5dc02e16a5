//! Names that are older than what happened.

use super::*;
use crate::model::ServiceKey;

const CLIENT: u32 = 7;

/// Names as a walk found them that began then.
struct Dated<'a>(&'a Names, u64);

impl Owners for Dated<'_> {
    fn owner(&self, tgid: u32, start_ns: u64) -> Option<Owner> {
        self.0.owner(tgid, start_ns)
    }

    fn as_of(&self) -> u64 {
        self.1
    }
}

impl Rig {
    /// A walk over processes, then one over sockets that gives these records.
    fn dated_cycle(&mut self, records: &[SockRecord]) {
        self.now = self.now.plus(Duration::from_secs(5));
        let owners = Dated(&self.owners, self.now.mono_ns);
        self.table.begin(self.now);
        for record in records {
            self.table.socket(record);
        }
        let whole = WalkOutcome { complete: true };
        self.table.finish(self.now, whole, true, &owners);
        self.sequence += 1;
    }

    /// Connections opened and ended by a process of this name.
    fn lives(&mut self, process: &str) -> (u64, u64) {
        let rows = self.table.services(self.sequence, self.gate);
        let key = ServiceKey::Service {
            direction: Direction::Outbound,
            owner: owner(process),
            port: 5432,
        };
        let row = rows.iter().find(|row| row.key == key);
        row.map_or((0, 0), |row| (row.opened, row.closed.unwrap().iter().sum()))
    }
}

/// A connection of the process that was opened and ended so long after the last walk began.
fn short(rig: &Rig, id: u64, after_ns: u64) -> SockRecord {
    let at = rig.now.mono_ns + after_ns;
    let record = SockRecord {
        born_ns: at - 2,
        established_ns: at - 1,
        owner_tgid: CLIENT,
        owner_start_ns: 5,
        ..socket(id)
    };
    SockRecord {
        old_state: tcp_state::LAST_ACK,
        ended_ns: at,
        ..ended(record)
    }
}

#[test]
fn what_happens_after_the_walk_is_booked_by_the_names_of_the_next() {
    let mut rig = Rig::new(10);
    rig.owners.0.insert(CLIENT, "sh");
    rig.dated_cycle(&[]);
    let first = short(&rig, 1, SECOND);
    rig.dated_cycle(&[first]);
    assert_eq!(rig.lives("sh"), (1, 1));

    // Known by one name, it becomes another between two walks.
    let second = short(&rig, 2, SECOND);
    rig.table.socket(&second);
    rig.owners.0.insert(CLIENT, "curl");
    // The walk over sockets comes after that over processes: this end lies between.
    let third = short(&rig, 3, 5 * SECOND + 10);
    rig.dated_cycle(&[third]);
    assert_eq!((rig.lives("sh"), rig.lives("curl")), ((1, 1), (1, 1)));
    rig.owners.0.insert(CLIENT, "psql");
    rig.dated_cycle(&[]);
    assert_eq!((rig.lives("curl"), rig.lives("psql")), ((1, 1), (1, 1)));
    assert!(rig.table.waiting_lives.is_empty());
}

#[test]
fn too_much_at_once_does_not_wait() {
    let mut rig = Rig::new(10);
    rig.owners.0.insert(CLIENT, "sh");
    rig.dated_cycle(&[]);
    let mut many = 0;
    while !rig.table.crowded() {
        many += 1;
        let record = short(&rig, many, SECOND + many);
        rig.table.socket(&record);
    }
    let owners = Dated(&rig.owners, rig.now.mono_ns);
    rig.table.resolve(&owners);
    assert!(rig.table.waiting_lives.is_empty());
    rig.dated_cycle(&[]);
    assert_eq!(rig.lives("sh"), (many, many));
}
