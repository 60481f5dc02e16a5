//! Lives: each event once, whatever order records come in, and under the right owner.

use super::*;
use crate::model::{
    AbortCause, CloseReason, ConnectError, FailureKey, FailureRow, ServiceKey, ServiceRow,
};

const NGINX: u32 = 7;
const PHP: u32 = 8;

/// An outbound connection of nginx whose handshake took 3 ms.
fn newborn(rig: &Rig, id: u64) -> SockRecord {
    let born_ns = rig.born();
    SockRecord {
        born_ns,
        established_ns: born_ns + 3_000_000,
        owner_tgid: NGINX,
        owner_start_ns: 5,
        ..socket(id)
    }
}

fn closed(record: SockRecord, old_state: u8) -> SockRecord {
    SockRecord {
        old_state,
        ended_ns: record.established_ns + 200_000_000,
        flags: hostlens_ebpf::wire::SockFlags::ACCEPTED,
        ..ended(record)
    }
}

fn rig() -> Rig {
    let mut rig = Rig::new(10);
    rig.owners.0.extend([(NGINX, "nginx"), (PHP, "php")]);
    rig.cycle(&[]);
    rig
}

impl Rig {
    fn services(&mut self, records: &[SockRecord]) -> Vec<ServiceRow> {
        self.cycle(records);
        self.table.services(self.sequence, self.gate)
    }

    fn failures(&mut self, records: &[SockRecord]) -> Vec<FailureRow> {
        self.cycle(records);
        self.table.failures(self.sequence, self.gate)
    }
}

fn outbound(process: &str) -> ServiceKey {
    ServiceKey::Service {
        direction: Direction::Outbound,
        owner: match process {
            "unknown" => Owner::unknown(),
            process => owner(process),
        },
        port: 5432,
    }
}

fn find_service<'a>(rows: &'a [ServiceRow], process: &str) -> Option<&'a ServiceRow> {
    rows.iter().find(|row| row.key == outbound(process))
}

fn service<'a>(rows: &'a [ServiceRow], process: &str) -> &'a ServiceRow {
    find_service(rows, process).unwrap()
}

/// Opened, all ends, connections now.
fn counts(row: &ServiceRow) -> (u64, u64, u64) {
    (
        row.opened,
        row.closed.unwrap().iter().sum(),
        row.connections,
    )
}

#[test]
fn a_life_seen_by_walks_and_a_final_record_counts_once() {
    let mut rig = rig();
    let record = newborn(&rig, 1);
    let dialling = SockRecord {
        state: tcp_state::SYN_SENT,
        established_ns: 0,
        ..record
    };
    assert!(rig.services(&[dialling]).is_empty(), "not yet opened");
    let rows = rig.services(&[record, record]);
    let row = service(&rows, "nginx");
    assert_eq!((counts(row), row.live), ((1, 0, 1), true));
    assert_eq!(row.connect.as_ref().unwrap().sum_ns(), 3_000_000);
    let last = closed(record, tcp_state::LAST_ACK);
    let rows = rig.services(&[record, last, last, record]);
    let row = service(&rows, "nginx");
    assert_eq!((counts(row), row.live), ((1, 1, 0), false));
    assert_eq!(row.closed.unwrap()[CloseReason::Closed as usize], 1);
    let lifetime = row.lifetime.as_ref().unwrap();
    assert_eq!((lifetime.count(), lifetime.sum_ns()), (1, 200_000_000));
    let rows = rig.services(&[record]);
    assert_eq!(counts(service(&rows, "nginx")), (1, 1, 0));
}

#[test]
fn a_life_between_two_walks_is_opened_and_ended() {
    let mut rig = rig();
    let record = newborn(&rig, 1);
    let rows = rig.services(&[closed(record, tcp_state::FIN_WAIT2)]);
    let row = service(&rows, "nginx");
    assert_eq!(counts(row), (1, 1, 0));
    assert_eq!(row.connect.as_ref().unwrap().count(), 1);
    assert_eq!(row.rates.lifetime_median.map(|s| s.round()), Some(0.0));
    // Dialled in one walk, over before the next.
    let second = SockRecord {
        state: tcp_state::SYN_SENT,
        established_ns: 0,
        ..newborn(&rig, 2)
    };
    rig.services(&[second]);
    let second = SockRecord {
        established_ns: second.born_ns + 1,
        ..second
    };
    let rows = rig.services(&[closed(second, tcp_state::FIN_WAIT2)]);
    assert_eq!(counts(service(&rows, "nginx")), (2, 2, 0));
}

