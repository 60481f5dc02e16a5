//! Programs that are attached only while they have something to see.

use aya::{maps::Map, programs::Program};

use super::{LoadedObject, refusal};
use crate::model::ProgramState;

impl LoadedObject {
    /// Attaches a program that is loaded and waits for that; it stays attached until
    /// [`Self::detach`].
    ///
    /// # Errors
    /// One line saying why it does not run, now or from the start.
    pub fn attach(&mut self, name: &str) -> Result<(), String> {
        let Some((spec, state)) = self.statuses.iter_mut().find(|(spec, _)| spec.name == name)
        else {
            return Err(format!("{name}: no such program"));
        };
        match (&*state, self.ebpf.program_mut(name)) {
            (ProgramState::Loaded, Some(Program::BtfTracePoint(program))) => {
                let attached = program.attach().and_then(|link| program.take_link(link));
                *state = match attached {
                    Ok(link) => {
                        self.links.push((spec.name, link));
                        ProgramState::Attached
                    }
                    Err(error) => refusal(&error),
                };
            }
            (ProgramState::Loaded, _) => {
                return Err(format!("{name}: another kind of program"));
            }
            _ => {}
        }
        self.refusal(name).map_or(Ok(()), Err)
    }

    /// A map that stays in the object.
    pub fn map_mut(&mut self, name: &str) -> Option<&mut Map> {
        self.ebpf.map_mut(name)
    }

    /// Detaches what [`Self::attach`] attached; it stays loaded.
    pub fn detach(&mut self, name: &str) {
        let links = self.links.len();
        self.links.retain(|(known, _)| *known != name);
        let state = self.statuses.iter_mut().find(|(spec, _)| spec.name == name);
        if let (true, Some((_, state))) = (self.links.len() < links, state) {
            *state = ProgramState::Loaded;
        }
    }
}
