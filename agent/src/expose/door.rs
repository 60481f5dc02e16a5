//! What is wrong at the front door, for `/status` and the page: listeners that do not keep up, ports
//! that refuse, names that cannot be resolved.

use serde_json::{Value, json};

use crate::model::{
    DnsKey, FailedName, ListenerKey, OTHER, Owner, RefusedKey, Saturation, Snapshot,
};

/// A listener that does not keep up.
pub(super) struct Saturated<'a> {
    /// Address and port.
    pub(super) listen: String,
    /// Whose it is; `None` for all beyond the budget.
    pub(super) owner: Option<&'a Owner>,
    /// Waiting now, and how many may.
    pub(super) queue: (u64, u64),
    /// The verdict.
    pub(super) verdict: &'a Saturation,
}

/// Listeners that do not keep up, heaviest first.
pub(super) fn saturated(snapshot: &Snapshot) -> impl Iterator<Item = Saturated<'_>> {
    snapshot.listeners.iter().filter_map(|row| {
        let (listen, owner) = match &row.key {
            ListenerKey::Bound { ip, port, owner } => (place(*ip, *port), Some(owner)),
            ListenerKey::Folded => (OTHER.to_owned(), None),
        };
        Some(Saturated {
            listen,
            owner,
            queue: (row.queue_length, row.queue_limit),
            verdict: row.saturation.as_ref()?,
        })
    })
}

/// A port that refuses.
pub(super) struct Refusing<'a> {
    /// Address and port.
    pub(super) listen: String,
    /// Who listened there last, if anyone was seen to.
    pub(super) last: Option<&'a Owner>,
    /// Requests refused.
    pub(super) refused: u64,
    /// Refusals per second over the last cycle.
    pub(super) rate: f64,
    /// Seconds since that listener went.
    pub(super) gone_seconds: Option<f64>,
}

/// Ports that refuse now or whose listener is gone, heaviest first.
pub(super) fn refusing(snapshot: &Snapshot) -> impl Iterator<Item = Refusing<'_>> {
    let rows = snapshot.refused.iter();
    let rows = rows.filter(|row| row.rate > 0.0 || row.gone_seconds.is_some());
    rows.map(|row| {
        let (listen, last) = match &row.key {
            RefusedKey::Port { ip, port, last } => (place(*ip, *port), last.as_ref()),
            RefusedKey::Folded => (OTHER.to_owned(), None),
        };
        Refusing {
            listen,
            last,
            refused: row.refused,
            rate: row.rate,
            gone_seconds: row.gone_seconds,
        }
    })
}

/// A name that could not be resolved, and who asked whom for it.
pub(super) struct Unresolved<'a> {
    /// Who asked; `None` for all beyond the budget.
    pub(super) owner: Option<&'a Owner>,
    /// Whom.
    pub(super) resolver: String,
    /// What for, and how it failed.
    pub(super) failed: &'a FailedName,
}

/// Names that failed last, those of the heaviest asker first.
pub(super) fn unresolved(snapshot: &Snapshot) -> impl Iterator<Item = Unresolved<'_>> {
    snapshot.dns.iter().flat_map(|row| {
        row.failing.iter().map(|failed| {
            let (owner, resolver) = match &row.key {
                DnsKey::Asker { owner, resolver } => (Some(owner), resolver.to_string()),
                DnsKey::Folded => (None, OTHER.to_owned()),
            };
            Unresolved {
                owner,
                resolver,
                failed,
            }
        })
    })
}

/// The entries of `/status`: saturated listeners, refusing ports, unresolved names.
pub(super) fn entries(snapshot: &Snapshot) -> [(&'static str, Value); 3] {
    let process = |owner: Option<&Owner>| owner.map(|owner| owner.process.to_string());
    let user = |owner: Option<&Owner>| owner.map(|owner| owner.user.to_string());
    let saturated = saturated(snapshot).map(|row| {
        json!({
            "listen": row.listen,
            "process": process(row.owner),
            "user": user(row.owner),
            "reason": row.verdict.reason.name(),
            "network_namespace": row.verdict.netns,
            "queue_length": row.queue.0,
            "queue_limit": row.queue.1,
            "what": row.verdict.what,
            "advice": row.verdict.advice,
        })
    });
    let refusing = refusing(snapshot).map(|row| {
        json!({
            "listen": row.listen,
            "last_process": process(row.last),
            "last_user": user(row.last),
            "refused": row.refused,
            "refused_per_second": row.rate,
            "gone_seconds": row.gone_seconds,
        })
    });
    let unresolved = unresolved(snapshot).map(|row| {
        json!({
            "process": process(row.owner),
            "user": user(row.owner),
            "resolver": row.resolver,
            "name": &*row.failed.name,
            "outcome": row.failed.outcome,
        })
    });
    [
        ("saturated_listeners", saturated.collect()),
        ("refusing_ports", refusing.collect()),
        ("unresolved_names", unresolved.collect()),
    ]
}

fn place(ip: std::net::IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(ip, port).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture;

    #[test]
    fn what_is_wrong_is_told_with_its_cure() {
        let entries = Value::from_iter(entries(&fixture::small()));
        let listener = &entries["saturated_listeners"][0];
        assert_eq!(listener["listen"], "0.0.0.0:8080");
        assert_eq!(listener["process"], "gunicorn");
        assert_eq!(listener["network_namespace"], 4_026_532_201_u32);
        assert_eq!(listener["advice"], "add workers");
        assert_eq!(entries["saturated_listeners"][1], Value::Null);
        let port = &entries["refusing_ports"][0];
        assert_eq!(port["last_process"], "beam.smp");
        assert_eq!(port["gone_seconds"], 41.5);
        assert_eq!(entries["refusing_ports"][1], Value::Null, "nothing now");
        assert_eq!(entries["unresolved_names"][1]["outcome"], "timeout");
    }
}
