//! Which identities seen for the first time are known to be new.

/// Start of the complete walk before the last one. Whatever was born later and is not known was
/// never booked: the last walk alone proves nothing, as it may skip an element under churn, and as
/// a process that dies during it is announced only an RCU period after it left the walk's sight.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    before_ns: u64,
    last_ns: u64,
}

impl Default for Horizon {
    /// Nothing is known to be new before the first walk.
    fn default() -> Self {
        Self {
            before_ns: u64::MAX,
            last_ns: u64::MAX,
        }
    }
}

impl Horizon {
    /// The very first walk begins: only what is born from now on is new.
    pub fn start(&mut self, ns: u64) {
        *self = Self {
            before_ns: ns,
            last_ns: ns,
        };
    }

    /// A complete walk that began at `ns` is over.
    pub fn walked(&mut self, ns: u64) {
        self.before_ns = self.last_ns;
        self.last_ns = ns;
    }

    /// Whether something unknown, born at `ns`, is new.
    pub fn is_newborn(&self, ns: u64) -> bool {
        ns > self.before_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_is_what_the_walk_before_the_last_could_not_see() {
        let mut horizon = Horizon::default();
        assert!(!horizon.is_newborn(5));
        horizon.start(10);
        assert!(!horizon.is_newborn(10));
        assert!(horizon.is_newborn(11));
        horizon.walked(10);
        horizon.walked(20);
        // Left the sight of the walk at 20 shortly before it, announced after it.
        assert!(horizon.is_newborn(19));
        horizon.walked(30);
        assert!(
            !horizon.is_newborn(19),
            "a walk that began later did not see it either"
        );
    }
}
