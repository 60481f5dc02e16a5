//! One embedded object: loaded as a whole, its programs loaded and attached each on its own, so
//! that a hook this kernel lacks degrades one signal and not the agent.

mod on_demand;

use std::{
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use anyhow::Context as _;
use aya::{
    Btf as AyaBtf, Ebpf, EbpfLoader, VerifierLogLevel,
    maps::{HashMap, Map, MapData, PerCpuArray, RingBuf},
    programs::{
        BtfTracePoint, CgroupSkbAttachType, Iter, Program, ProgramError, tp_btf::BtfTracePointLink,
    },
};
use aya_log::EbpfLogger;

use crate::model::{ProgramState, ProgramStatus};

use super::{
    btf::Btf,
    cgroup::Cgroup,
    excerpt,
    globals::Globals,
    memory::give_back,
    objects,
    refusal::{member_of, reason, refusal},
};

/// Where a program is attached.
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    /// A raw tracepoint with BTF-typed arguments, and how many of them the program reads.
    Tracepoint(&'static str, usize),
    /// As before, loaded at once and attached when it is needed ([`LoadedObject::attach`]).
    LateTracepoint(&'static str, usize),
    /// An iterator, run on demand.
    Iterator(&'static str),
    /// Packets of all sockets.
    CgroupSkb(CgroupSkbAttachType),
    /// `connect()` of all sockets; the section says of which family.
    CgroupConnect(&'static str),
}

impl Hook {
    /// As in the names of sections.
    fn name(self) -> String {
        match self {
            Self::Tracepoint(name, _) | Self::LateTracepoint(name, _) => format!("tp_btf/{name}"),
            Self::Iterator(kind) => format!("iter/{kind}"),
            Self::CgroupSkb(CgroupSkbAttachType::Ingress) => "cgroup_skb/ingress".to_owned(),
            Self::CgroupSkb(CgroupSkbAttachType::Egress) => "cgroup_skb/egress".to_owned(),
            Self::CgroupConnect(kind) => format!("cgroup/{kind}"),
        }
    }
}

/// A program of an object.
#[derive(Clone, Copy, Debug)]
pub struct ProgramSpec {
    /// Symbol in the object.
    pub name: &'static str,
    /// Hook.
    pub hook: Hook,
    /// Offsets without which its numbers would be wrong rather than absent.
    pub needs: &'static [&'static str],
}

/// An embedded object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectSpec {
    /// Name, as in `ebpf/src/bin`.
    pub name: &'static str,
    /// Compiled object.
    pub bytes: &'static [u8],
    /// Its programs.
    pub programs: &'static [ProgramSpec],
}

/// Sizes of ring buffers, bytes (a power of two, at least a page).
#[derive(Clone, Copy, Debug)]
pub struct RingBytes {
    /// Ring map.
    pub map: &'static str,
    /// Size.
    pub bytes: u32,
}

/// Why an object cannot be used at all.
#[derive(Debug)]
pub struct KernelError(pub String);

impl std::fmt::Display for KernelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KernelError {}

/// Facts of the running kernel that loading needs; dropped once everything is loaded.
pub struct Kernel {
    /// Tracepoints that some program wants and this kernel has, with their number of arguments.
    tracepoints: Vec<(&'static str, usize)>,
    /// What programs attach to, and nothing else.
    types: AyaBtf,
    globals: Globals,
    cgroup: Result<Cgroup, String>,
    overrides: Option<PathBuf>,
    /// Whether kernel programs say what they see.
    log: bool,
    /// Programs nobody asked for.
    unused: Vec<&'static str>,
    /// Maps that only those use.
    unused_maps: Vec<&'static str>,
}

/// Everything, in the library's numbering of levels.
const LOG_ALL: u8 = 5;
/// Nothing: the verifier then removes the calls.
const LOG_NONE: u8 = 0;
/// Smallest ring buffer there is, for logs nobody reads.
const LOG_UNUSED_BYTES: u32 = 4096;

impl Kernel {
    /// Reads the kernel's types; with `log` the programs' diagnostics go to the agent's log.
    ///
    /// # Errors
    /// There are none, or they cannot be read.
    pub fn probe(log: bool) -> anyhow::Result<Self> {
        let btf = Btf::of_kernel()?;
        let globals = Globals::resolve(&btf);
        let hooks = || {
            objects::ALL
                .iter()
                .flat_map(|spec| spec.programs)
                .map(|spec| spec.hook)
        };
        let tracepoints = hooks()
            .filter_map(|hook| match hook {
                Hook::Tracepoint(name, _) | Hook::LateTracepoint(name, _) => {
                    Some((name, btf.tracepoint_args(name)?))
                }
                _ => None,
            })
            .collect();
        let types = excerpt::of(&btf, hooks())?;
        // Lets a developer or the build's own check try objects that are not embedded.
        let overrides = std::env::var_os("HOSTLENS_EBPF_DIR").map(PathBuf::from);
        Ok(Self {
            tracepoints,
            types,
            globals,
            cgroup: Cgroup::root(),
            overrides,
            log,
            unused: Vec::new(),
            unused_maps: Vec::new(),
        })
    }

    /// Leaves these programs out too, and makes the maps that only they use as small as can be.
    #[must_use]
    pub fn without(
        mut self,
        programs: &'static [&'static str],
        maps: &'static [&'static str],
    ) -> Self {
        self.unused.extend(programs);
        self.unused_maps.extend(maps);
        self
    }

    /// Why programs at cgroup hooks see only some of the host's sockets; `None` if they see all
    /// (or there is no cgroup to attach to, which their states tell).
    pub fn partial_cgroup(&self) -> Option<&str> {
        self.cgroup.as_ref().ok().and_then(Cgroup::partial)
    }

    /// Offsets on this kernel.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// Number of arguments of a tracepoint some program wants; `None` if this kernel lacks it.
    pub fn tracepoint_args(&self, name: &str) -> Option<usize> {
        let known = self.tracepoints.iter().find(|(known, _)| *known == name);
        known.map(|(_, args)| *args)
    }

    /// Loads an object and, each on its own, its programs.
    ///
    /// # Errors
    /// A map cannot be created or the object is not understood; programs that the kernel refuses
    /// are reported in their status instead.
    pub fn load(
        &self,
        spec: &ObjectSpec,
        rings: &[RingBytes],
    ) -> Result<LoadedObject, KernelError> {
        let mut loader = bare_loader()?;
        loader.verifier_log_level(VerifierLogLevel::DEBUG);
        for (name, value) in self.globals.values() {
            loader.override_global(name, value, false);
        }
        let level: &u8 = if self.log { &LOG_ALL } else { &LOG_NONE };
        loader.override_global(aya_log::LEVEL, level, false);
        if !self.log {
            loader.map_max_entries("AYA_LOGS", LOG_UNUSED_BYTES);
        }
        for ring in rings {
            loader.map_max_entries(ring.map, ring.bytes);
        }
        for map in &self.unused_maps {
            loader.map_max_entries(map, 1);
        }
        let file = self
            .overrides
            .as_ref()
            .map(|dir| dir.join(format!("{}.o", spec.name)));
        let loaded = match file {
            Some(file) => loader.load_file(file),
            None => loader.load(spec.bytes),
        };
        let ebpf = loaded.map_err(|error| KernelError(reason(&error)))?;
        let mut ebpf = ebpf;
        let logger = match self.log {
            true => aya_log::EbpfLogger::init(&mut ebpf)
                .map_err(|error| tracing::warn!("no diagnostics from {}: {error}", spec.name))
                .ok(),
            false => None,
        };
        let mut object = LoadedObject {
            name: spec.name,
            ebpf,
            statuses: Vec::new(),
            links: Vec::new(),
            logger,
        };
        for program in spec.programs {
            let state = self.start(&mut object.ebpf, program);
            object.statuses.push((*program, state));
        }
        Ok(object)
    }

    fn start(&self, ebpf: &mut Ebpf, spec: &ProgramSpec) -> ProgramState {
        if self.unused.contains(&spec.name) {
            return ProgramState::Unused;
        }
        if let Some(missing) = self.globals.lacks(spec.needs) {
            return ProgramState::Unsupported(format!("this kernel has no {}", member_of(missing)));
        }
        let Some(program) = ebpf.program_mut(spec.name) else {
            return ProgramState::Refused(format!("the object has no program {}", spec.name));
        };
        let outcome = match (spec.hook, program) {
            (
                Hook::Tracepoint(name, args) | Hook::LateTracepoint(name, args),
                Program::BtfTracePoint(program),
            ) => match self.tracepoint_args(name) {
                None => {
                    return ProgramState::Unsupported(format!(
                        "this kernel has no tracepoint {name}"
                    ));
                }
                Some(has) if has < args => {
                    return ProgramState::Unsupported(format!(
                        "tracepoint {name} has {has} arguments here, {args} are needed"
                    ));
                }
                Some(_) => self.attach(program, name, spec.hook),
            },
            (Hook::Iterator(kind), Program::Iter(program)) => program
                .load(kind, &self.types)
                .map(|()| ProgramState::Loaded),
            (Hook::CgroupSkb(_) | Hook::CgroupConnect(_), program) => match &self.cgroup {
                Ok(cgroup) => cgroup.attach(spec.hook, program),
                Err(why) => return ProgramState::Unsupported(why.clone()),
            },
            _ => return ProgramState::Refused("the object holds another kind of program".into()),
        };
        outcome.unwrap_or_else(|error| refusal(&error))
    }

    fn attach(
        &self,
        program: &mut BtfTracePoint,
        name: &str,
        hook: Hook,
    ) -> Result<ProgramState, ProgramError> {
        program.load(name, &self.types)?;
        if let Hook::LateTracepoint(..) = hook {
            return Ok(ProgramState::Loaded);
        }
        program.attach()?;
        Ok(ProgramState::Attached)
    }
}

/// A loaded object; dropping it detaches and unloads everything.
pub struct LoadedObject {
    name: &'static str,
    ebpf: Ebpf,
    statuses: Vec<(ProgramSpec, ProgramState)>,
    /// Of programs attached on demand.
    links: Vec<(&'static str, BtfTracePointLink)>,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl LoadedObject {
    /// Whether a program is loaded (and attached, if it is to be).
    pub fn runs(&self, program: &str) -> bool {
        self.statuses.iter().any(|(spec, state)| {
            spec.name == program && matches!(state, ProgramState::Attached | ProgramState::Loaded)
        })
    }

    /// Why a program does not run; `None` if it does.
    pub fn refusal(&self, program: &str) -> Option<String> {
        self.statuses
            .iter()
            .find(|(spec, _)| spec.name == program)
            .and_then(|(_, state)| match state {
                ProgramState::Attached | ProgramState::Loaded | ProgramState::Unused => None,
                ProgramState::Unsupported(why) | ProgramState::Refused(why) => {
                    Some(format!("{program}: {why}"))
                }
            })
    }

    /// Descriptor of a loaded iterator program.
    pub fn iterator(&self, name: &str) -> Option<BorrowedFd<'_>> {
        let program: &Iter = self.ebpf.program(name)?.try_into().ok()?;
        program.fd().ok().map(AsFd::as_fd)
    }

    /// Descriptor of a map.
    pub fn map(&self, name: &str) -> Option<BorrowedFd<'_>> {
        match self.ebpf.map(name)? {
            Map::SkStorage(map) | Map::HashMap(map) | Map::Array(map) | Map::Unsupported(map) => {
                Some(map.fd().as_fd())
            }
            _ => None,
        }
    }

    /// Passes the programs' diagnostics on to the agent's log.
    pub fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    /// Takes a map out of the object.
    ///
    /// # Errors
    /// It is missing.
    pub fn take(&mut self, name: &str) -> anyhow::Result<Map> {
        self.ebpf
            .take_map(name)
            .with_context(|| format!("no map {name}"))
    }

    /// Takes a ring buffer out of the object.
    ///
    /// # Errors
    /// It is missing or cannot be mapped.
    pub fn ring(&mut self, name: &str) -> anyhow::Result<RingBuf<MapData>> {
        let map = self.take(name)?;
        RingBuf::try_from(map).with_context(|| format!("cannot map ring buffer {name}"))
    }

    /// Takes a per-CPU array out of the object.
    ///
    /// # Errors
    /// It is missing or of another type.
    pub fn per_cpu<T: aya::Pod>(&mut self, name: &str) -> anyhow::Result<PerCpuArray<MapData, T>> {
        let map = self.take(name)?;
        PerCpuArray::try_from(map).with_context(|| format!("map {name} is of another type"))
    }

    /// Takes a hash map out of the object.
    ///
    /// # Errors
    /// It is missing or of other types.
    pub fn hash<K: aya::Pod, V: aya::Pod>(
        &mut self,
        name: &str,
    ) -> anyhow::Result<HashMap<MapData, K, V>> {
        let map = self
            .ebpf
            .take_map(name)
            .with_context(|| format!("no map {name}"))?;
        HashMap::try_from(map).with_context(|| format!("map {name} is of another type"))
    }

    /// State of every program, with run statistics while the kernel keeps them.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.statuses
            .iter()
            .map(|(spec, state)| {
                let counted = self
                    .ebpf
                    .program(spec.name)
                    .and_then(|program| program.info().ok())
                    .map(|info| (info.run_count(), info.run_time()))
                    .filter(|(count, _)| *count > 0);
                ProgramStatus {
                    object: self.name,
                    name: spec.name.to_owned(),
                    hook: spec.hook.name(),
                    state: state.clone(),
                    run_count: counted.map(|(count, _)| count),
                    run_time_ns: counted
                        .map(|(_, time)| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
                }
            })
            .collect()
    }
}

/// A loader without the kernel's types: our objects hold no relocations against them. The library
/// parses them all the same; on a thread of its own, what that leaves behind is in a heap of its
/// own, of which nothing else keeps a part, and goes back whole.
fn bare_loader() -> Result<EbpfLoader<'static>, KernelError> {
    let made = std::thread::spawn(|| {
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        loader
    });
    let loader = made
        .join()
        .map_err(|_| KernelError("the loader could not be made".into()))?;
    give_back();
    Ok(loader)
}
