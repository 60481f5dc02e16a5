//! Groups told apart by the container or unit of their processes.

use super::*;
use crate::aggregate::Owners;

fn placed(tgid: u32, comm: &str, cgroup_id: u64) -> TaskRecord {
    TaskRecord {
        cgroup_id,
        ..process(tgid, comm)
    }
}

fn services(rows: &[ProcessRow], name: &str) -> Vec<(String, u64)> {
    let rows = rows.iter().filter(|row| &*row.process == name);
    let mut services: Vec<_> = rows
        .map(|row| (row.service.to_string(), row.processes))
        .collect();
    services.sort();
    services
}

#[test]
fn the_same_program_in_two_units_is_two_groups() {
    let mut rig = Rig::new(10);
    let rows = rig.cycle(&[
        placed(7, "nginx", 70),
        placed(8, "nginx", 80),
        placed(9, "nginx", 1),
    ]);
    let told = [("", 1), ("unit-70.service", 1), ("unit-80.service", 1)];
    assert_eq!(
        services(&rows, "nginx"),
        told.map(|(service, count)| (service.to_owned(), count))
    );
    let owner = rig.table.owner(8, 0).unwrap();
    assert_eq!(&*owner.service, "unit-80.service");
    let members = rig.table.members();
    let member = members.iter().find(|member| member.pid == 7).unwrap();
    assert_eq!(&*member.service, "unit-70.service");
}

#[test]
fn one_that_moves_counts_where_it_is_from_then_on() {
    let mut rig = Rig::new(10);
    rig.cycle(&[placed(7, "job", 70)]);
    let worked = |cgroup_id, runtime_ns| TaskRecord {
        counters: TaskCounters {
            runtime_ns,
            ..TaskCounters::default()
        },
        ..placed(7, "job", cgroup_id)
    };
    rig.cycle(&[worked(70, 3 * MS)]);
    let rows = rig.cycle(&[worked(80, 10 * MS)]);
    let of = |service: &str| rows.iter().find(|row| &*row.service == service).unwrap();
    assert_eq!(cpu(of("unit-70.service")), 3 * MS);
    assert_eq!(cpu(of("unit-80.service")), 7 * MS);
    assert!(!of("unit-70.service").live && of("unit-80.service").live);
    // The same id in another hierarchy is another cgroup.
    let asked = rig.names.asked;
    let other = TaskRecord {
        flags: TaskFlags::HAS_MM | TaskFlags::CGROUP_V1,
        ..worked(80, 10 * MS)
    };
    rig.cycle(&[other]);
    assert_eq!(rig.names.asked, asked + 1);
}

#[test]
fn the_end_counts_for_the_service_it_lived_in() {
    let mut rig = Rig::new(10);
    rig.cycle(&[]);
    let lived = rig.newborn(7, "job", MS);
    let lived = TaskRecord {
        cgroup_id: 70,
        ..lived
    };
    rig.cycle(&[lived]);
    let short = TaskRecord {
        cgroup_id: 80,
        ..rig.newborn(8, "job", 2 * MS)
    };
    let rows = rig.cycle(&[ended(lived, 0), ended(short, 0)]);
    for (service, runtime) in [("unit-70.service", MS), ("unit-80.service", 2 * MS)] {
        let row = rows.iter().find(|row| &*row.service == service).unwrap();
        assert_eq!((row.started, cpu(row)), (1, runtime), "{service}");
    }
}

#[test]
fn without_the_label_they_are_one_group() {
    let mut rig = Rig::new(10);
    rig.table = ProcessTable::new(ProcessConfig {
        budget: 10,
        retention: Duration::from_secs(900),
        service_label: false,
        details: true,
    });
    let rows = rig.cycle(&[placed(7, "nginx", 70), placed(8, "nginx", 80)]);
    assert_eq!(services(&rows, "nginx"), [(String::new(), 2)]);
    // What they belong to is known nonetheless.
    let mut known: Vec<_> = rig
        .table
        .cgroups()
        .map(|(_, service)| service.to_string())
        .collect();
    known.sort();
    assert_eq!(known, ["unit-70.service", "unit-80.service"]);
}
