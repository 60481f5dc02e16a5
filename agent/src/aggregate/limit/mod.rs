//! How near things are to their limits: one row each, from what other tables know and from what
//! was read of the host.

mod descriptors;
mod fd_types;
#[cfg(test)]
mod tests;
mod threads;

pub use descriptors::DescriptorLimits;
pub use fd_types::FdTypes;
pub use threads::user_threads;

use crate::model::{LimitRow, Limited, ListenerKey, ListenerRow, PortUseRow, Resource};

/// Orders the rows of each resource, the fullest first, and leaves `budget` of them by name; of
/// the rest the fullest stands for all.
pub fn fold(mut rows: Vec<LimitRow>, budget: usize) -> Vec<LimitRow> {
    rows.sort_unstable_by(|one, other| {
        let order = one.resource.cmp(&other.resource);
        order.then_with(|| one.fullest_first(other))
    });
    let mut folded = Vec::with_capacity(rows.len().min(16 * budget));
    for resource in rows.chunk_by(|one, other| one.resource == other.resource) {
        let (mut named, mut rest): (usize, Option<&LimitRow>) = (0, None);
        for row in resource {
            if row.of != Limited::Folded && named < budget {
                named += 1;
                folded.push(row.clone());
            } else {
                rest = rest.or(Some(row));
            }
        }
        folded.extend(rest.map(|row| LimitRow {
            of: Limited::Folded,
            ..row.clone()
        }));
    }
    folded
}

/// Accept queues: the longest of the last window, against the limit of the fullest.
pub fn listen_backlog(rows: &[ListenerRow]) -> impl Iterator<Item = LimitRow> {
    rows.iter().filter(|row| row.live).map(|row| LimitRow {
        resource: Resource::ListenBacklog,
        of: match &row.key {
            ListenerKey::Bound { ip, port, owner } => Limited::Listener {
                ip: *ip,
                port: *port,
                owner: owner.clone(),
            },
            ListenerKey::Folded => Limited::Folded,
        },
        used: row.high_water,
        // A limit of 0 still lets one connection in.
        limit: row.queue_limit.max(1),
        seconds_to_full: None,
    })
}

/// Local ports towards one remote end.
pub fn ephemeral_ports(rows: &[PortUseRow]) -> impl Iterator<Item = LimitRow> {
    let rows = rows.iter().filter(|row| row.available > 0);
    rows.map(|row| LimitRow {
        resource: Resource::EphemeralPorts,
        of: match row.ends {
            Some((local, remote)) => Limited::Ports {
                local,
                remote,
                port: row.remote_port,
            },
            None => Limited::Folded,
        },
        used: row.used,
        limit: row.available,
        seconds_to_full: None,
    })
}

#[cfg(test)]
mod rows_tests {
    use super::*;
    use crate::metric::fixture::{self, limit::limit};

    fn service(resource: Resource, name: &str, used: u64) -> LimitRow {
        limit(resource, Limited::Service(name.into()), used, 100)
    }

    #[test]
    fn the_fullest_of_the_rest_stands_for_all() {
        use Resource::{ServiceMemory, ServicePids};
        let rows = vec![
            service(ServiceMemory, "b", 40),
            service(ServicePids, "a", 99),
            limit(ServiceMemory, Limited::Folded, 7, 10),
            service(ServiceMemory, "c", 90),
            service(ServiceMemory, "a", 40),
            service(ServiceMemory, "d", 60),
        ];
        let folded = fold(rows.clone(), 2);
        let shown: Vec<_> = folded
            .iter()
            .map(|row| (row.resource, row.of.clone(), row.used))
            .collect();
        let named = |name: &str| Limited::Service(name.into());
        assert_eq!(
            shown,
            [
                (ServicePids, named("a"), 99),
                (ServiceMemory, named("c"), 90),
                (ServiceMemory, named("d"), 60),
                (ServiceMemory, Limited::Folded, 7),
            ]
        );
        let all = fold(rows, 10);
        assert_eq!(all.len(), 6);
        assert_eq!(all[3].of, named("a"), "equal ones by name");
        assert_eq!(all[5].of, Limited::Folded);
        assert_eq!(fold(Vec::new(), 2), []);
    }

    #[test]
    fn queues_and_ports_that_are_there() {
        let snapshot = fixture::small();
        let queues: Vec<_> = listen_backlog(&snapshot.listeners).collect();
        assert_eq!(queues.len(), 4, "none of a listener that has gone");
        assert_eq!((queues[0].used, queues[0].limit), (129, 128));
        assert!(queues[0].ratio() > 1.0, "a full queue holds one more");
        assert_eq!(queues[3].of, Limited::Folded);
        let ports: Vec<_> = ephemeral_ports(&snapshot.port_use).collect();
        assert_eq!((ports[0].used, ports[0].limit), (27_500, 28_232));
        assert_eq!(ports[1].of, Limited::Folded);
    }
}
