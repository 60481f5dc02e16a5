//! Swap I/O beside what else is told of processes.

use rustc_hash::FxHashMap;

use crate::model::{MemberRow, Owner, ProcessRow, SwapKey, SwapRates, SwapRow};

/// Tells each group and each process what it swapped in the last cycle: nothing, unless it is
/// among `rows`, or among `single` (by process id).
pub(super) fn tell(
    rows: &[SwapRow],
    single: &FxHashMap<u32, SwapRates>,
    processes: &mut [ProcessRow],
    members: &mut [MemberRow],
) {
    let groups: FxHashMap<&Owner, SwapRates> = rows
        .iter()
        .filter_map(|row| match &row.key {
            SwapKey::Owner(owner) => Some((owner, row.rates)),
            SwapKey::Nobody { .. } | SwapKey::Folded => None,
        })
        .collect();
    for process in processes.iter_mut().filter(|process| !process.folded) {
        let owner = Owner {
            process: process.process.clone(),
            user: process.user.clone(),
            service: process.service.clone(),
        };
        process.rates.swap = Some(groups.get(&owner).copied().unwrap_or_default());
    }
    for member in members {
        member.rates.swap = Some(single.get(&member.pid).copied().unwrap_or_default());
    }
}
