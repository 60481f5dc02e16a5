//! Times to first byte: runs the programs while they are wanted and affordable, aggregates what
//! they saw.

mod meter;
mod switch;

use std::time::Duration;

use hostlens_ebpf::wire::TurnCost;

use super::{options::EngineOptions, part::Part, tcp::TcpStage};
use crate::{
    aggregate::{Listeners, TurnConfig, TurnTable},
    clock::Moment,
    collect::tcp::turns::Turns,
    model::{
        BirthGate, Budget, Detached, ListenerTurnRow, Lost, MapFill, ResponseExclusions,
        ResponseMode, ResponseRow, ResponseState, ResponseStatus, SourceStatus, budget,
    },
    request::ResponseRequest,
};

use switch::{Order, Switch};

/// Name of the signal.
const SIGNAL: &str = "response_time";
/// Window of the quantiles.
const WINDOW: Duration = Duration::from_secs(60);

/// The part of a cycle that is about times to first byte.
pub struct ResponseStage {
    turns: Result<Turns, String>,
    switch: Switch,
    request: ResponseRequest,
    mode: ResponseMode,
    table: TurnTable,
    /// The programs ran since start: there may be something to take.
    ran: bool,
}

impl ResponseStage {
    /// Prepares the programs where there are some for TCP; nothing runs yet.
    pub fn start(tcp: &mut TcpStage, options: &EngineOptions) -> Self {
        let mode = options.response_mode;
        let turns = tcp.turns();
        if let (Err(why), ResponseMode::On | ResponseMode::Auto) = (&turns, mode) {
            options.ebpf.announce(SIGNAL, why);
        }
        Self {
            turns,
            switch: Switch::new(mode, options.response_budget),
            request: options.response_request.clone(),
            mode,
            table: TurnTable::new(TurnConfig {
                budget: options.label_sets(budget::RESPONSES),
                listener_budget: options.label_sets(budget::LISTENER_TURNS),
                window: WINDOW,
                retention: options.retention,
            }),
            ran: false,
        }
    }

    /// Runs the programs from now on, or no longer; several times a second.
    pub fn drain(&mut self, tcp: &mut TcpStage) {
        let Ok(turns) = &self.turns else {
            return;
        };
        let at = Moment::now();
        let asked = self.request.wanted();
        let idle = self.mode == ResponseMode::Off && !asked && !self.switch.attached();
        // Who never ran has counted nothing; while nobody wants it that is not looked at.
        let cost = match self.ran && !idle {
            true => turns.cost(),
            false => TurnCost::default(),
        };
        match self.switch.tick(at, asked, cost) {
            None => {}
            Some(Order::Attach) => match tcp.source.attach_turns() {
                Ok(()) => {
                    tracing::debug!("times to first byte: watched from now on");
                    self.ran = true;
                }
                Err(why) => {
                    if self.switch.refused(at, why.clone()) {
                        tracing::warn!("{SIGNAL}: {why}");
                    }
                }
            },
            Some(Order::Stop) => {
                tcp.source.detach_turns();
                tracing::debug!("times to first byte: no longer watched");
            }
            Some(Order::Rest {
                cores,
                pause,
                again,
            }) => {
                tcp.source.detach_turns();
                let text = format!(
                    "times to first byte cost {:.3}% of a core, which is above --response-budget: \
                     not watched for {} s",
                    cores * 100.0,
                    pause.as_secs()
                );
                match again {
                    true => tracing::debug!("{text}"),
                    false => tracing::warn!("{text}"),
                }
            }
        }
    }

    /// Takes what the programs saw until now.
    pub fn cycle(&mut self) {
        let now = Moment::now();
        // Also once they no longer run: something may be left over.
        if let (Ok(turns), true) = (&mut self.turns, self.ran) {
            turns.take(now, &mut self.table);
        }
        self.table.finish(now);
    }

    /// Peers.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ResponseRow> {
        self.table.rows(sequence, gate)
    }

    /// What was left out; after [`ResponseStage::rows`].
    pub fn exclusions(&self) -> Vec<ResponseExclusions> {
        self.table.exclusions()
    }

    /// Listeners, which are known now.
    pub fn listeners(
        &mut self,
        sequence: u64,
        gate: BirthGate,
        listeners: &dyn Listeners,
    ) -> Vec<ListenerTurnRow> {
        self.table.listener_rows(sequence, gate, listeners)
    }

    /// Whether it is watched, and what that costs.
    pub fn status(&self) -> ResponseStatus {
        let status = self.switch.status(Moment::now(), self.request.remaining());
        match &self.turns {
            Ok(_) => status,
            Err(why) => ResponseStatus {
                state: ResponseState::Detached(Detached::Unsupported(why.clone())),
                ..status
            },
        }
    }
}

impl Part for ResponseStage {
    fn sources(&self) -> Vec<SourceStatus> {
        if self.mode == ResponseMode::Off {
            // Nothing was promised.
            return Vec::new();
        }
        let status = self.status();
        let degraded = match status.state {
            ResponseState::Attached | ResponseState::Detached(Detached::NotWanted) => None,
            ResponseState::Detached(Detached::Unsupported(why)) => Some(why),
            // Figures would make another series of it each cycle; they are told elsewhere.
            ResponseState::Detached(Detached::TooExpensive { .. }) => {
                Some("not watched: cost more than --response-budget; tried again later".into())
            }
        };
        vec![SourceStatus {
            signal: SIGNAL,
            source: match self.turns {
                Ok(_) => "bpf_tcp_probe",
                Err(_) => "absent",
            },
            degraded,
        }]
    }

    fn lost(&self) -> Vec<Lost> {
        let turns = self.turns.as_ref().ok();
        let lost = turns.map(|turns| Lost {
            what: "response_time",
            count: turns.lost(),
        });
        lost.into_iter().collect()
    }

    fn maps(&self) -> Vec<MapFill> {
        let turns = self.turns.as_ref().ok();
        turns.map(Turns::fill).into_iter().collect()
    }

    fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    fn held(&self) -> u64 {
        self.table.held()
    }
}
