//! Limits that only files tell: those of the host, of users, of control groups.

pub mod cgroup;
#[cfg(test)]
mod fixture;
pub mod host;
pub mod threads;

/// How much of something is used, and how much there is; in the same unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Used.
    pub used: u64,
    /// What there is; not 0.
    pub limit: u64,
}

impl Use {
    /// `None` where there is no limit.
    fn of(used: Option<u64>, limit: Option<u64>) -> Option<Self> {
        let (used, limit) = (used?, limit.filter(|&limit| limit > 0)?);
        Some(Self { used, limit })
    }

    /// `used` over `limit`.
    pub fn ratio(self) -> f64 {
        self.used as f64 / self.limit.max(1) as f64
    }
}
