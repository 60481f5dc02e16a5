//! What cannot wait until one looks into its view, in one line for all of them.

use std::fmt::Write;

use crate::model::{
    DiskVerdict, ListenerKey, OTHER, PeerKey, RefusedKey, Remote, Resource, ServiceKey, Snapshot,
};

use super::{
    answers::{self, MANY, P95},
    columns::{
        View,
        filesystem::{NEARLY_FULL, SOON},
        limit,
    },
    human::{self, Unit},
    item::Item,
    stack::{Part, Stack},
    text,
    value::{Value, printable},
    words::NEARLY_ALL,
};

/// From this time to first byte on an alert says who is to blame, if somebody clearly is, seconds.
const SLOW: f64 = 0.1;

/// What is wrong: the first of its kind, how many more there are, and the key of the view that
/// shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert(String);

/// Saturated listeners, reconnect storms, ports that refuse where somebody listened lately, answers
/// that come late and by whose fault, local ports that run out, disks that are slow by themselves, filesystems that hang or run full, and
/// other limits that are near. Empty if all is well.
pub fn alerts(snapshot: &Snapshot) -> Vec<Alert> {
    let kinds = [
        (saturated(snapshot), View::Listeners),
        (storms(snapshot), View::Services),
        (refusals(snapshot), View::Listeners),
        (slow_peers(snapshot), View::Peers),
        (slow_listeners(snapshot), View::Listeners),
        (ports(snapshot), View::Ports),
        (disks(snapshot), View::Disks),
        (filesystems(snapshot), View::Filesystems),
        (limits(snapshot), View::Limits),
    ];
    let alerts = kinds.into_iter().filter_map(|(found, view)| {
        let more = match found.len() {
            0 | 1 => String::new(),
            many => format!(" (+{})", many - 1),
        };
        let first = found.into_iter().next()?;
        let key = view.key();
        Some(Alert(format!("{first}{more} [{key}]")))
    });
    alerts.collect()
}

/// All of them in one line if `cells` allow, else the first ones and how many more there are.
pub fn line(alerts: &[Alert], cells: usize, ellipsis: &str) -> String {
    let mut best = String::new();
    for shown in (1..=alerts.len()).rev() {
        let (whole, rest) = alerts.split_at(shown);
        let texts: Vec<&str> = whole.iter().map(|alert| alert.0.as_str()).collect();
        best = texts.join("  ");
        if !rest.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(best, "  +{}", rest.len());
        }
        if text::width(&best) <= cells {
            return best;
        }
    }
    text::cut(&best, cells, ellipsis)
}

fn saturated(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.listeners.iter();
    let rows = rows.filter_map(|row| Some((&row.key, row.saturation.as_ref()?)));
    rows.map(|(key, saturation)| {
        let who = match key {
            ListenerKey::Bound { ip, port, owner } => {
                let place = Value::Address(*ip, Some(*port));
                format!("{} {}", printable(&owner.process), place.show(Unit::Text))
            }
            ListenerKey::Folded => OTHER.to_owned(),
        };
        format!("{who} {}", saturation.reason.name())
    })
    .collect()
}

/// Groups of which somebody waits long for answers, and clearly for whom or what. Clients from
/// outside the own networks may be as far away as they like.
fn slow_peers(snapshot: &Snapshot) -> Vec<String> {
    if !answers::watched(snapshot) {
        return Vec::new();
    }
    let items = answers::peers(snapshot).into_iter();
    let slow = items.filter_map(|item| {
        let (Item::Peer(.., answer) | Item::Answers(.., answer)) = item else {
            return None;
        };
        let (remote, port) = match answer.row?.key {
            PeerKey::Inbound { remote, .. } => (remote, None),
            PeerKey::Outbound {
                remote,
                remote_port,
            } => (remote, Some(remote_port)),
            PeerKey::Folded(_) => return None,
        };
        let Remote::Ip(ip) = remote else {
            return None;
        };
        if answer.excluded_ratio()? > MANY {
            return None;
        }
        let stack = answer.stack(P95)?;
        let what = match blamed(&stack)? {
            Part::Network => "slow network",
            Part::Peer => "slow peer",
            // The listener tells more.
            Part::Here | Part::Wait | Part::Serve => return None,
        };
        let place = Value::Address(ip, port);
        let total = human::latency(stack.total());
        Some(format!("{what}: {} {total}", place.show(Unit::Text)))
    });
    slow.collect()
}

