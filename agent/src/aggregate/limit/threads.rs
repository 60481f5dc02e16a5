//! Threads of users against what each may start.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{
    aggregate::{Owners, ProcessTable},
    model::{LimitRow, Limited, ProcessId, Resource},
};

/// The user that the kernel lets start what it likes.
const ROOT: u32 = 0;

/// A user while its processes are gone through.
struct User {
    name: Arc<str>,
    threads: u64,
    /// Lowest limit known so far.
    limit: Option<u64>,
}

/// Threads of each user but root against the lowest `RLIMIT_NPROC` of its processes, which
/// `limit` knows for those it has read.
pub fn user_threads(
    table: &ProcessTable,
    limit: impl Fn(ProcessId) -> Option<u64>,
) -> Vec<LimitRow> {
    let mut users: FxHashMap<u32, User> = FxHashMap::default();
    for holder in table.holders().filter(|holder| holder.uid != ROOT) {
        let own = limit(holder.id);
        match users.get_mut(&holder.uid) {
            Some(user) => {
                user.threads += u64::from(holder.threads);
                user.limit = user.limit.into_iter().chain(own).min();
            }
            None => {
                let Some(owner) = table.owner(holder.id.tgid, holder.id.start_ns) else {
                    continue;
                };
                let user = User {
                    name: owner.user,
                    threads: holder.threads.into(),
                    limit: own,
                };
                users.insert(holder.uid, user);
            }
        }
    }
    let rows = users.into_values().filter_map(|user| {
        Some(LimitRow {
            resource: Resource::UserThreads,
            of: Limited::User(user.name),
            used: user.threads,
            limit: user.limit.filter(|&limit| limit > 0)?,
            seconds_to_full: None,
        })
    });
    rows.collect()
}
