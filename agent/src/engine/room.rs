//! Filesystems: asks them at the beginning of a cycle, takes their answers at its end. What hangs
//! holds up nothing.

use super::{options::EngineOptions, part::Part};
use crate::{
    aggregate::FilesystemTable,
    clock::Moment,
    collect::filesystem::Filesystems,
    model::{Budget, FilesystemRow, Lost, MapFill, SourceStatus, budget},
};

/// The filesystem part of a cycle.
pub struct RoomStage {
    source: Result<Filesystems, String>,
    /// Why the mount table may be out of date.
    stale: Option<String>,
    table: FilesystemTable,
}

impl RoomStage {
    /// Opens the mount table.
    pub fn start(options: &EngineOptions) -> Self {
        let source = Filesystems::open().map_err(|error| format!("/proc/self/mountinfo: {error}"));
        if let Err(why) = &source {
            options.ebpf.announce("filesystem", why);
        }
        Self {
            source,
            stale: None,
            table: FilesystemTable::new(options.label_sets(budget::FILESYSTEMS)),
        }
    }

    /// Begins a cycle: asks those that cannot be waited for.
    pub fn ask(&mut self, at: Moment) {
        if let Ok(source) = &mut self.source {
            let asked = source.ask(at.mono_ns);
            self.stale = asked
                .err()
                .map(|error| format!("/proc/self/mountinfo: {error}"));
        }
    }

    /// Ends it: takes over what was answered.
    pub fn cycle(&mut self) {
        if let Ok(source) = &mut self.source {
            let now_ns = Moment::now().mono_ns;
            self.table.update(now_ns, source.readings(now_ns));
        }
    }

    /// Filesystems, those that hang first, then the fullest.
    pub fn rows(&self) -> &[FilesystemRow] {
        self.table.rows()
    }
}

impl Part for RoomStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let (source, degraded) = match &self.source {
            Ok(source) => {
                let known = source.unasked().or(source.unsure());
                ("statfs", self.stale.clone().or(known.map(str::to_owned)))
            }
            Err(why) => ("absent", Some(why.clone())),
        };
        vec![SourceStatus {
            signal: "filesystem",
            source,
            degraded,
        }]
    }

    fn lost(&self) -> Vec<Lost> {
        Vec::new()
    }

    fn maps(&self) -> Vec<MapFill> {
        let helpers = self.source.as_ref().map(Filesystems::helpers);
        let fill = helpers.map(|(used, capacity)| MapFill {
            map: "filesystem_helpers",
            used: used as u64,
            capacity: capacity as u64,
        });
        fill.into_iter().collect()
    }

    fn budgets(&self) -> Vec<Budget> {
        let mut budget = self.table.budget();
        if let Ok(source) = &self.source {
            budget.folded += source.left_out();
        }
        vec![budget]
    }

    fn held(&self) -> u64 {
        0
    }
}