#[test]
fn an_older_connection_was_not_opened_now_but_ends_now() {
    let mut rig = rig();
    let old = SockRecord {
        owner_tgid: NGINX,
        ..socket(1)
    };
    let rows = rig.services(&[old]);
    assert_eq!(counts(service(&rows, "nginx")), (0, 0, 1));
    let rows = rig.services(&[closed(old, tcp_state::LAST_ACK)]);
    let row = service(&rows, "nginx");
    assert_eq!(counts(row), (0, 1, 0));
    assert_eq!(row.lifetime.as_ref().unwrap().count(), 0, "age unknown");
    // Found only by its end.
    let rows = rig.services(&[closed(SockRecord { id: 2, ..old }, tcp_state::LAST_ACK)]);
    assert_eq!(counts(service(&rows, "nginx")), (0, 2, 0));
}

#[test]
fn what_is_lost_at_the_end_is_told_by_bytes_and_cause() {
    let mut rig = rig();
    let aborted = SockRecord {
        unread: 65_536,
        ..closed(newborn(&rig, 1), tcp_state::ESTABLISHED)
    };
    let killed = SockRecord {
        error: 110,
        unacked: 100_000,
        ..closed(newborn(&rig, 2), tcp_state::FIN_WAIT1)
    };
    let clean = SockRecord {
        unacked: 1,
        ..closed(newborn(&rig, 3), tcp_state::LAST_ACK)
    };
    let reset = SockRecord {
        error: 104,
        ..closed(newborn(&rig, 4), tcp_state::ESTABLISHED)
    };
    let later = SockRecord {
        kind: SockKind::Unread as u8,
        unread: 9,
        ..reset
    };
    let rows = rig.services(&[aborted, killed, clean, reset, later]);
    let row = service(&rows, "nginx");
    assert_eq!(row.unread_bytes, Some(65_545));
    assert_eq!(row.unacked_bytes, Some(100_000));
    assert_eq!(row.closed, Some([1, 1, 0, 1, 1]));
    let aborted = row.aborted.unwrap();
    assert_eq!(aborted[AbortCause::Unread as usize], 1);
    assert_eq!(aborted[AbortCause::Timeout as usize], 1);
}

#[test]
fn an_owner_is_waited_for_and_then_unknown() {
    let mut rig = rig();
    let record = SockRecord {
        owner_tgid: 99,
        ..newborn(&rig, 1)
    };
    let short = closed(SockRecord { id: 2, ..record }, tcp_state::LAST_ACK);
    assert!(rig.services(&[record, short]).is_empty());
    rig.owners.0.insert(99, "curl");
    rig.table.resolve(&rig.owners);
    let rows = rig.table.services(rig.sequence, rig.gate);
    assert_eq!(counts(service(&rows, "curl")), (2, 1, 1));
    assert!(rig.table.waiting_lives.is_empty());

    let record = SockRecord {
        id: 3,
        owner_tgid: 100,
        ..newborn(&rig, 3)
    };
    let short = closed(SockRecord { id: 4, ..record }, tcp_state::LAST_ACK);
    let rows = rig.services(&[record, short]);
    assert!(find_service(&rows, "unknown").is_none());
    let rows = rig.services(&[record]);
    assert_eq!(counts(service(&rows, "unknown")), (2, 1, 1));
    assert!(rig.table.waiting_lives.is_empty());
    let lost = rig.table.lost_detail();
    assert_eq!(
        lost.iter()
            .find(|lost| lost.what == "tcp_owner")
            .unwrap()
            .count,
        2
    );
    // Named after all: the connection moves, what was counted stays.
    rig.owners.0.insert(100, "wget");
    let rows = rig.services(&[record]);
    assert_eq!(counts(service(&rows, "unknown")), (2, 1, 0));
    assert_eq!(counts(service(&rows, "wget")), (0, 0, 1));
}

