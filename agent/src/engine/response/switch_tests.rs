//! The switch against a simulated load.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// As often as the engine looks.
const TICK: Duration = Duration::from_millis(80);
/// Time per run in the simulation, ns, with entering and leaving.
const RUN_NS: u64 = 500;
/// What it may cost.
const BUDGET: f64 = 0.01;
/// Loads, in runs per second, below the budget and above it.
const LIGHT: u64 = 10_000;
const HEAVY: u64 = 40_000;

/// A switch, a load, and what was ordered when, in seconds.
struct World {
    switch: Switch,
    start: Moment,
    now: Moment,
    cost: TurnCost,
    orders: Vec<(u64, Order)>,
}

impl World {
    fn new(mode: ResponseMode) -> Self {
        let now = Moment::now();
        Self {
            switch: Switch::new(mode, BUDGET),
            start: now,
            now,
            cost: TurnCost::default(),
            orders: Vec::new(),
        }
    }

    fn tick(&mut self, asked: bool, per_second: u64) {
        if self.switch.attached() {
            let runs = per_second * TICK.as_millis() as u64 / 1_000;
            self.cost.runs += runs;
            self.cost.timed += runs / 64;
            self.cost.timed_ns += runs / 64 * (RUN_NS - 40);
        }
        if let Some(order) = self.switch.tick(self.now, asked, self.cost) {
            let after = self.now.since(self.start).as_secs();
            self.orders.push((after, order));
        }
        self.now = self.now.plus(TICK);
    }

    fn run(&mut self, seconds: u64, asked: bool, per_second: u64) {
        let until = self.now.plus(Duration::from_secs(seconds));
        while self.now.mono_ns < until.mono_ns {
            self.tick(asked, per_second);
        }
    }

    fn status(&self) -> ResponseStatus {
        self.switch.status(self.now, None)
    }

    /// When it was attached, and how long it was to rest afterwards: seconds.
    fn tries(&self) -> Vec<u64> {
        let attached = self.orders.iter();
        let attached = attached.filter(|(_, order)| *order == Order::Attach);
        attached.map(|(after, _)| *after).collect()
    }

    fn rests(&self) -> Vec<u64> {
        let rests = self.orders.iter().filter_map(|(_, order)| match order {
            Order::Rest { pause, .. } => Some(pause.as_secs()),
            _ => None,
        });
        rests.collect()
    }
}

#[test]
fn off_runs_only_while_it_is_asked_for() {
    let mut world = World::new(ResponseMode::Off);
    world.run(60, false, LIGHT);
    assert!(world.orders.is_empty());
    assert_eq!(
        world.status(),
        ResponseStatus {
            budget_cores: Some(BUDGET),
            ..ResponseStatus::default()
        }
    );
    world.run(10, true, LIGHT);
    assert_eq!(world.status().state, ResponseState::Attached);
    world.run(10, false, LIGHT);
    assert_eq!(world.orders, [(60, Order::Attach), (70, Order::Stop)]);
    let status = world.status();
    assert_eq!(status.state, ResponseState::Detached(Detached::NotWanted));
    assert_eq!((status.runs, status.detachments), (world.cost.runs, 0));
    assert!(
        status
            .cost_cores
            .is_some_and(|cores| (cores / 0.005 - 1.0).abs() < 0.01)
    );
    assert_eq!(status.run_ns, Some(500.0));
}

#[test]
fn on_runs_whatever_it_costs() {
    let mut world = World::new(ResponseMode::On);
    world.run(100, false, HEAVY);
    assert_eq!(world.orders, [(0, Order::Attach)]);
    let status = world.status();
    assert_eq!((status.budget_cores, status.detachments), (None, 0));
    assert!(
        status
            .cost_cores
            .is_some_and(|cores| (cores / 0.02 - 1.0).abs() < 0.01)
    );
}

