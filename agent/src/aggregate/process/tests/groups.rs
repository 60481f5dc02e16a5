//! Which group a process counts for.

use super::*;
use crate::model::{ExitReason, budget::EXIT_REASONS};

fn renamed(mut record: TaskRecord, comm: &str) -> TaskRecord {
    record.comm = process(0, comm).comm;
    record.exec_id += 1;
    record
}

#[test]
fn an_exec_moves_the_process_and_leaves_what_it_did() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut record = rig.newborn(7, "sh", 10 * MS);
    rig.cycle(&[record]);
    record = renamed(record, "cc1");
    record.counters.runtime_ns = 510 * MS;
    let rows = rig.cycle(&[record]);
    let (sh, cc1) = (row(&rows, "sh"), row(&rows, "cc1"));
    assert_eq!(
        (cpu(sh), sh.live, sh.processes, sh.started),
        (10 * MS, false, 0, 1)
    );
    assert_eq!(
        (cpu(cc1), cc1.live, cc1.processes, cc1.started),
        (500 * MS, true, 1, 0)
    );
    // Once more, and it ends before the next walk.
    record = renamed(record, "ld");
    record.counters.runtime_ns = 520 * MS;
    let rows = rig.cycle(&[ended(record, 0)]);
    assert_eq!(
        (cpu(row(&rows, "cc1")), cpu(row(&rows, "ld"))),
        (500 * MS, 10 * MS)
    );
    let ended = &row(&rows, "ld").exited;
    assert_eq!(
        ended.as_deref(),
        Some(&[(ExitReason::Success, 1, false)][..])
    );
}

#[test]
fn a_change_of_user_moves_the_process() {
    let mut rig = Rig::new(10);
    let mut record = process(7, "sshd");
    rig.cycle(&[record]);
    (record.uid, record.counters.runtime_ns) = (1_000, 9 * MS);
    let rows = rig.cycle(&[record]);
    let of = |user: &str| rows.iter().find(|row| &*row.user == user).unwrap();
    assert_eq!((cpu(of("root")), of("root").live), (0, false));
    assert_eq!((cpu(of("1000")), of("1000").processes), (9 * MS, 1));
}

#[test]
fn a_group_named_as_the_rest_is_part_of_it() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut record = rig.newborn(7, "other", 40 * MS);
    record.uid = 1;
    let rows = rig.cycle(&[
        record,
        TaskRecord {
            uid: 5,
            tgid: 8,
            ..record
        },
    ]);
    assert_eq!(rows.len(), 2);
    assert_eq!((&*other(&rows).user, cpu(other(&rows))), ("other", 40 * MS));
    assert!(other(&rows).live);
    assert_eq!(
        (&*row(&rows, "other").user, row(&rows, "other").processes),
        ("5", 1)
    );
}

#[test]
fn the_heaviest_have_names_and_the_rest_is_summed() {
    let mut rig = Rig::new(20);
    rig.cycle(&[]);
    let mut records = Vec::new();
    for tgid in 1..=100 {
        let heavy = u64::from(tgid % 10 == 0);
        records.push(rig.newborn(tgid, &format!("p{tgid}"), (1 + heavy * 100) * MS));
    }
    let rows = rig.cycle(&records);
    assert_eq!(rows.len(), 19);
    for heavy in (10..=100).step_by(10) {
        assert_eq!(cpu(row(&rows, &format!("p{heavy}"))), 101 * MS);
    }
    assert_eq!((cpu(other(&rows)), other(&rows).processes), (82 * MS, 82));
    assert_eq!(rows.iter().map(cpu).sum::<u64>(), rig.table.cpu_total_ns());
    let budget = rig.table.budgets()[0];
    assert_eq!((budget.limit, budget.named, budget.folded), (20, 18, 82));
}

#[test]
fn memory_gives_weight_too() {
    let mut rig = Rig::new(2);
    let hog = process(1, "hog");
    let mut busy = process(2, "busy");
    rig.cycle(&[busy, hog]);
    rig.table.set_memory(
        id(&hog),
        Some(crate::model::Memory {
            anon: 8 << 30,
            ..Default::default()
        }),
        rig.now,
    );
    let mut rows = Vec::new();
    for _ in 0..8 {
        busy.counters.runtime_ns += 10 * MS;
        rows = rig.cycle(&[busy, hog]);
    }
    assert!(row(&rows, "hog").live && find(&rows, "busy").is_none());
}

#[test]
fn reasons_are_few_and_born_one_by_one() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    rig.gate.served_floor = Some(0);
    let keeper = rig.newborn(1, "job", MS);
    rig.cycle(&[keeper, ended(rig.newborn(2, "job", MS), 0)]);
    rig.gate.served_floor = Some(rig.sequence);
    let ends: Vec<TaskRecord> = (1..=9)
        .map(|signal| ended(rig.newborn(100 + signal, "job", MS), signal))
        .collect();
    let rows = rig.cycle(&[vec![keeper], ends].concat());
    let job = row(&rows, "job");
    let exited = job.exited.clone().unwrap();
    assert!(!job.held);
    assert_eq!(exited.len(), EXIT_REASONS + 1, "and other");
    assert!(exited.contains(&(ExitReason::Success, 1, false)));
    assert!(
        exited.contains(&(ExitReason::Signal(4), 1, true)),
        "a new series is held"
    );
    assert!(exited.contains(&(ExitReason::Other, 5, true)));
    rig.gate.served_floor = Some(rig.sequence);
    let rows = rig.cycle(&[keeper]);
    let exited = row(&rows, "job").exited.clone().unwrap();
    assert!(exited.iter().all(|(_, _, held)| !held));
}
