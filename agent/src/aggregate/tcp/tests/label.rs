//! Peers told apart by whose connections to them are.

use super::*;

fn rig() -> Rig {
    let mut rig = Rig::new(10);
    rig.table = TcpTable::new(TcpConfig {
        process_label: true,
        ..config(10)
    });
    rig.owners.0.extend([(7, "nginx"), (8, "php")]);
    rig.cycle(&[]);
    rig
}

fn of(rows: &[PeerRow], process: &str) -> Option<(u64, Option<u64>)> {
    let wanted = match process {
        "unknown" => Owner::unknown(),
        process => owner(process),
    };
    let row = rows
        .iter()
        .find(|row| row.key == postgres() && row.owner.as_ref() == Some(&wanted))?;
    Some((row.sent_bytes, row.connections[0]))
}

fn newborn(rig: &Rig, id: u64, tgid: u32) -> SockRecord {
    SockRecord {
        born_ns: rig.born(),
        bytes_sent: 100,
        owner_tgid: tgid,
        ..socket(id)
    }
}

#[test]
fn one_peer_has_a_row_for_each_process_group() {
    let mut rig = rig();
    let records = [
        newborn(&rig, 1, 7),
        newborn(&rig, 2, 8),
        newborn(&rig, 3, 8),
    ];
    let rows = rig.cycle(&records);
    assert_eq!(of(&rows, "nginx"), Some((100, Some(1))));
    assert_eq!(of(&rows, "php"), Some((200, Some(2))));
    // Read by another: the connection moves, its bytes stay where they were counted.
    let read = SockRecord {
        owner_tgid: 8,
        bytes_sent: 150,
        ..records[0]
    };
    let rows = rig.cycle(&[read, records[1], records[2]]);
    assert_eq!(
        of(&rows, "nginx"),
        Some((150, Some(0))).map(|(b, _)| (b, Some(0)))
    );
    assert_eq!(of(&rows, "php"), Some((200, Some(3))));
}

#[test]
fn bytes_wait_for_the_owner_and_none_is_lost() {
    let mut rig = rig();
    let record = newborn(&rig, 1, 99);
    let short = ended(newborn(&rig, 2, 99));
    assert!(rig.cycle(&[record, short]).is_empty());
    rig.owners.0.insert(99, "curl");
    let rows = rig.cycle(&[SockRecord {
        bytes_sent: 130,
        ..record
    }]);
    assert_eq!(of(&rows, "curl"), Some((230, Some(1))));
    let stranger = newborn(&rig, 3, 100);
    rig.cycle(&[record, stranger]);
    let rows = rig.cycle(&[record, stranger]);
    assert_eq!(of(&rows, "unknown"), Some((100, Some(1))));
    rig.owners.0.insert(100, "wget");
    let rows = rig.cycle(&[record, stranger]);
    assert_eq!(of(&rows, "wget"), Some((0, Some(1))));
    assert_eq!(of(&rows, "unknown").map(|row| row.0), Some(100));
    let rows = rig.cycle(&[ended(record), ended(stranger)]);
    assert_eq!(
        (rig.table.tracked(), rows.iter().any(|row| row.live)),
        (0, false)
    );
}