/// Listeners whose clients wait long for this host.
fn slow_listeners(snapshot: &Snapshot) -> Vec<String> {
    if !answers::watched(snapshot) {
        return Vec::new();
    }
    let items = answers::listeners(snapshot).into_iter();
    let slow = items.filter_map(|item| {
        let (Item::Listener(.., turns) | Item::Turns(.., turns)) = item else {
            return None;
        };
        let ListenerKey::Bound { ip, port, owner } = &turns.row?.key else {
            return None;
        };
        let stack = turns.stack(P95)?;
        let what = match blamed(&stack)? {
            Part::Wait => "slow to read",
            Part::Serve => "slow to serve",
            // The peers tell whose.
            Part::Network | Part::Peer | Part::Here => return None,
        };
        let place = Value::Address(*ip, Some(*port));
        let (who, total) = (printable(&owner.process), human::latency(stack.total()));
        Some(format!("{what}: {who} {} {total}", place.show(Unit::Text)))
    });
    slow.collect()
}

/// The part that is clearly to blame for a time that is worth an alert.
fn blamed(stack: &Stack) -> Option<Part> {
    (stack.total() >= SLOW).then(|| stack.blame()).flatten()
}

fn storms(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.services.iter().filter(|row| row.rates.storm);
    rows.map(|row| {
        let who = match &row.key {
            ServiceKey::Service { owner, port, .. } => {
                format!("{} :{port}", printable(&owner.process))
            }
            ServiceKey::Folded(_) => OTHER.to_owned(),
        };
        let opened = human::format(row.rates.opened, Unit::PerSecond);
        format!("storm: {who} {}/s", opened.trim_end_matches(".0"))
    })
    .collect()
}

fn refusals(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.refused.iter().filter(|row| row.rate > 0.0);
    rows.filter_map(|row| match &row.key {
        RefusedKey::Port {
            ip,
            port,
            last: Some(last),
        } => {
            let place = Value::Address(*ip, Some(*port));
            let who = printable(&last.process);
            Some(format!("refused: {who} {}", place.show(Unit::Text)))
        }
        _ => None,
    })
    .collect()
}

fn disks(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.disks.iter();
    let slow = rows.filter(|row| row.verdict == Some(DiskVerdict::Slow));
    slow.map(|row| {
        let name = row.device.as_deref().unwrap_or(OTHER);
        format!("slow disk: {}", printable(name))
    })
    .collect()
}

fn ports(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.port_use.iter();
    let rows = rows.filter(|row| row.ratio() >= NEARLY_ALL);
    rows.map(|row| {
        let percent = human::format(row.ratio() * 100.0, Unit::Percent);
        let remote = row.ends.map_or(OTHER.into(), |(_, remote)| {
            let remote = Value::Address(remote, Some(row.remote_port));
            remote.show(Unit::Text).into_owned()
        });
        format!("ports {percent}%: {remote}")
    })
    .collect()
}

fn filesystems(snapshot: &Snapshot) -> Vec<String> {
    let rows = snapshot.filesystems.iter().filter_map(|row| {
        let place = printable(&row.mountpoint);
        if row.hung == Some(true) {
            return Some(format!("hung: {place}"));
        }
        if let Some(left) = row.to_full().filter(|left| *left < SOON) {
            let left = human::format(left, Unit::Span);
            return Some(format!("full in {left}: {place}"));
        }
        let ratio = row.ratio().filter(|ratio| *ratio >= NEARLY_FULL)?;
        let percent = human::format(ratio * 100.0, Unit::Percent);
        Some(format!("{percent}% full: {place}"))
    });
    rows.collect()
}

