//! Reads from swap are not reads from storage.

use super::*;

const MIB: u64 = 1 << 20;

fn read(bytes: u64, mut record: TaskRecord) -> TaskRecord {
    record.counters.read_bytes = bytes;
    record
}

impl Rig {
    /// A cycle in which so many bytes of a process were found to come from swap after the walk.
    fn swap_cycle(&mut self, records: &[TaskRecord], of: &TaskRecord, bytes: u64) -> u64 {
        let rows = self.cycle_with(true, |table, names| {
            for record in records {
                table.process(record, names);
            }
            table.swapped_in(id(of), bytes);
        });
        let row = rows.iter().find(|row| &*row.process == "victim");
        row.and_then(|row| row.read_bytes).unwrap()
    }
}

#[test]
fn what_came_from_swap_is_left_out() {
    let mut rig = Rig::new(10);
    let victim = process(7, "victim");
    // The first sight is a baseline, and so is what came from swap before it.
    assert_eq!(
        rig.swap_cycle(&[read(50 * MIB, victim)], &victim, 9 * MIB),
        0
    );
    assert_eq!(
        rig.swap_cycle(&[read(60 * MIB, victim)], &victim, 7 * MIB),
        3 * MIB
    );
    // Found before the walk counted it: it is left out of what comes, and nothing goes down.
    assert_eq!(
        rig.swap_cycle(&[read(61 * MIB, victim)], &victim, 4 * MIB),
        3 * MIB
    );
    assert_eq!(
        rig.swap_cycle(&[read(66 * MIB, victim)], &victim, 0),
        5 * MIB
    );
    // Nobody knows that one.
    assert_eq!(
        rig.swap_cycle(&[read(67 * MIB, victim)], &process(8, "victim"), MIB),
        6 * MIB
    );
}

#[test]
fn also_of_a_process_that_has_just_ended() {
    let mut rig = Rig::new(10);
    let victim = process(7, "victim");
    rig.swap_cycle(&[read(MIB, victim)], &victim, 0);
    let last = ended(read(9 * MIB, victim), 0);
    assert_eq!(rig.swap_cycle(&[last], &victim, 6 * MIB), 2 * MIB);
}