#[test]
fn a_process_that_exits_leaves_its_name_to_its_socket() {
    let mut rig = rig();
    let record = newborn(&rig, 1);
    rig.services(&[record]);
    rig.owners.0.remove(&NGINX);
    let rows = rig.services(&[record]);
    assert_eq!(service(&rows, "nginx").connections, 1);
    let rows = rig.services(&[closed(record, tcp_state::FIN_WAIT2)]);
    assert_eq!(counts(service(&rows, "nginx")), (1, 1, 0));
}

#[test]
fn the_first_read_moves_a_connection_to_its_reader() {
    let mut rig = rig();
    let record = newborn(&rig, 1);
    rig.services(&[record]);
    let read = SockRecord {
        owner_tgid: PHP,
        ..record
    };
    let rows = rig.services(&[read]);
    assert_eq!(counts(service(&rows, "nginx")), (1, 0, 0));
    assert_eq!(counts(service(&rows, "php")), (0, 0, 1));
    let details = rig.table.connections();
    assert_eq!(details[0].owner, Some(owner("php")));
    assert_eq!(details[0].pid, Some(PHP));
    // Handed on once more, known only from its last record.
    let back = closed(record, tcp_state::LAST_ACK);
    let rows = rig.services(&[back]);
    assert_eq!(counts(service(&rows, "nginx")), (1, 1, 0));
    assert_eq!(counts(service(&rows, "php")), (0, 0, 0));
}

#[test]
fn execve_and_setuid_take_connections_along() {
    let mut rig = rig();
    let record = newborn(&rig, 1);
    rig.services(&[record]);
    rig.owners.0.insert(NGINX, "nginx-new");
    let rows = rig.services(&[record]);
    assert_eq!(counts(service(&rows, "nginx")), (1, 0, 0));
    assert_eq!(counts(service(&rows, "nginx-new")), (0, 0, 1));
}

#[test]
fn an_inbound_connection_of_unknown_direction_finds_its_listener_in_the_end() {
    let mut rig = rig();
    let old = SockRecord {
        local_port: 80,
        remote_port: 50_000,
        direction: 0,
        owner_tgid: NGINX,
        ..socket(1)
    };
    let listener = SockRecord {
        local_port: 80,
        remote_port: 0,
        remote_addr: [0; 16],
        state: tcp_state::LISTEN,
        ..socket(9)
    };
    let unseen = closed(SockRecord { id: 2, ..old }, tcp_state::LAST_ACK);
    let rows = rig.services(&[old, unseen, listener]);
    let key = ServiceKey::Service {
        direction: Direction::Inbound,
        owner: owner("nginx"),
        port: 80,
    };
    let row = rows.iter().find(|row| row.key == key).unwrap();
    assert_eq!((rows.len(), counts(row)), (1, (0, 1, 1)));
}

#[test]
fn a_final_record_that_never_came_leaves_no_connection_behind() {
    let mut rig = rig();
    rig.services(&[newborn(&rig, 1)]);
    rig.services(&[]);
    let rows = rig.services(&[]);
    assert_eq!(counts(service(&rows, "nginx")), (1, 0, 0));
}

