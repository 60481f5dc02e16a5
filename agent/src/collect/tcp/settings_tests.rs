#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{super::foreign::ForeignNamespace, super::netns::within, *};

#[test]
fn reserved_ports_count_only_inside_the_range() {
    for (reserved, ports) in [
        ("\n", 28_232),
        ("8080\n", 28_232),
        ("32768\n", 28_231),
        ("60999,61000-65535\n", 28_231),
        ("1-65535\n", 0),
        ("32000-32999,40000-40010,50000\n", 28_232 - 232 - 11 - 1),
        // Twice is once.
        ("40000-40010,40005-40020,40007", 28_232 - 21),
        ("40010-40000", 28_232),
    ] {
        assert_eq!(
            ephemeral(b"32768\t60999\n", reserved.as_bytes()),
            Some(ports),
            "{reserved:?}"
        );
    }
    assert_eq!(ephemeral(b"0 65535", b""), Some(65_536));
    assert_eq!(ephemeral(b"1024 1024", b""), Some(1));
}

#[test]
fn what_makes_no_sense_is_absent() {
    for range in [
        "",
        "32768",
        "32768 x",
        "60999 32768",
        "1 2 3",
        "1 65536",
        "-1 5",
    ] {
        assert_eq!(ephemeral(range.as_bytes(), b"\n"), None, "{range:?}");
    }
    for reserved in ["a", "1-", "-", "1-2-3", "70000", "\u{fe}"] {
        assert_eq!(ephemeral(b"1 9", reserved.as_bytes()), None, "{reserved:?}");
    }
    assert_eq!(number(b"4096\n"), Some(4096));
    assert_eq!(number(b""), None);
    assert_eq!(number(b"4096 1"), None);
    assert_eq!(number(b"\xff"), None);
    let nowhere = NetSettings::below(Path::new("/nonexistent"));
    assert_eq!(nowhere, NetSettings::default());
}

#[test]
fn our_own_are_read_and_kept_for_a_minute() {
    let own = [Namespace::own().unwrap()];
    let mut cache = SettingsCache::default();
    assert_eq!(cache.of(own[0].inode), NetSettings::default());
    let at = Moment::now();
    cache.refresh(&own, at);
    let settings = cache.of(own[0].inode);
    assert!(settings.somaxconn.unwrap() > 0);
    assert!(settings.abort_on_overflow.is_some());
    assert!(settings.ephemeral_ports.unwrap() <= 65_536);
    // Kept while it is good, and read again afterwards.
    cache.proc = "/nonexistent".into();
    cache.refresh(&own, at.plus(GOOD_FOR - Duration::from_secs(1)));
    assert_eq!(cache.of(own[0].inode), settings);
    cache.refresh(&own, at.plus(GOOD_FOR));
    assert_eq!(cache.of(own[0].inode), NetSettings::default());
    cache.refresh(&[], at);
    assert!(cache.known.is_empty());
}

#[test]
fn each_namespace_has_its_own() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let namespace = foreign.namespace();
    within(&namespace, || {
        std::fs::write("/proc/sys/net/core/somaxconn", "77").unwrap();
        std::fs::write("/proc/sys/net/ipv4/tcp_abort_on_overflow", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "20000 20099").unwrap();
        std::fs::write("/proc/sys/net/ipv4/ip_local_reserved_ports", "20090-20200").unwrap();
    })
    .unwrap();
    let mut cache = SettingsCache::default();
    cache.refresh(
        &[Namespace::own().unwrap(), namespace.clone()],
        Moment::now(),
    );
    assert_eq!(
        cache.of(namespace.inode),
        NetSettings {
            somaxconn: Some(77),
            abort_on_overflow: Some(true),
            ephemeral_ports: Some(90),
        }
    );
    assert_ne!(
        cache.of(Namespace::own().unwrap().inode).somaxconn,
        Some(77)
    );
}

#[test]
fn more_namespaces_than_one_refresh_enters_get_their_turn() {
    // None of them exists: each is tried once, and counts as read.
    let namespaces: Vec<Namespace> = (1..=MOST_ENTERED as u32 + 10)
        .map(|inode| Namespace::of_pid(inode, u32::MAX))
        .collect();
    let mut cache = SettingsCache::default();
    let at = Moment::now();
    cache.refresh(&namespaces, at);
    assert_eq!(cache.known.len(), MOST_ENTERED);
    cache.refresh(&namespaces, at);
    assert_eq!(cache.known.len(), namespaces.len());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        range in proptest::collection::vec(any::<u8>(), 0..20),
        reserved in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let _ = ephemeral(&range, &reserved);
        let _ = ephemeral(b"1 65535", &reserved);
        let _ = number(&range);
    }

    #[test]
    fn no_list_reserves_more_than_there_is(
        low in any::<u16>(), high in any::<u16>(),
        list in proptest::collection::vec((any::<u16>(), any::<u16>()), 0..20),
    ) {
        let text: Vec<String> = list.iter().map(|(from, to)| format!("{from}-{to}")).collect();
        let left = ephemeral(format!("{low}\t{high}\n").as_bytes(), text.join(",").as_bytes());
        let inside = |port: &u16| !list.iter().any(|(from, to)| (from..=to).contains(&port));
        let expected = (low <= high).then(|| (low..=high).filter(inside).count() as u64);
        prop_assert_eq!(left, expected);
    }
}
