#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use hostlens_ebpf::wire::{RefusedKey, UNKNOWN_U64};

use super::{
    super::{diag::tests::octets, foreign::ForeignNamespace, netns::within},
    *,
};

const ENOUGH: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Seen(Vec<ListenRecord>);

impl DoorSink for Seen {
    fn listener(&mut self, record: &ListenRecord) {
        self.0.push(*record);
    }
    fn refused(&mut self, _: &RefusedKey, _: u64) {}
    fn refused_elsewhere(&mut self, _: u64) {}
}

impl Seen {
    fn at(&self, address: SocketAddr) -> Vec<ListenRecord> {
        let here = |record: &&ListenRecord| {
            record.local_addr == octets(address) && record.local_port == address.port()
        };
        self.0.iter().filter(here).copied().collect()
    }
}

fn poll(
    listeners: &mut ListenerPoll,
    owners: &mut SocketOwners,
    namespaces: &[Namespace],
) -> (Seen, PollOutcome) {
    let mut seen = Seen::default();
    let outcome = listeners.poll(namespaces, owners, &mut seen);
    assert_eq!(outcome.malformed, 0);
    assert_eq!(outcome.listeners, seen.0.len() as u64);
    (seen, outcome)
}

#[test]
fn a_listener_of_ours_from_birth_to_end() {
    let own = [Namespace::own().unwrap()];
    let mut listeners = ListenerPoll::new(ENOUGH);
    let mut owners = SocketOwners::default();
    let older = TcpListener::bind("127.0.0.1:0").unwrap();
    let (seen, outcome) = poll(&mut listeners, &mut owners, &own);
    assert_eq!((outcome.polled, outcome.errors.len()), (1, 0));
    assert_eq!(seen.at(older.local_addr().unwrap())[0].born_ns, 0);

    let before = Moment::now().mono_ns;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
    poll(&mut listeners, &mut owners, &own);
    owners.begin_cycle();
    let (seen, _) = poll(&mut listeners, &mut owners, &own);
    assert_eq!(seen.at(address)[0].owner_tgid, 0);
    owners.search(ENOUGH);
    let (seen, _) = poll(&mut listeners, &mut owners, &own);
    let [record] = seen.at(address)[..] else {
        unreachable!("{:?}", seen.at(address));
    };
    assert!(record.born_ns > before);
    assert_eq!((record.queue, record.high_water), (3, 3));
    assert!(record.limit >= 3);
    assert_eq!((record.drops, record.ended, record.v6), (0, 0, 0));
    assert_eq!(record.owner_tgid, std::process::id());
    assert!(record.owner_start_ns > 0 && record.inode > 0);
    assert_eq!(record.netns, own[0].inode);
    let unknown = (record.established, record.resets, record.oldest_wait_ns);
    assert_eq!(unknown, (UNKNOWN_U64, UNKNOWN_U64, UNKNOWN_U64));
    // SAFETY: no more than a system call without arguments.
    assert_eq!(record.uid, unsafe { libc::geteuid() });
    assert_eq!(listeners.degraded(), None);

    drop((listener, clients));
    poll(&mut listeners, &mut owners, &own);
    let (seen, _) = poll(&mut listeners, &mut owners, &own);
    let [last] = seen.at(address)[..] else {
        unreachable!("{:?}", seen.at(address));
    };
    assert_eq!((last.id, last.ended, last.queue), (record.id, 1, 0));
}

#[test]
fn a_dual_stack_listener_is_told_once() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
        eprintln!("skipped: no IPv6 here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let mut listeners = ListenerPoll::new(ENOUGH);
    let own = [Namespace::own().unwrap()];
    let (seen, _) = poll(&mut listeners, &mut SocketOwners::default(), &own);
    let told: Vec<_> = seen
        .0
        .iter()
        .filter(|record| record.local_port == port)
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].local_addr, told[0].v6), ([0; 16], 1));
}

/// `ss -ltnH`: how many listeners have this port, queue and limit.
fn shown_by_ss() -> BTreeMap<(u16, u32, u32), usize> {
    let output = Command::new("ss").arg("-ltnH").output().unwrap();
    let mut shown = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = words[3].rsplit(':').next().unwrap().parse().unwrap();
        let key = (port, words[1].parse().unwrap(), words[2].parse().unwrap());
        *shown.entry(key).or_default() += 1;
    }
    shown
}

fn shown_by_us(seen: &Seen) -> BTreeMap<(u16, u32, u32), usize> {
    let mut shown = BTreeMap::new();
    for record in &seen.0 {
        let key = (record.local_port, record.queue, record.limit);
        *shown.entry(key).or_default() += 1;
    }
    shown
}

#[test]
fn other_namespaces_show_what_ss_shows_there() {
    let (Some(first), Some(second)) = (ForeignNamespace::new(), ForeignNamespace::new()) else {
        return;
    };
    if Command::new("ss").arg("-V").output().is_err() {
        eprintln!("skipped: no ss");
        return;
    }
    let namespaces = [first.namespace(), second.namespace()];
    let mut listeners = ListenerPoll::new(ENOUGH);
    let mut owners = SocketOwners::default();
    poll(&mut listeners, &mut owners, &namespaces);
    for (namespace, count) in namespaces.iter().zip([3, 40]) {
        let (held, shown) = within(namespace, || {
            let held: Vec<_> = (0..count)
                .map(|number| {
                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    let address = listener.local_addr().unwrap();
                    let clients = (0..number % 4).map(|_| TcpStream::connect(address).unwrap());
                    let clients: Vec<_> = clients.collect();
                    (listener, clients)
                })
                .collect();
            (held, shown_by_ss())
        })
        .unwrap();
        let (seen, outcome) = poll(&mut listeners, &mut owners, &namespaces);
        assert_eq!((outcome.polled, outcome.errors.len()), (2, 0));
        assert_eq!(held.len(), count);
        assert_eq!(shown.len(), count);
        assert_eq!(shown_by_us(&seen), shown);
        assert!(seen.0.iter().all(|record| record.netns == namespace.inode));
        drop(held);
        // Two polls to be sure that they are gone, and told once more in the second.
        for _ in 0..2 {
            poll(&mut listeners, &mut owners, &namespaces);
        }
    }
}

