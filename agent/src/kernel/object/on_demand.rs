//! Programs that are attached only while they have something to see.

use anyhow::Context as _;
use aya::programs::BtfTracePoint;

use super::LoadedObject;
use crate::model::ProgramState;

impl LoadedObject {
    /// Attaches a loaded program that waits for it.
    ///
    /// # Errors
    /// It is not loaded, or the kernel refuses.
    pub fn attach(&mut self, name: &'static str) -> anyhow::Result<()> {
        if self.links.iter().any(|(known, _)| *known == name) {
            return Ok(());
        }
        let program: &mut BtfTracePoint = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("no program {name}"))?
            .try_into()?;
        let link = program
            .attach()
            .with_context(|| format!("cannot attach {name}"))?;
        self.links.push((name, program.take_link(link)?));
        self.set_state(name, ProgramState::Attached);
        Ok(())
    }

    /// Detaches what [`Self::attach`] attached; it stays loaded.
    pub fn detach(&mut self, name: &str) {
        let links = self.links.len();
        self.links.retain(|(known, _)| *known != name);
        if self.links.len() < links {
            self.set_state(name, ProgramState::Loaded);
        }
    }

    fn set_state(&mut self, name: &str, now: ProgramState) {
        if let Some((_, state)) = self.statuses.iter_mut().find(|(spec, _)| spec.name == name) {
            *state = now;
        }
    }
}
