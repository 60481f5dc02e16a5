//! Other rules come into force while processes live.

use super::*;

fn ran(tgid: u32, comm: &str, runtime_ns: u64) -> TaskRecord {
    let mut record = process(tgid, comm);
    record.counters.runtime_ns = runtime_ns;
    record
}

#[test]
fn what_comes_after_other_rules_is_the_new_groups_and_nothing_moves() {
    let mut rig = Rig::new(10);
    rig.cycle(&[ran(1, "nginx", 5 * SECOND), ran(2, "nginx", SECOND)]);
    let rows = rig.cycle(&[ran(1, "nginx", 6 * SECOND), ran(2, "nginx", SECOND)]);
    assert_eq!(cpu(row(&rows, "nginx")), SECOND);
    let asked = rig.names.asked;
    rig.cycle(&[ran(1, "nginx", 6 * SECOND), ran(2, "nginx", SECOND)]);
    assert_eq!(rig.names.asked, asked, "names are asked for once");

    rig.names.version = 1;
    rig.names.prefix = "web ";
    let rows = rig.cycle(&[ran(1, "nginx", 8 * SECOND), ran(2, "nginx", SECOND)]);
    let (old, new) = (row(&rows, "nginx"), row(&rows, "web nginx"));
    assert_eq!((cpu(old), old.live, old.processes), (SECOND, false, 0));
    assert_eq!((cpu(new), new.live, new.processes), (2 * SECOND, true, 2));
    // It started long ago, and has not ended under its old name.
    assert_eq!((old.started, new.started), (0, 0));
    assert!(old.exited.as_ref().is_some_and(Vec::is_empty));
    assert_eq!(rig.names.asked, asked + 2);

    let rows = rig.cycle(&[ran(1, "nginx", 9 * SECOND), ran(2, "nginx", SECOND)]);
    assert_eq!(cpu(row(&rows, "web nginx")), 3 * SECOND);
    assert_eq!(cpu(row(&rows, "nginx")), SECOND);
    assert_eq!(rig.names.asked, asked + 2);
}

/// Of what has ended no better name can be known than it had.
#[test]
fn the_end_belongs_to_the_name_it_lived_under() {
    let mut rig = Rig::new(10);
    rig.cycle(&[ran(1, "nginx", SECOND)]);
    rig.names.version = 1;
    rig.names.prefix = "web ";
    let rows = rig.cycle(&[ended(ran(1, "nginx", 3 * SECOND), 0)]);
    assert_eq!(cpu(row(&rows, "nginx")), 2 * SECOND);
    assert!(find(&rows, "web nginx").is_none());
    // One that became another program has the new name.
    rig.cycle(&[ran(2, "sh", SECOND)]);
    let after = TaskRecord {
        exec_id: 9,
        ..ran(2, "ls", 2 * SECOND)
    };
    rig.names.prefix = "tool ";
    let rows = rig.cycle(&[ended(after, 0)]);
    assert_eq!(cpu(row(&rows, "tool ls")), SECOND);
}