#[test]
fn drops_are_the_listener_s_own() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let namespace = foreign.namespace();
    let listener = within(&namespace, || TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    // Two wait where one may (a limit of 1 holds 2), the next SYN is dropped.
    rustix::net::listen(&listener, 1).unwrap();
    let _clients = within(&namespace, || {
        let clients = [0; 2].map(|_| TcpStream::connect(address).unwrap());
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert!(late.is_err());
        clients
    })
    .unwrap();
    let mut listeners = ListenerPoll::new(ENOUGH);
    let (seen, _) = poll(&mut listeners, &mut SocketOwners::default(), &[namespace]);
    let record = seen.at(address)[0];
    assert_eq!((record.queue, record.limit), (2, 1));
    assert_eq!(record.drops, 1);
}

#[test]
fn a_spent_budget_polls_our_own_and_takes_turns_elsewhere() {
    let (Some(first), Some(second)) = (ForeignNamespace::new(), ForeignNamespace::new()) else {
        return;
    };
    let namespaces = [
        Namespace::own().unwrap(),
        first.namespace(),
        second.namespace(),
    ];
    let mut listeners = ListenerPoll::new(Duration::ZERO);
    let mut owners = SocketOwners::default();
    for _ in 0..3 {
        let (_, outcome) = poll(&mut listeners, &mut owners, &namespaces);
        assert_eq!((outcome.polled, outcome.namespaces), (1, 3));
    }
    let why = listeners.degraded().unwrap();
    assert!(
        why.contains("polled in turn, each in one poll of 4"),
        "{why}"
    );
    listeners.budget = ENOUGH;
    let inside = within(&namespaces[1], || TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    poll(&mut listeners, &mut owners, &namespaces);
    assert_eq!(listeners.degraded(), None);
    // One whose turn it is not shows what it showed.
    listeners.budget = Duration::ZERO;
    let (seen, outcome) = poll(&mut listeners, &mut owners, &namespaces);
    assert_eq!((outcome.polled, outcome.own()), (1, Ok(())));
    let shown = seen.at(inside.local_addr().unwrap());
    assert_eq!((shown.len(), shown[0].netns), (1, namespaces[1].inode));
}

/// Descriptors of ours that are netlink sockets of other namespaces cannot be told by their links;
/// whether a namespace lives on can: by a device in it that the kernel removes at its end.
#[test]
fn a_namespace_is_not_kept_alive_beyond_the_next_poll() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let namespace = foreign.namespace();
    let held = within(&namespace, || TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let all = [Namespace::own().unwrap(), namespace.clone()];
    let mut listeners = ListenerPoll::new(ENOUGH);
    let mut owners = SocketOwners::default();
    poll(&mut listeners, &mut owners, &all);
    assert!(listeners.known[&namespace.inode].socket.is_some());
    drop(foreign);
    // Though the finder has not yet said so.
    let (seen, outcome) = poll(&mut listeners, &mut owners, &all);
    assert_eq!((outcome.polled, outcome.errors.len()), (1, 0));
    assert!(listeners.known[&namespace.inode].socket.is_none());
    let ended = seen.at(held.local_addr().unwrap());
    assert!(ended.iter().any(|record| record.ended == 1));
    assert_eq!(listeners.degraded(), None);
    // Nobody is looked for again and again.
    assert_eq!(listeners.order(&all).len(), 1);
    poll(&mut listeners, &mut owners, &all[..1]);
    assert_eq!(listeners.known.len(), 1);
}

/// Prints what a poll of many listeners takes; the number is for people.
#[test]
fn a_thousand_listeners() {
    let Some(foreign) = ForeignNamespace::new() else {
        return;
    };
    let namespace = foreign.namespace();
    let count = 1000.min(usize::try_from(open_files() / 2).unwrap());
    let held = within(&namespace, || -> Vec<TcpListener> {
        (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect()
    })
    .unwrap();
    let mut listeners = ListenerPoll::new(ENOUGH);
    let mut owners = SocketOwners::default();
    let all = [namespace];
    let mut fastest = ENOUGH;
    for _ in 0..20 {
        let start = Instant::now();
        let (seen, _) = poll(&mut listeners, &mut owners, &all);
        fastest = fastest.min(start.elapsed());
        assert_eq!(seen.0.len(), held.len());
    }
    eprintln!("{count} listeners: {fastest:?} per poll, fastest of 20");
    owners.begin_cycle();
    poll(&mut listeners, &mut owners, &all);
    let start = Instant::now();
    owners.search(ENOUGH);
    eprintln!("owners of {count} sockets: {:?}", start.elapsed());
    let (seen, _) = poll(&mut listeners, &mut owners, &all);
    assert!(seen.0.iter().all(|it| it.owner_tgid == std::process::id()));
}

fn open_files() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}