#[test]
fn auto_rests_longer_each_time_a_try_is_too_expensive() {
    let mut world = World::new(ResponseMode::Auto);
    world.run(3_000, false, HEAVY);
    let rests = [30, 60, 120, 240, 480, 600, 600, 600, 600];
    assert_eq!(world.rests(), rests);
    for (pair, rest) in world.tries().windows(2).zip(rests) {
        // A try takes a second, and the tick at which that is seen.
        assert!(
            (rest + 1..=rest + 2).contains(&(pair[1] - pair[0])),
            "{pair:?}"
        );
    }
    assert_eq!(world.status().detachments, 9);
    let again: Vec<bool> = world
        .orders
        .iter()
        .filter_map(|(_, order)| match order {
            Order::Rest { again, cores, .. } => {
                assert!((cores / 0.02 - 1.0).abs() < 0.01, "{cores}");
                Some(*again)
            }
            _ => None,
        })
        .collect();
    assert!(!again[0] && again[1..].iter().all(|again| *again));
}

#[test]
fn auto_says_when_it_tries_again_and_returns_as_load_falls() {
    let mut world = World::new(ResponseMode::Auto);
    world.run(10, false, HEAVY);
    let ResponseState::Detached(Detached::TooExpensive { retry_in }) = world.status().state else {
        panic!("{:?}", world.status());
    };
    assert!((Duration::from_secs(20)..Duration::from_secs(22)).contains(&retry_in));
    world.run(30, false, LIGHT);
    assert_eq!(world.status().state, ResponseState::Attached);
    // The try held for less than a minute: the next rest is longer. Then for more.
    world.run(10, false, HEAVY);
    world.run(60 + 70, false, LIGHT);
    world.run(10, false, HEAVY);
    assert_eq!(world.rests(), [30, 60, 30]);
}

#[test]
fn who_asks_is_bound_by_the_budget_and_not_by_those_before() {
    let mut world = World::new(ResponseMode::Off);
    world.run(150, true, HEAVY);
    assert_eq!(world.rests(), [30, 60, 120]);
    // Nobody wants it: nothing is tried, and nothing is said of a next try.
    world.run(60, false, HEAVY);
    assert_eq!(
        world.status().state,
        ResponseState::Detached(Detached::NotWanted)
    );
    // Still at rest, whoever asks.
    world.run(1, true, HEAVY);
    assert_eq!(world.rests().len(), 3);
    world.run(200, false, HEAVY);
    world.run(10, true, HEAVY);
    assert_eq!(world.rests(), [30, 60, 120, 30]);
}

#[test]
fn what_cannot_be_attached_is_said_and_tried_again() {
    let mut world = World::new(ResponseMode::Auto);
    world.tick(false, LIGHT);
    assert!(world.switch.refused(world.now, "no memory".into()));
    let unsupported = Detached::Unsupported("no memory".into());
    assert_eq!(world.status().state, ResponseState::Detached(unsupported));
    world.run(29, false, LIGHT);
    assert_eq!(world.tries(), [0]);
    world.run(2, false, LIGHT);
    assert_eq!(
        (world.tries(), world.status().state),
        (vec![0, 30], ResponseState::Attached)
    );
    let mut again = World::new(ResponseMode::On);
    again.tick(false, LIGHT);
    again.switch.refused(again.now, "no memory".into());
    again.run(31, false, LIGHT);
    assert!(again.switch.refused(again.now, "no memory".into()));
    assert_eq!(again.status().detachments, 0);
}

proptest! {
    #[test]
    fn never_above_the_budget_for_long_and_never_unwanted(
        phases in prop::collection::vec((any::<bool>(), 0_u64..60_000, 1_u64..400), 1..12),
        auto in any::<bool>(),
    ) {
        let mode = if auto { ResponseMode::Auto } else { ResponseMode::Off };
        let mut world = World::new(mode);
        let mut above = 0_u32;
        for (asked, load, ticks) in phases {
            for _ in 0..ticks {
                world.tick(asked, load);
                let attached = world.switch.attached();
                prop_assert!(!attached || asked || auto);
                prop_assert_eq!(world.status().state == ResponseState::Attached, attached);
                let too_much = load as f64 * RUN_NS as f64 / 1e9 > BUDGET * 1.1;
                above = if attached && too_much { above + 1 } else { 0 };
                // A window that began before, and one whole.
                prop_assert!(above <= 28, "{}", above);
            }
        }
        let rests = world.rests();
        prop_assert_eq!(world.status().detachments, rests.len() as u64);
        prop_assert!(rests.iter().all(|pause| (30..=600).contains(pause)));
        // Attaching and detaching alternate.
        for (index, (_, order)) in world.orders.iter().enumerate() {
            prop_assert_eq!(*order == Order::Attach, index % 2 == 0);
        }
    }
}
