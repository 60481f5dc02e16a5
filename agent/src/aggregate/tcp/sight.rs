//! Which network namespaces the walk before has read: only there is a connection new that it did
//! not have.

use rustc_hash::FxHashSet;

/// Namespaces with sockets, in this walk and in the last complete one.
#[derive(Debug, Default)]
pub(super) struct Sight {
    now: FxHashSet<u32>,
    before: FxHashSet<u32>,
    last: u32,
}

impl Sight {
    /// A socket of the namespace was seen.
    pub fn see(&mut self, netns: u32) {
        if self.last != netns || self.now.is_empty() {
            self.last = netns;
            self.now.insert(netns);
        }
    }

    /// Whether the last complete walk has read the namespace.
    pub fn knew(&self, netns: u32) -> bool {
        self.before.contains(&netns)
    }

    /// A complete walk is over.
    pub fn walked(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}
