//! All turns and their groups.

use hostlens_ebpf::wire::{Direction, ListenKey, RttKey, TurnGroup};

use super::{
    Listeners, TurnConfig,
    account::{TurnAccount, activity},
    left_out::LeftOutSum,
    listeners::ListenerTurns,
};
use crate::{
    aggregate::{birth::View, group::Groups, tcp::peer_key},
    clock::Moment,
    collect::{TurnSamples, TurnSink},
    model::{BirthGate, Budget, ListenerTurnRow, PeerKey, ResponseExclusions, ResponseRow},
};

/// Turns of one direction.
#[derive(Debug)]
struct Side {
    direction: Direction,
    groups: Groups<PeerKey, TurnAccount>,
    left_out: LeftOutSum,
}

impl Side {
    fn new(direction: Direction, config: &TurnConfig) -> Self {
        Self {
            direction,
            groups: Groups::new(config.budget, config.retention),
            left_out: LeftOutSum::new(direction),
        }
    }

    fn rows(&mut self, view: &View) -> Vec<ResponseRow> {
        self.left_out.show(view);
        self.groups.arrange(view);
        // No number of a group is kept here.
        let _ = self.groups.compact();
        let folded = PeerKey::Folded(self.direction);
        let rows = self.groups.rows().into_iter();
        rows.map(|view| ResponseRow {
            key: view.key.copied().unwrap_or(folded),
            held: view.held,
            response: view.account.first.seconds.clone(),
            quantiles: view.account.first.quantiles(),
            peer_quantiles: view.account.second.quantiles(),
            rate: view.account.rate,
            excluded: view.account.left_out,
        })
        .collect()
    }
}

/// Turns histograms of groups of connections into those of rows. Turns may come at any time; per
/// cycle [`TurnTable::finish`], then rows.
#[derive(Debug)]
pub struct TurnTable {
    config: TurnConfig,
    inbound: Side,
    outbound: Side,
    listeners: ListenerTurns,
    now: Option<Moment>,
    seconds: f64,
}

impl TurnTable {
    /// An empty table.
    pub fn new(config: TurnConfig) -> Self {
        Self {
            inbound: Side::new(Direction::Inbound, &config),
            outbound: Side::new(Direction::Outbound, &config),
            listeners: ListenerTurns::new(config.listener_budget, config.retention),
            config,
            now: None,
            seconds: 0.0,
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Inbound => &mut self.inbound,
            Direction::Outbound | Direction::Unknown => &mut self.outbound,
        }
    }

    /// A cycle is over at `at`: every turn until then was handed in. To be called whether or not
    /// turns are watched, as rows end with time.
    pub fn finish(&mut self, at: Moment) {
        self.seconds = self
            .now
            .map_or(0.0, |before| at.since(before).as_secs_f64());
        self.now = Some(at);
    }

    fn view(&self, sequence: u64, gate: BirthGate) -> Option<View> {
        Some(View {
            sequence,
            gate,
            now: self.now?,
            seconds: self.seconds,
            window_ns: u64::try_from(self.config.window.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The rows of the snapshot with this sequence: inbound, then outbound, heaviest first, all
    /// folded groups of a direction last. To be called once after each `finish`: it also decides
    /// who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<ResponseRow> {
        let Some(view) = self.view(sequence, gate) else {
            return Vec::new();
        };
        let mut rows = self.inbound.rows(&view);
        rows.extend(self.outbound.rows(&view));
        rows
    }

    /// Turns left out, of each direction that had any turn; as of the last [`TurnTable::rows`].
    pub fn exclusions(&self) -> Vec<ResponseExclusions> {
        let sides = [&self.inbound, &self.outbound].into_iter();
        sides.filter_map(|side| side.left_out.row()).collect()
    }

    /// Rows of listeners, which are known now; otherwise as [`TurnTable::rows`], but all folded
    /// ones are last.
    pub fn listener_rows(
        &mut self,
        sequence: u64,
        gate: BirthGate,
        listeners: &dyn Listeners,
    ) -> Vec<ListenerTurnRow> {
        match self.view(sequence, gate) {
            Some(view) => self.listeners.rows(&view, listeners),
            None => Vec::new(),
        }
    }

    /// State of the budgets.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![
            self.inbound.groups.budget("response_inbound"),
            self.outbound.groups.budget("response_outbound"),
            self.listeners.budget(),
        ]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        let exclusions = self.exclusions();
        let exclusions = exclusions.iter().filter(|row| row.held).count() as u64;
        let peers = self.inbound.groups.held() + self.outbound.groups.held();
        peers + self.listeners.held() + exclusions
    }
}

impl TurnSink for TurnTable {
    fn response(&mut self, key: &RttKey, turns: &TurnSamples) {
        let side = self.side(Direction::from_wire(key.direction));
        side.left_out.add(turns);
        // A member only while turns are handed in: nothing of it is a gauge.
        let group = side.groups.join(peer_key(key));
        let weight = activity(turns, turns.first.sum_ns());
        side.groups.cycle(group, weight).add(turns);
        side.groups.leave(group);
    }

    fn listener(&mut self, listener: &ListenKey, turns: &TurnSamples) {
        self.listeners.add(listener, turns);
    }

    fn elsewhere(&mut self, group: TurnGroup, turns: &TurnSamples) {
        let direction = match group {
            TurnGroup::Listener => return self.listeners.elsewhere(turns),
            TurnGroup::Inbound => Direction::Inbound,
            TurnGroup::Outbound => Direction::Outbound,
        };
        let side = self.side(direction);
        side.left_out.add(turns);
        side.groups.other_cycle().add(turns);
    }
}
