//! Who listens where, for those who ask.

use std::net::IpAddr;

use hostlens_ebpf::wire::ListenRecord;

use super::{Host, mapped, owner};
use crate::{aggregate::Listeners, model::ListenerKey};

fn asked(host: &Host, netns: u32, ip: &str, port: u16) -> Option<ListenerKey> {
    host.table.listener(netns, ip.parse().unwrap(), port)
}

#[test]
fn a_listener_is_told_by_where_it_is_bound_once_its_owner_is_known() {
    let mut host = Host::new();
    let any = host.newborn(1, 80);
    let one = ListenRecord {
        local_addr: mapped("10.0.0.1"),
        owner_tgid: 20,
        ..host.newborn(2, 80)
    };
    host.poll(&[any, one]);
    assert_eq!(asked(&host, 1, "0.0.0.0", 80), None, "nobody told whose");
    let rows = host.cycle(&mut [any, one]);
    let bound = |ip: &str, name| ListenerKey::Bound {
        ip: ip.parse::<IpAddr>().unwrap(),
        port: 80,
        owner: owner(name),
    };
    assert_eq!(
        asked(&host, 1, "0.0.0.0", 80),
        Some(bound("0.0.0.0", "web"))
    );
    assert_eq!(
        asked(&host, 1, "10.0.0.1", 80),
        Some(bound("10.0.0.1", "db"))
    );
    assert_eq!(asked(&host, 1, "0.0.0.0", 81), None);
    assert_eq!(asked(&host, 2, "0.0.0.0", 80), None);
    let told = asked(&host, 1, "10.0.0.1", 80).unwrap();
    assert!(rows.iter().any(|row| row.key == told), "the same row");

    // Its last answers are told of when it has gone.
    host.poll(&[any, ListenRecord { ended: 1, ..one }]);
    host.cycle(&mut [any]);
    assert_eq!(asked(&host, 1, "10.0.0.1", 80), Some(told));
}
