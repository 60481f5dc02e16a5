//! What records add to counters.

use super::*;
use crate::model::{ExitReason, budget::EXIT_REASONS};
use hostlens_ebpf::wire::{TaskCounters, TaskTotals};

#[test]
fn an_old_process_is_a_baseline_and_a_new_one_is_not() {
    let mut rig = Rig::new(10);
    let mut old = ran(900 * SECOND, process(1, "init"));
    old.counters.read_bytes = 1 << 30;
    let rows = rig.cycle(&[old]);
    assert_eq!(
        (cpu(row(&rows, "init")), row(&rows, "init").started),
        (0, 0)
    );
    old.counters.runtime_ns += 30 * MS;
    let young = rig.newborn(50, "cc1", 70 * MS);
    let rows = rig.cycle(&[old, young]);
    assert_eq!(cpu(row(&rows, "init")), 30 * MS);
    assert_eq!(
        (cpu(row(&rows, "cc1")), row(&rows, "cc1").started),
        (70 * MS, 1)
    );
    assert_eq!(row(&rows, "cc1").rates.cpu, 0.014);
    assert_eq!(rig.table.cpu_total_ns(), 100 * MS);
    assert_eq!(rig.names.asked, 2, "once per process");
}

#[test]
fn threads_count_in_any_order_and_after_their_end() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut leader = rig.newborn(7, "java", 10 * MS);
    let rows = rig.cycle_with(true, |table, names| {
        table.thread(&thread(7, 100 * MS));
        table.process(&leader, names);
        table.thread(&thread(7, 1_000 * MS));
    });
    assert_eq!(cpu(row(&rows, "java")), 1_110 * MS);
    // One thread ended: its time is in the leader's record now.
    leader.counters.runtime_ns += 1_200 * MS;
    let rows = rig.cycle_with(true, |table, names| {
        table.process(&leader, names);
        table.thread(&thread(7, 100 * MS));
    });
    assert_eq!(cpu(row(&rows, "java")), 1_310 * MS);
    // The other ended while the walk passed: it is in neither record.
    let rows = rig.cycle(&[leader]);
    assert_eq!(cpu(row(&rows, "java")), 1_310 * MS, "never booked back");
    leader.counters.runtime_ns += 150 * MS;
    let rows = rig.cycle(&[ended(leader, 0)]);
    assert_eq!(cpu(row(&rows, "java")), 1_360 * MS);
    assert_eq!(rig.table.cpu_total_ns(), 1_360 * MS);
}

#[test]
fn a_baseline_waits_for_a_complete_walk() {
    let mut rig = Rig::new(10);
    let leader = ran(10 * SECOND, process(7, "java"));
    rig.cycle_with(false, |table, names| table.process(&leader, names));
    let whole = |table: &mut ProcessTable, names: &mut Comm| {
        table.process(&leader, names);
        table.thread(&thread(7, 90 * SECOND));
    };
    let rows = rig.cycle_with(true, whole);
    assert_eq!(
        cpu(row(&rows, "java")),
        0,
        "its threads were not seen before"
    );
}

#[test]
fn modes_follow_the_ticks() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let mut record = rig.newborn(7, "cp", 1_000 * MS);
    (record.counters.utime_ns, record.counters.stime_ns) = (100 * MS, 300 * MS);
    let rows = rig.cycle(&[record]);
    assert_eq!(
        (row(&rows, "cp").user_ns, row(&rows, "cp").system_ns),
        (250 * MS, 750 * MS)
    );
    // From now on in user mode only: the share of system mode falls, its time does not.
    record.counters.runtime_ns = 1_100 * MS;
    record.counters.utime_ns = 900 * MS;
    let rows = rig.cycle(&[record]);
    assert_eq!(
        (row(&rows, "cp").user_ns, row(&rows, "cp").system_ns),
        (350 * MS, 750 * MS)
    );
}

#[test]
fn a_short_life_is_booked_whole_with_its_reason() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let short = |rig: &Rig, tgid, code| ended(rig.newborn(tgid, "true", MS), code);
    let ends = [
        short(&rig, 1, 0),
        short(&rig, 2, 3 << 8),
        short(&rig, 3, 9),
        short(&rig, 4, 11 | 0x80),
    ];
    let rows = rig.cycle(&[ends, ends].concat());
    let peer = row(&rows, "true");
    assert_eq!((cpu(peer), peer.started, peer.live), (4 * MS, 4, false));
    let mut exited = peer.exited.clone().unwrap();
    exited.sort();
    let once = |reason| (reason, 1, false);
    assert_eq!(
        exited,
        [
            once(ExitReason::Success),
            once(ExitReason::Failure),
            once(ExitReason::Signal(9)),
            once(ExitReason::Signal(11)),
        ]
    );
    // A record of the walk that was under way does not bring it back.
    let late = rig.newborn(1, "true", MS);
    let rows = rig.cycle(&[TaskRecord {
        start_ns: ends[0].start_ns,
        ..late
    }]);
    assert_eq!((cpu(row(&rows, "true")), rig.table.tracked()), (4 * MS, 0));
}

#[test]
fn a_pid_used_again_is_another_process() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let first = rig.newborn(7, "job", 500 * MS);
    rig.cycle(&[first]);
    let second = rig.newborn(7, "job", 200 * MS);
    let rows = rig.cycle(&[ended(ran(600 * MS, first), 0), second]);
    let job = row(&rows, "job");
    assert_eq!((cpu(job), job.started, job.processes), (800 * MS, 2, 1));
}

