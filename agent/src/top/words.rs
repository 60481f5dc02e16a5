//! What a line means, in words: what happens, and what to do about it.

mod limit;
mod response;

use std::fmt::Write;

use crate::model::{
    AbortCause, CloseReason, ConnectError, DnsRow, FailureKey, FailureRow, FilesystemRow, Heaviest,
    ListenerRow, PortUseRow, RefusedKey, RefusedRow, ServiceRow, Snapshot, UpstreamRow,
};

use super::{
    answers,
    columns::View,
    human::{self, Unit, bytes, latency},
    item::Item,
    value::{Value, printable},
    words_disk,
};

pub use response::excluded;

/// Whether lines of this view have something to say.
pub fn spoken(view: View, snapshot: &Snapshot) -> bool {
    match view {
        View::Processes | View::Connections | View::Jobs => false,
        View::Peers => answers::watched(snapshot),
        _ => true,
    }
}

/// The words for a line; `None` where its cells say it all.
pub fn of(item: Item<'_>, snapshot: &Snapshot) -> Option<String> {
    match item {
        Item::Peer(_, answer) | Item::Answers(_, answer) => response::peer(&answer),
        Item::Listener(row, turns) => {
            // What was asked for comes first.
            let words = format!("{} {}", response::listener(&turns), listener(row, snapshot));
            Some(words.trim_start().to_owned())
        }
        Item::Turns(_, turns) => Some(response::listener(&turns)),
        Item::Refused(row) => refused(row),
        Item::Service(row) => Some(service(row)),
        Item::Failure(row) => failure(row),
        Item::Upstream(row) => upstream(row),
        Item::Ports(row) => ports(row),
        Item::Dns(row) => names(row),
        Item::Disk(row) => words_disk::disk(row),
        Item::DiskUser(row) => words_disk::user(row),
        Item::Filesystem(row) => filesystem(row),
        Item::Limit(row) => Some(limit::words(row, snapshot)),
        _ => None,
    }
}

fn listener(row: &ListenerRow, snapshot: &Snapshot) -> String {
    if let Some(saturation) = &row.saturation {
        let netns = match row.sockets {
            0 | 1 => String::new(),
            sockets => format!(" (of {sockets} sockets, in netns {})", saturation.netns),
        };
        return format!(
            "{}{netns}. {}.",
            saturation.what.trim_end_matches('.'),
            saturation.advice.trim_end_matches('.')
        );
    }
    if !row.live {
        return "Nobody listens here any more.".into();
    }
    let mut words = String::from(if row.judged {
        "Keeps up"
    } else {
        "No verdict: its source does not look often enough"
    });
    let (high, limit) = (row.high_water, row.queue_limit);
    // Writing to a String cannot fail.
    let _ = write!(
        words,
        "; at most {high} of {limit} waited in the last minute"
    );
    if let Some(most) = row.somaxconn {
        let _ = write!(words, " (somaxconn {most})");
    }
    words.push('.');
    words.push_str(match snapshot.listen_settings.abort_on_overflow {
        Some(true) => " A full queue would answer with resets (tcp_abort_on_overflow).",
        Some(false) => " A full queue would drop requests: clients try again after 1 s, 3 s, 7 s.",
        None => "",
    });
    words
}

fn refused(row: &RefusedRow) -> Option<String> {
    let RefusedKey::Port { ip, port, last } = &row.key else {
        return None;
    };
    let place = Value::Address(*ip, Some(*port));
    let mut words = format!(
        "Nobody listens on {}: clients are refused (ECONNREFUSED), {} times so far.",
        place.show(Unit::Text),
        row.refused
    );
    if let Some(last) = last {
        let who = printable(&last.process);
        let user = printable(&last.user);
        let _ = match row.gone_seconds {
            Some(gone) => write!(words, " {who} ({user}) did until {} ago.", ago(gone)),
            None => write!(words, " {who} ({user}) did last."),
        };
    }
    Some(words)
}

fn service(row: &ServiceRow) -> String {
    let mut words = String::new();
    if row.rates.storm {
        let opened = human::format(row.rates.opened, Unit::PerSecond);
        let _ = write!(
            words,
            "Reconnect storm: {opened} connections opened a second"
        );
        if let Some(life) = row.rates.lifetime_median {
            let _ = write!(words, ", half of them live less than {}", latency(life));
        }
        words.push_str(". ");
    }
    words.push_str(&losses(row));
    let Some(closed) = row.closed else {
        words.push_str("How its connections end is not seen without kernel programs.");
        return words;
    };
    let ends = CloseReason::ALL.iter().zip(closed);
    let ends = ends.filter(|(_, count)| *count > 0);
    let ends: Vec<_> = ends
        .map(|(reason, count)| format!("{} {count}", reason.name()))
        .collect();
    if ends.is_empty() {
        words.push_str("None ended so far.");
        return words;
    }
    let _ = write!(words, "Ended: {}", ends.join(", "));
    let aborted = row.aborted.unwrap_or_default();
    let causes = AbortCause::ALL.iter().zip(aborted);
    let causes = causes.filter(|(_, count)| *count > 0);
    let causes: Vec<_> = causes
        .map(|(cause, count)| format!("{} {count}", cause.name()))
        .collect();
    if !causes.is_empty() {
        let _ = write!(words, "; cut off: {}", causes.join(", "));
    }
    words.push('.');
    words
}