#[test]
fn a_failed_attempt_counts_once_under_its_error_and_owner() {
    let mut rig = rig();
    let dialling = SockRecord {
        state: tcp_state::SYN_SENT,
        established_ns: 0,
        ..newborn(&rig, 1)
    };
    rig.cycle(&[dialling]);
    let failed = SockRecord {
        kind: SockKind::Failed as u8,
        state: tcp_state::CLOSE,
        old_state: tcp_state::SYN_SENT,
        error: 111,
        ..dialling
    };
    let by_peer = SockRecord {
        id: 2,
        old_state: tcp_state::SYN_RECV,
        direction: Direction::Inbound as u8,
        ..failed
    };
    let stranger = SockRecord {
        id: 3,
        owner_tgid: 0,
        error: 110,
        ..failed
    };
    let rows = rig.failures(&[failed, failed, by_peer, stranger, dialling]);
    let key = |owner, error| FailureKey::Attempt {
        owner,
        remote: Remote::Ip(ip("10.0.0.9")),
        remote_port: 5432,
        error,
    };
    let mut shown: Vec<_> = rows.iter().map(|row| (&row.key, row.failures)).collect();
    shown.sort();
    let mut wanted = [
        (&key(owner("nginx"), ConnectError::Refused), 1),
        (&key(Owner::unknown(), ConnectError::Timeout), 1),
    ];
    wanted.sort();
    assert_eq!(shown, wanted);
    assert_eq!(rig.table.tracked(), 0);
    // An attempt of somebody who cannot be named yet waits.
    let pending = SockRecord {
        id: 4,
        owner_tgid: 55,
        ..failed
    };
    assert_eq!(rig.failures(&[pending]).len(), 2);
    rig.owners.0.insert(55, "curl");
    let rows = rig.failures(&[]);
    let curl = key(owner("curl"), ConnectError::Refused);
    assert!(rows.iter().any(|row| row.key == curl && row.failures == 1));
}

#[test]
fn a_polled_source_tells_what_is_new_and_nothing_of_ends() {
    let mut rig = rig();
    rig.table = TcpTable::new(TcpConfig {
        ends: false,
        ..config(10)
    });
    let old = |id| SockRecord {
        owner_tgid: NGINX,
        ..socket(id)
    };
    let rows = rig.services(&[old(1), old(2)]);
    let row = service(&rows, "nginx");
    assert_eq!((row.opened, row.connections), (0, 2), "there before us");
    assert!(row.closed.is_none() && row.aborted.is_none() && row.lifetime.is_none());
    assert!(row.unread_bytes.is_none() && row.unacked_bytes.is_none() && row.connect.is_none());
    let elsewhere = SockRecord { netns: 2, ..old(3) };
    let rows = rig.services(&[old(1), old(2), elsewhere, old(4)]);
    let row = service(&rows, "nginx");
    assert_eq!(
        (row.opened, row.connections),
        (1, 4),
        "a namespace not read before"
    );
    let rows = rig.services(&[old(1), elsewhere, SockRecord { netns: 2, ..old(5) }]);
    assert_eq!(service(&rows, "nginx").opened, 2);
    rig.services(&[old(1)]);
    let rows = rig.services(&[old(1)]);
    assert_eq!(service(&rows, "nginx").connections, 1);
}

#[test]
fn an_owner_that_a_poll_finds_late_is_given_what_it_opened() {
    let mut rig = rig();
    let nobody = SockRecord {
        owner_tgid: 0,
        ..newborn(&rig, 1)
    };
    assert!(rig.services(&[nobody]).is_empty());
    let rows = rig.services(&[SockRecord {
        owner_tgid: NGINX,
        ..nobody
    }]);
    assert_eq!(
        (rows.len(), counts(service(&rows, "nginx"))),
        (1, (1, 0, 1))
    );
}

/// A connection is accepted once, whether a walk or its end is the first to show who read from it;
/// one that was there before is left out.
#[test]
fn an_accept_is_told_once() {
    let mut rig = Rig::new(100);
    let inbound = |id: u64, born_ns| SockRecord {
        born_ns,
        direction: Direction::Inbound as u8,
        listener: 5,
        owner_tgid: 7,
        ..socket(id)
    };
    let read = |record: SockRecord| SockRecord {
        flags: hostlens_ebpf::wire::SockFlags::OWNER_READ,
        ..record
    };
    let old = inbound(1, 0);
    rig.cycle(&[old]);
    let young = inbound(2, rig.born());
    rig.cycle(&[read(old), young]);
    assert_eq!(rig.table.accepts().count(), 0);
    rig.cycle(&[read(old), read(young)]);
    assert_eq!(rig.table.accepts().count(), 1);
    let short = inbound(3, rig.born());
    rig.table.socket(&ended(read(young)));
    rig.table.socket(&ended(read(short)));
    assert_eq!(rig.table.accepts().count(), 1);
}