#[test]
fn who_vanishes_unseen_ended_for_other_reasons() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let record = rig.newborn(7, "job", 500 * MS);
    rig.cycle(&[record]);
    let rows = rig.cycle(&[]);
    assert_eq!(
        (row(&rows, "job").live, row(&rows, "job").processes),
        (true, 1)
    );
    let rows = rig.cycle(&[]);
    let job = row(&rows, "job");
    assert_eq!((job.live, cpu(job)), (false, 500 * MS));
    assert_eq!(
        job.exited.as_deref(),
        Some(&[(ExitReason::Other, 1, false)][..])
    );
    rig.caps.ends = false;
    let rows = rig.cycle(&[]);
    assert_eq!(row(&rows, "job").exited, None, "not seen is not none");
}

#[test]
fn an_old_owner_that_ends_in_an_overflow_is_not_counted_twice() {
    let mut rig = Rig::new(10);
    let mut old = ran(1_000 * SECOND, process(7, "db"));
    rig.cycle(&[old]);
    old.counters.runtime_ns += 5 * SECOND;
    rig.cycle(&[old]);
    // It ran 2 s more; a process nobody has seen ran 1 s, a quarter of it in system mode.
    let lost = TaskTotals {
        processes: 2,
        counters: TaskCounters {
            runtime_ns: 1_008 * SECOND,
            utime_ns: 3 * SECOND,
            stime_ns: SECOND,
            ..TaskCounters::default()
        },
    };
    let mut rows = Vec::new();
    for _ in 0..4 {
        rows = rig.cycle_with(true, |table, _| table.lost(&lost));
    }
    assert_eq!(cpu(row(&rows, "db")), 5 * SECOND);
    let other = other(&rows);
    assert_eq!((other.user_ns, other.system_ns), (2_250 * MS, 750 * MS));
    assert_eq!((other.started, other.live), (1, false));
    assert_eq!(
        other.exited.as_deref(),
        Some(&[(ExitReason::Other, 1, false)][..])
    );
    assert_eq!(rig.table.cpu_total_ns(), 8 * SECOND);
    assert_eq!(rig.table.lost_detail()[0].count, 2);
}

#[test]
fn what_the_source_cannot_say_is_absent() {
    let mut rig = Rig::new(10);
    rig.caps = ProcessCaps::default();
    let rows = rig.cycle(&[process(1, "init")]);
    let init = row(&rows, "init");
    assert_eq!((init.read_bytes, init.write_bytes), (None, None));
    assert_eq!(
        (init.voluntary_switches, init.involuntary_switches),
        (None, None)
    );
    assert_eq!(init.exited, None);
}

#[test]
fn delays_are_absent_until_a_member_knows_them() {
    let mut rig = Rig::new(10);
    let mut first = process(1, "init");
    let rows = rig.cycle(&[first]);
    let delays = |rows: &[ProcessRow]| {
        let row = row(rows, "init");
        (row.run_delay_ns, row.block_delay_ns)
    };
    assert_eq!(delays(&rows), (None, None));
    first.flags |= TaskFlags::RUN_DELAY;
    first.counters.run_delay_ns = 9 * SECOND;
    let mut second = rig.newborn(2, "init", 0);
    second.flags |= TaskFlags::BLOCK_DELAY;
    let rows = rig.cycle(&[first, second]);
    assert_eq!(delays(&rows), (Some(9 * SECOND), Some(0)));
    second.counters.block_delay_ns = SECOND;
    let rows = rig.cycle(&[ended(second, 0)]);
    assert_eq!(delays(&rows), (Some(9 * SECOND), Some(SECOND)));
}

#[test]
fn a_delay_that_is_there_at_first_sight_is_a_baseline_at_zero() {
    let mut rig = Rig::new(10);
    let mut old = process(1, "init");
    old.flags |= TaskFlags::RUN_DELAY;
    old.counters.run_delay_ns = 9 * SECOND;
    let rows = rig.cycle(&[old]);
    assert_eq!(row(&rows, "init").run_delay_ns, Some(0));
    old.counters.run_delay_ns += 250 * MS;
    let rows = rig.cycle(&[old]);
    assert_eq!(row(&rows, "init").run_delay_ns, Some(250 * MS));
    assert_eq!(row(&rows, "init").rates.run_delay, 0.05);
    // Another name from here on: its series begins at zero too.
    old.exec_id += 1;
    old.comm[..4].copy_from_slice(b"next");
    let rows = rig.cycle(&[old]);
    assert_eq!(row(&rows, "next").run_delay_ns, Some(0));
}

#[test]
fn a_kill_for_want_of_memory_is_named_and_never_folded() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let end = |tgid: u32, code: u32, flags: u32| TaskRecord {
        flags,
        ..ended(rig.newborn(tgid, "job", 0), code)
    };
    // More reasons than are named, then a victim, one that was leaving by itself, and a mere kill.
    let named = EXIT_REASONS as u32;
    let mut ends: Vec<_> = (1..=named).map(|signal| end(signal, signal, 0)).collect();
    ends.push(end(20, 9, TaskFlags::OOM_VICTIM));
    ends.push(end(21, 0, TaskFlags::OOM_VICTIM));
    ends.push(end(22, 9, 0));
    let rows = rig.cycle(&ends);
    let exited = row(&rows, "job").exited.as_ref().unwrap();
    let count = |reason| {
        let found = exited.iter().find(|exit| exit.0 == reason);
        found.map(|exit| exit.1)
    };
    assert_eq!(count(ExitReason::Oom), Some(1));
    assert_eq!(count(ExitReason::Signal(EXIT_REASONS as u8)), Some(1));
    assert_eq!(count(ExitReason::Signal(9)), None);
    assert_eq!(count(ExitReason::Other), Some(2));
}