/// Those that no other alert tells of.
fn limits(snapshot: &Snapshot) -> Vec<String> {
    let told = [
        Resource::ListenBacklog,
        Resource::EphemeralPorts,
        Resource::FilesystemBytes,
        Resource::FilesystemInodes,
    ];
    let rows = snapshot.limits.iter();
    let rows = rows.filter(|row| limit::pressing(row) && !told.contains(&row.resource));
    rows.map(|row| {
        let what = row.resource.name();
        let whose = limit::whose(row);
        let whose = whose.show(Unit::Text);
        if row.ratio() >= NEARLY_FULL {
            let percent = human::format(row.ratio() * 100.0, Unit::Percent);
            return format!("{what} {percent}%: {whose}");
        }
        let left = row.seconds_to_full.unwrap_or_default();
        format!(
            "{what} full in {}: {whose}",
            human::format(left, Unit::Span)
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use hostlens_ebpf::wire::Direction;

    use super::*;
    use crate::{metric::fixture, top::tests::fixture::answering};

    #[test]
    fn the_first_of_each_kind_with_the_key_of_its_view() {
        let mut snapshot = fixture::small();
        snapshot.services[3].rates.storm = true;
        snapshot.services[3].rates.opened = 120.0;
        snapshot.refused[0].rate = 3.0;
        snapshot.filesystems.remove(0);
        snapshot.limits.clear();
        let mut other = snapshot.listeners[0].clone();
        other.key = ListenerKey::Folded;
        snapshot.listeners.push(other);
        let alerts = alerts(&snapshot);
        let wide = "gunicorn *:8080 workers_busy (+1) [4]  storm: consumer :5672 120/s [5]  \
                    refused: beam.smp *:5672 [4]  ports 97.4%: 10.0.0.7:5432 [8]  \
                    slow disk: md0 [0]  full in 42m40s: /var/lib/postgresql [f]";
        assert_eq!(line(&alerts, wide.len(), "~"), wide);
        assert_eq!(
            line(&alerts, 80, "~"),
            "gunicorn *:8080 workers_busy (+1) [4]  storm: consumer :5672 120/s [5]  +4"
        );
        assert_eq!(
            line(&alerts, 60, "~"),
            "gunicorn *:8080 workers_busy (+1) [4]  +5"
        );
        for cells in 0..220 {
            assert!(line(&alerts, cells, "~").len() <= cells);
        }
    }

    #[test]
    fn a_limit_is_told_of_once() {
        let full = fixture::small();
        let snapshot = Snapshot {
            limits: full.limits,
            ..Snapshot::empty(1, std::time::UNIX_EPOCH)
        };
        let wide = "open_files 95.2%: worker-0 [l]";
        assert_eq!(line(&alerts(&snapshot), wide.len(), "~"), wide);
    }

    #[test]
    fn late_answers_where_somebody_is_clearly_to_blame() {
        let all = answering();
        let slow = |snapshot: &Snapshot| {
            let alerts = alerts(snapshot);
            let texts = alerts.into_iter().map(|alert| alert.0);
            texts
                .filter(|text| text.starts_with("slow") && !text.contains("disk"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            slow(&all),
            [
                "slow network: [fd00:1234:5678:9abc:def0:1111:2222:3333]:443 382ms (+1) [2]",
                "slow to read: gunicorn *:8080 368ms (+1) [4]",
            ]
        );
        // The other peer, alone: its own time is most of what is waited for.
        let mut one = all.clone();
        one.responses
            .retain(|row| row.key.direction() == Direction::Outbound);
        one.responses.remove(0);
        assert_eq!(slow(&one)[0], "slow peer: 10.9.9.9:6379 120ms [2]");
        // Half and half is nobody's, and what is quick is nobody's business.
        let shared = |response, peer| {
            let mut shared = one.clone();
            shared.listener_turns.clear();
            shared.responses[0].quantiles = Some([response; 5]);
            shared.responses[0].peer_quantiles = Some([peer; 5]);
            slow(&shared)
        };
        let mut few = one.clone();
        few.listener_turns.clear();
        few.responses[0].excluded = [0, 99, 0, 0, 0];
        assert!(slow(&few).is_empty(), "few of its turns can be timed");
        assert!(shared(0.5, 0.25).is_empty());
        assert!(shared(0.09, 0.09).is_empty());
        assert_eq!(shared(0.11, 0.09).len(), 1);
        assert!(slow(&fixture::small()).is_empty());
    }

    #[test]
    fn silent_when_all_is_well() {
        let quiet = Snapshot::empty(1, std::time::UNIX_EPOCH);
        assert!(alerts(&quiet).is_empty());
        assert_eq!(line(&[], 80, "~"), "");
    }
}
