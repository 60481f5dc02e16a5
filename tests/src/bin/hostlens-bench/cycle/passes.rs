//! The passes of hostlens itself: raw, with kernel programs, without, in turns.

use anyhow::ensure;
use hostlens::{
    engine::{EbpfMode, Engine, EngineOptions},
    model::{BirthGate, ResponseMode, ResponseState, ResponseStatus, Scope, Snapshot},
};

use super::Own;
use crate::{
    cpu,
    plan::{self, Held, Options, Scale},
    raw::Raw,
    stats::Samples,
};

/// Cycles until every process was read for the first time, at most.
const WARM_UP: usize = 200;

/// What cycles cost, CPU milliseconds.
#[derive(Default)]
pub struct Cycles {
    /// Whole cycles.
    pub total: Samples,
    /// By stage: its share of the time, of the CPU time.
    pub stages: Vec<(&'static str, Samples)>,
    /// Sockets and processes seen last.
    scope: Scope,
    /// Label sets of peers and processes in the last snapshot.
    sets: [usize; 2],
    /// What times to first byte cost by then.
    response: ResponseStatus,
}

impl Cycles {
    /// One measured cycle.
    pub fn pass(&mut self, engine: &mut Engine) -> anyhow::Result<()> {
        let (snapshot, cost) = cpu::own(|| engine.cycle(BirthGate::default()))?;
        self.total.push(cost.millis());
        self.scope = snapshot.own.scope;
        self.sets = [snapshot.peers.len(), snapshot.processes.len()];
        self.response = snapshot.own.response_time;
        let share = cost.millis() / cost.wall.as_secs_f64();
        for stage in &snapshot.own.stages {
            let spent = stage.last_seconds * share;
            match self.stages.iter_mut().find(|(name, _)| *name == stage.name) {
                Some((_, samples)) => samples.push(spent),
                None => {
                    let mut samples = Samples::default();
                    samples.push(spent);
                    self.stages.push((stage.name, samples));
                }
            }
        }
        Ok(())
    }

    /// How much there was to see.
    pub fn seen(&self) -> String {
        let Scope {
            connections,
            processes,
            namespaces,
            ..
        } = self.scope;
        let [peers, groups] = self.sets;
        format!(
            "{connections} sockets, {processes} processes, {namespaces} namespaces, \
             {peers} peer sets, {groups} process sets"
        )
    }

    /// What else is on this host, if it is more than an idle system brings along.
    pub fn strangers(&self, scale: Scale) -> Option<String> {
        let sockets = self.scope.connections.saturating_sub(scale.sockets.into());
        let processes = self.scope.processes.saturating_sub(scale.processes.into());
        (sockets > 500 || processes > 300)
            .then(|| format!("{sockets} more sockets and {processes} more processes here"))
    }

    /// Sum of the stages that `part` takes.
    pub fn part(&self, part: impl Fn(&str) -> bool) -> Samples {
        let mut stages = self.stages.iter().filter(|(name, _)| part(name));
        let first = stages.next().map(|(_, samples)| samples.clone());
        stages.fold(first.unwrap_or_default(), |sum, (_, samples)| {
            sum.zip(samples, |a, b| a + b)
        })
    }
}

/// Measures.
pub fn measure(load: &mut Held, options: &Options) -> anyhow::Result<Own> {
    let mut raw = Raw::start()?;
    let mut bpf = Engine::start(&EngineOptions {
        response_mode: options.response_time,
        ..plan::options(EbpfMode::On)
    })?;
    let mut fallback = plan::engine(EbpfMode::Off)?;
    warm_up(&mut bpf, load)?;
    warm_up(&mut fallback, load)?;
    let mut own = Own {
        raw_sockets: Samples::default(),
        raw_tasks: Samples::default(),
        bpf: Cycles::default(),
        fallback: Cycles::default(),
        watched: None,
    };
    for _ in 0..options.passes {
        load.stir()?;
        bpf.drain();
        let (bytes, cost) = cpu::own(|| raw.sockets())?;
        ensure!(bytes? > 0, "the raw iterator over sockets sees nothing");
        own.raw_sockets.push(cost.millis());
        let (bytes, cost) = cpu::own(|| raw.tasks())?;
        ensure!(bytes? > 0, "the raw iterator over tasks sees nothing");
        own.raw_tasks.push(cost.millis());
        own.bpf.pass(&mut bpf)?;
        own.fallback.pass(&mut fallback)?;
    }
    if options.response_time != ResponseMode::Off {
        own.watched = Some(watched(&own.bpf.response)?);
    }
    Ok(own)
}

/// That they were watched, and how often their programs ran.
fn watched(status: &ResponseStatus) -> anyhow::Result<String> {
    ensure!(
        status.state == ResponseState::Attached,
        "times to first byte are not watched: {:?}",
        status.state
    );
    Ok(format!("watched; {} runs of their programs", status.runs))
}

/// Cycles until the memory of all processes was read once, which spreads over several.
pub fn warm_up(engine: &mut Engine, load: &mut Held) -> anyhow::Result<Snapshot> {
    for cycle in 0..WARM_UP {
        load.stir()?;
        let snapshot = engine.cycle(BirthGate::default());
        if cycle > 1 && snapshot.own.scope.memory_pending == 0 {
            return Ok(snapshot);
        }
    }
    anyhow::bail!("the memory of some processes was still not read after {WARM_UP} cycles")
}
