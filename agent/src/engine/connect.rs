//! Attempts to connect that fail before anything is sent; a source of its own for the TCP table.

use crate::{
    clock::Moment,
    collect::{TcpSink, connect::bpf::ConnectBpf, tcp::netns::Namespace},
    kernel::Kernel,
    model::{Lost, MapFill, ProgramStatus, SourceStatus},
};

/// The source, or why there is none.
pub struct ConnectStage {
    source: Result<Box<ConnectBpf>, String>,
    /// Programs that were tried and not used.
    refused: Vec<ProgramStatus>,
}

impl ConnectStage {
    /// Attaches the programs, if possible. There is nothing to fall back to: the kernel counts
    /// packets without a route, whatever the protocol, and other refusals not at all.
    pub fn start(kernel: &Result<Kernel, String>) -> Self {
        let (source, refused) = match kernel {
            Ok(kernel) => match ConnectBpf::start(kernel) {
                Ok(source) => (Ok(Box::new(source)), Vec::new()),
                Err((why, refused)) => (Err(why), refused),
            },
            Err(why) => (Err(why.clone()), Vec::new()),
        };
        Self { source, refused }
    }

    /// Takes over what failed since the last call.
    pub fn drain(&mut self, namespaces: &[Namespace], sink: &mut dyn TcpSink) {
        if let Ok(source) = &mut self.source {
            source.drain(Moment::now(), namespaces, sink);
        }
    }

    /// The source of the signal.
    pub fn source(&self) -> SourceStatus {
        let (source, degraded) = match &self.source {
            Ok(source) => ("bpf_cgroup_connect", source.partial().map(str::to_owned)),
            Err(why) => {
                let unseen = format!("connects that fail for want of a route are not seen: {why}");
                ("absent", Some(unseen))
            }
        };
        SourceStatus {
            signal: "tcp_connect_local",
            source,
            degraded,
        }
    }

    /// Programs, those refused included.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        let attached = self.source.iter().flat_map(|source| source.programs());
        attached.chain(self.refused.iter().cloned()).collect()
    }

    /// Losses.
    pub fn lost(&self) -> [Lost; 2] {
        let counts = self.source.as_ref();
        let (attempts, malformed) =
            counts.map_or((0, 0), |source| (source.lost(), source.malformed()));
        [("connect_attempt", attempts), ("malformed", malformed)]
            .map(|(what, count)| Lost { what, count })
    }

    /// Attempts held.
    pub fn map(&self) -> Option<MapFill> {
        self.source.as_ref().ok().map(|source| source.fill())
    }
}
