//! Processes of one session or service together.

use super::*;
use crate::model::{JobKey, JobRow};

/// Sets the sessions of what is wanted and gives the jobs of the cycle.
fn jobs(rig: &mut Rig, sessions: &[(u32, u32)]) -> Vec<JobRow> {
    let mut wanted = Vec::new();
    rig.table.sessions_wanted(rig.now, &mut wanted);
    for id in wanted {
        let session = sessions.iter().find(|(pid, _)| *pid == id.tgid);
        rig.table
            .set_session(id, session.map(|(_, session)| *session), rig.now);
    }
    let members = rig.table.members();
    rig.table.jobs(&members)
}

fn started(tgid: u32, comm: &str, seconds: u64) -> TaskRecord {
    TaskRecord {
        start_ns: seconds * SECOND,
        threads: 2,
        ..process(tgid, comm)
    }
}

#[test]
fn a_pipeline_reads_as_one_thing() {
    let mut rig = Rig::new(10);
    let burnt = |runtime_ns, record| ran(runtime_ns, record);
    let sessions = [(20, 20), (21, 20), (22, 20), (23, 20), (30, 30)];
    let walk = |a, b| {
        [
            started(20, "bash", 10),
            burnt(a, started(22, "pg_dump", 12)),
            burnt(b, started(23, "pbzip2", 12)),
            burnt(b, started(21, "pbzip2", 13)),
            started(30, "bash", 5),
        ]
    };
    rig.cycle(&walk(SECOND, SECOND));
    let first = jobs(&mut rig, &sessions);
    assert_eq!(first.len(), 2);
    rig.cycle(&walk(2 * SECOND, 6 * SECOND));
    let rows = jobs(&mut rig, &sessions);
    let row = &rows[0];
    assert_eq!(row.key, JobKey::Session(20));
    assert_eq!(&*row.job, "pg_dump | pbzip2");
    assert_eq!((row.processes, row.threads), (4, 8));
    assert_eq!(row.cpu_ns, 14 * SECOND);
    assert!(
        (row.rates.cpu - 11.0 / 5.0).abs() < 1e-9,
        "{}",
        row.rates.cpu
    );
    assert_eq!(&*rows[1].job, "bash");
    assert!(row.start_seconds < rows[0].start_seconds + 1.0);
    assert!(rows[1].start_seconds < row.start_seconds);
}

#[test]
fn what_members_did_that_ended_counts_once() {
    let mut rig = Rig::new(10);
    let sessions = [(20, 20), (21, 20)];
    rig.cycle(&[started(20, "make", 10), started(21, "cc", 20)]);
    jobs(&mut rig, &sessions);
    let last = ended(ran(5 * SECOND, started(21, "cc", 20)), 0);
    rig.cycle(&[started(20, "make", 10), last]);
    let rows = jobs(&mut rig, &sessions);
    assert_eq!(&*rows[0].job, "make");
    assert!(
        (rows[0].rates.cpu - 1.0).abs() < 1e-9,
        "{}",
        rows[0].rates.cpu
    );
    rig.cycle(&[started(20, "make", 10)]);
    let rows = jobs(&mut rig, &sessions);
    assert_eq!(rows[0].rates.cpu, 0.0);
}

#[test]
fn services_hold_together_what_sessions_tear_apart() {
    let mut rig = Rig::new(10);
    let placed = |record, cgroup_id| TaskRecord {
        cgroup_id,
        ..record
    };
    let kernel = TaskRecord {
        flags: TaskFlags::KERNEL_THREAD,
        ..started(2, "kthreadd", 1)
    };
    rig.cycle(&[
        placed(started(40, "master", 1), 7),
        placed(started(41, "qmgr", 2), 7),
        placed(started(42, "sleep", 3), 1),
        kernel,
    ]);
    let mut rows = jobs(&mut rig, &[(40, 40), (41, 41)]);
    // Of the one without service no session could be read.
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].key, JobKey::Service("unit-7.service".into()));
    assert_eq!(&*rows[0].job, "master | qmgr");
    rows = jobs(&mut rig, &[(42, 9)]);
    assert_eq!(rows.len(), 1, "asked for once");
}

#[test]
fn sessions_are_read_when_they_may_have_changed() {
    let mut rig = Rig::new(10);
    rig.cycle(&[started(20, "old", 10)]);
    let young = rig.newborn(21, "young", 0);
    rig.cycle(&[started(20, "old", 10), young]);
    let mut wanted = Vec::new();
    let mut ask = |rig: &Rig| {
        rig.table.sessions_wanted(rig.now, &mut wanted);
        let mut pids: Vec<u32> = wanted.iter().map(|id| id.tgid).collect();
        pids.sort_unstable();
        pids
    };
    assert_eq!(ask(&rig), [20, 21]);
    // Right after its start it may still call setsid.
    let early = Moment {
        boot_ns: young.start_ns + SECOND,
        ..rig.now
    };
    rig.table.set_session(id(&young), Some(21), early);
    let old = id(&started(20, "old", 10));
    rig.table.set_session(old, Some(20), rig.now);
    assert_eq!(ask(&rig), [21]);
    rig.table.set_session(id(&young), Some(21), rig.now);
    assert!(ask(&rig).is_empty());
    let executed = TaskRecord {
        exec_id: 7,
        ..started(20, "old", 10)
    };
    rig.cycle(&[executed, young]);
    assert_eq!(ask(&rig), [20]);
}