/// `Lost so far: 64.0K unread, 100K unacknowledged. `; nothing if nothing was.
fn losses(row: &ServiceRow) -> String {
    let lost = [
        (row.unread_bytes, "unread"),
        (row.unacked_bytes, "unacknowledged"),
    ];
    let lost = lost.into_iter().filter_map(|(lost, how)| {
        let lost = lost.filter(|&lost| lost > 0)?;
        Some(format!("{} {how}", bytes(lost as f64)))
    });
    let lost: Vec<String> = lost.collect();
    if lost.is_empty() {
        String::new()
    } else {
        format!("Lost so far: {}. ", lost.join(", "))
    }
}

fn failure(row: &FailureRow) -> Option<String> {
    let FailureKey::Attempt { error, .. } = &row.key else {
        return None;
    };
    Some(String::from(match error {
        ConnectError::Refused => {
            "The host answered with a reset: nothing listens on that port, or a rule rejects it."
        }
        ConnectError::Reset => {
            "The peer answered and then reset the handshake: its queue may be full \
             (tcp_abort_on_overflow), or a middlebox cut in."
        }
        ConnectError::Timeout => {
            "No answer at all: the host is down, packets are dropped on the way, or its accept \
             queue is full."
        }
        ConnectError::HostUnreachable => {
            "The last router, or this host, could not find the host (no ARP answer, or ICMP)."
        }
        ConnectError::NetworkUnreachable => "There is no route to that network from here.",
        ConnectError::Aborted => {
            "The application gave up before an answer came: its own timeout is shorter than the \
             handshake."
        }
        ConnectError::AddressNotAvailable => {
            "No free local port, or the address to connect from is not there: see the view of \
             ports."
        }
        ConnectError::PermissionDenied => "A firewall rule or a route on this host forbids it.",
        ConnectError::Other => return None,
    }))
}

fn upstream(row: &UpstreamRow) -> Option<String> {
    let share = |heaviest: Heaviest, of: &str| {
        let peer = Value::Address(heaviest.peer, None);
        let ratio = human::format(heaviest.ratio, Unit::Factor);
        format!(
            "{} had {ratio} times its share of {of}",
            peer.show(Unit::Text)
        )
    };
    let shares = [
        row.by_connections
            .map(|heaviest| share(heaviest, "connections")),
        row.by_bytes.map(|heaviest| share(heaviest, "bytes")),
    ];
    let shares: Vec<_> = shares.into_iter().flatten().collect();
    let peers = row.peers;
    (!shares.is_empty()).then(|| {
        let shares = shares.join(", ");
        format!("Of {peers} peers, over the last minute: {shares}.")
    })
}

fn ports(row: &PortUseRow) -> Option<String> {
    let (_, remote) = row.ends?;
    let remote = Value::Address(remote, Some(row.remote_port));
    let mut words = format!(
        "{} of {} local ports are taken towards {}.",
        row.used,
        row.available,
        remote.show(Unit::Text)
    );
    if row.ratio() >= NEARLY_ALL {
        words.push_str(
            " Soon connect fails (EADDRNOTAVAIL): keep connections open, widen \
             ip_local_port_range, or use more addresses.",
        );
    }
    Some(words)
}

/// Share of ports in use from which one should act.
pub const NEARLY_ALL: f64 = 0.8;

fn names(row: &DnsRow) -> Option<String> {
    let names = row.failing.iter();
    let names: Vec<_> = names
        .map(|failed| format!("{} ({})", printable(&failed.name), failed.outcome))
        .collect();
    (!names.is_empty()).then(|| format!("Failed last: {}.", names.join(", ")))
}

fn filesystem(row: &FilesystemRow) -> Option<String> {
    if row.hung == Some(true) {
        return Some(
            "Does not answer: whoever touches it hangs too. Is its server or device there? If it \
             will not come back: umount -f, or umount -l."
                .into(),
        );
    }
    let room = row.room.filter(|_| !row.read_only)?;
    let mut words = String::new();
    if let (Some(growth), Some(left)) = (row.growth, row.bytes_to_full) {
        let left = human::format(left, Unit::Span);
        let _ = write!(words, "Full in {left} at {} a second. ", bytes(growth));
    }
    if let Some(left) = row.inodes_to_full {
        let left = human::format(left, Unit::Span);
        let _ = write!(words, "No inode left in {left}: many small files. ");
    }
    let reserved = room.size.saturating_sub(room.usable());
    if reserved > 0 {
        let _ = write!(words, "{} are reserved for root.", bytes(reserved as f64));
    }
    let words = words.trim_end().to_owned();
    (!words.is_empty()).then_some(words)
}

/// `41 s`, `12 min`, `3 h`.
fn ago(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture;

    #[test]
    fn every_kind_of_line_speaks_plainly() {
        let snapshot = fixture::small();
        for view in View::ALL {
            for item in (view.table().items)(&snapshot) {
                let words = of(item, &snapshot);
                assert!(spoken(view, &snapshot) || words.is_none());
                let words = words.unwrap_or_else(|| "Fine.".into());
                assert!(words.ends_with('.') && !words.contains(".."), "{words}");
                assert!(!words.contains("  "), "{words}");
            }
        }
    }

    #[test]
    fn the_verdict_comes_with_its_advice_and_place() {
        let mut snapshot = fixture::small();
        snapshot.listener_turns.clear();
        let item = answers::listeners(&snapshot)[0];
        assert_eq!(
            of(item, &snapshot).as_deref(),
            Some(
                "129 of 128 wait, the oldest for 3.8 s; 5 of 5 workers are <busy> (of 2 sockets, \
                 in netns 4026532201). add workers."
            )
        );
        let item = Item::Refused(&snapshot.refused[0]);
        assert_eq!(
            of(item, &snapshot).as_deref(),
            Some(
                "Nobody listens on *:5672: clients are refused (ECONNREFUSED), 60 times so far. \
                 beam.smp (rabbitmq) did until 42 s ago."
            )
        );
    }
}
