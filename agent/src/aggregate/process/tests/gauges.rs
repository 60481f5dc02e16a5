//! Memory, descriptors, counts: what the members have now.

use super::*;
use crate::model::Memory;
use hostlens_ebpf::wire::UNKNOWN_U32;

fn memory(anon: u64, file: u64) -> Memory {
    Memory {
        anon,
        file,
        shmem: file / 2,
        swap: anon / 10,
    }
}

#[test]
fn private_memory_is_summed_and_shared_memory_is_the_largest() {
    let mut rig = Rig::new(10);
    let records = [process(1, "db"), process(2, "db"), process(3, "db")];
    let rows = rig.cycle(&records);
    assert_eq!(row(&rows, "db").memory, None, "not measured is not zero");
    assert_eq!(rig.table.memory_pending(), 3);
    let mut wanted = Vec::new();
    rig.table.memory_wanted(&mut wanted);
    assert_eq!(wanted.len(), 3);
    rig.table
        .set_memory(id(&records[0]), Some(memory(100, 70)), rig.now);
    rig.table
        .set_memory(id(&records[1]), Some(memory(30, 90)), rig.now);
    rig.table.set_memory(id(&records[2]), None, rig.now);
    let rows = rig.table.rows(2, rig.gate);
    let expected = Memory {
        anon: 130,
        file: 90,
        shmem: 45,
        swap: 13,
    };
    assert_eq!(row(&rows, "db").memory, Some(expected));
    assert_eq!(rig.table.memory_pending(), 0);
}

#[test]
fn memory_is_wanted_of_those_that_changed_oldest_reading_first() {
    let mut rig = Rig::new(10);
    let mut records: Vec<TaskRecord> = (1..=5).map(|tgid| process(tgid, "a")).collect();
    records[3].flags = TaskFlags::KERNEL_THREAD;
    records[4].flags = TaskFlags::ZOMBIE;
    let mut wanted = Vec::new();
    rig.cycle(&records);
    rig.table.memory_wanted(&mut wanted);
    assert_eq!(wanted, [id(&records[0]), id(&records[1]), id(&records[2])]);
    let later = rig.now.plus(Duration::from_secs(1));
    rig.table
        .set_memory(id(&records[0]), Some(memory(1, 1)), later);
    rig.table
        .set_memory(id(&records[1]), Some(memory(1, 1)), rig.now);
    rig.cycle(&records);
    rig.table.memory_wanted(&mut wanted);
    assert_eq!(wanted, [id(&records[2])], "the others slept");
    records[0].counters.minor_faults += 1;
    records[1].rss[1] += 1;
    rig.cycle(&records);
    rig.table.memory_wanted(&mut wanted);
    assert_eq!(wanted, [id(&records[2]), id(&records[1]), id(&records[0])]);
}

#[test]
fn exact_page_counts_need_no_reading() {
    let mut rig = Rig::new(10);
    let exact = TaskRecord {
        flags: TaskFlags::HAS_MM | TaskFlags::RSS_EXACT,
        rss: [2, 3, 1, -1],
        ..process(1, "a")
    };
    let rows = rig.cycle(&[exact]);
    let expected = Memory {
        anon: 12_288,
        file: 8_192,
        shmem: 0,
        swap: 4_096,
    };
    assert_eq!(row(&rows, "a").memory, Some(expected));
    let mut wanted = vec![id(&exact)];
    rig.table.memory_wanted(&mut wanted);
    assert!(wanted.is_empty() && rig.table.memory_pending() == 0);
}

#[test]
fn descriptors_and_the_worst_member() {
    let mut rig = Rig::new(10);
    let open = |tgid, open_fds, fd_limit| TaskRecord {
        open_fds,
        fd_limit,
        ..process(tgid, "web")
    };
    let records = [
        open(1, 512, 1_024),
        open(2, 300, 400),
        open(3, UNKNOWN_U32, u64::MAX),
    ];
    let rows = rig.cycle(&records);
    let web = row(&rows, "web");
    assert_eq!((web.open_fds, web.fd_limit_ratio), (Some(812), Some(0.75)));
    let mut wanted = Vec::new();
    rig.table.fds_wanted(&mut wanted);
    assert_eq!(wanted, [id(&records[2])]);
    rig.table.set_open_fds(wanted[0], Some(100_000), rig.now);
    let rows = rig.cycle(&records);
    assert_eq!(row(&rows, "web").open_fds, Some(100_812));
}

#[test]
fn counts_and_the_oldest_start() {
    let mut rig = Rig::new(10);
    let old = TaskRecord {
        threads: 5,
        ..process(1, "web")
    };
    let rows = rig.cycle(&[
        old,
        TaskRecord {
            start_ns: 20 * SECOND,
            ..process(2, "web")
        },
    ]);
    let web = row(&rows, "web");
    assert_eq!((web.processes, web.threads), (2, 6));
    // Booted 1,000 s before 1,700,000,000.
    assert_eq!(web.oldest_start_seconds, Some(1_699_999_010.0));
    let members = rig.table.members();
    assert_eq!(members.len(), 2);
    let first = members.iter().find(|member| member.pid == 1).unwrap();
    assert_eq!(
        (&*first.user, first.threads, first.start_seconds),
        ("root", 5, 1_699_999_010.0)
    );
}

#[test]
fn a_namespace_has_one_process_to_enter_it_by() {
    let mut rig = Rig::new(10);
    let inside = |tgid, netns| TaskRecord {
        netns,
        ..process(tgid, "a")
    };
    rig.cycle(&[inside(9, 5), inside(4, 5), inside(6, 7), inside(2, 0)]);
    let mut found: Vec<(u32, u32)> = rig.table.namespaces().into_iter().collect();
    found.sort_unstable();
    assert_eq!(found, [(5, 4), (7, 6)]);
}
