//! Processes named to those who know their ids.

use super::*;
use crate::{aggregate::Owners, model::Owner};

fn owner(process: &str, user: &str) -> Option<Owner> {
    Some(Owner {
        process: process.into(),
        user: user.into(),
        service: "".into(),
    })
}

#[test]
fn the_living_are_named_as_they_are_grouped() {
    let mut rig = Rig::new(10);
    let nginx = process(7, "nginx");
    rig.cycle(&[nginx]);
    let root = owner("nginx", "root");
    assert_eq!(rig.table.owner(7, nginx.start_ns), root);
    assert_eq!(rig.table.owner(7, 0), root);
    assert_eq!(rig.table.owner(7, nginx.start_ns + SECOND), None);
    assert_eq!(rig.table.owner(8, 0), None);
    // execve and setuid.
    rig.cycle(&[TaskRecord {
        uid: 33,
        exec_id: 1,
        ..process(7, "worker")
    }]);
    assert_eq!(rig.table.owner(7, 0), owner("worker", "33"));
}

#[test]
fn the_dead_are_named_for_a_while_however_they_ended() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let seen = process(7, "nginx");
    let short = rig.newborn(8, "curl", 5);
    let vanishes = process(9, "sleep");
    rig.cycle(&[seen, vanishes]);
    rig.cycle(&[ended(seen, 0), ended(short, 0), vanishes]);
    assert_eq!(rig.table.owner(7, seen.start_ns), owner("nginx", "root"));
    assert_eq!(rig.table.owner(8, short.start_ns), owner("curl", "root"));
    assert_eq!(rig.table.owner(8, 0), owner("curl", "root"));
    rig.cycle(&[]);
    rig.cycle(&[]);
    assert_eq!(rig.table.tracked(), 0);
    assert_eq!(
        rig.table.owner(9, vanishes.start_ns),
        owner("sleep", "root")
    );
    // The next bearer of an id is not taken for the last.
    let next = TaskRecord {
        start_ns: rig.now.boot_ns,
        ..process(7, "bash")
    };
    rig.cycle(&[next]);
    assert_eq!(rig.table.owner(7, 0), owner("bash", "root"));
    assert_eq!(rig.table.owner(7, seen.start_ns), owner("nginx", "root"));
    for _ in 0..30 {
        rig.cycle(&[next]);
    }
    assert_eq!(rig.table.owner(8, short.start_ns), None);
    assert_eq!(rig.table.owner(7, 0), owner("bash", "root"));
}
