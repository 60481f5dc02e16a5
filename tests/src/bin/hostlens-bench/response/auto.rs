//! The rate of requests at which `--response-time auto` gives up at its default budget.

use anyhow::Context as _;
use hostlens_tests::agent::Agent;
use serde_json::Value;

use crate::{
    helper::Helper,
    report::{Report, short},
};

/// Round trips a second at first: far below.
const FIRST: f64 = 1_000.0;
/// More each time.
const STEP: f64 = 1.25;
/// Seconds at each rate: the agent looks at one at least.
const SECONDS: f64 = 4.0;
/// What one connection cannot exceed here.
const MOST: f64 = 100_000.0;

/// Measures.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (setting, what) = ("turns, auto", "round trips a second for 1 % of a core");
    let mut load = Helper::start("pingpong", None)?;
    let agent = Agent::start("--interval 1s --response-time auto");
    let mut below = None;
    let mut rate = FIRST;
    while rate < MOST {
        let count = (rate * SECONDS) as u32;
        let answer = load.ask(&format!("{count} {rate}"))?;
        let nanos = answer
            .split_ascii_whitespace()
            .next()
            .context("half an answer")?;
        let reached = f64::from(count) * 1e9 / nanos.parse::<f64>()?;
        let look = Look::at(&agent)?;
        if look.detachments > 0 {
            let below =
                below.map_or_else(|| "nothing".to_owned(), |below: f64| format!("{below:.0}"));
            let figure = format!(
                "{reached:.0}, both ends here; stays at {below}. It measured {} ns per run",
                look.run_ns.map_or_else(|| "no".to_owned(), short)
            );
            report.info(setting, what, figure);
            return Ok(());
        }
        below = Some(reached);
        // A connection that takes no more: this is the most there can be.
        if reached < rate / STEP {
            break;
        }
        rate *= STEP;
    }
    let most = below.unwrap_or_default();
    report.unknown(
        setting,
        what,
        "",
        format!("stays at {most:.0}, the most one connection takes"),
    );
    Ok(())
}

/// What the agent says of it.
struct Look {
    detachments: u64,
    run_ns: Option<f64>,
}

impl Look {
    fn at(agent: &Agent) -> anyhow::Result<Self> {
        let status = agent.status();
        let told = status
            .get("response_time")
            .context("/status has no response_time")?;
        Ok(Self {
            detachments: told
                .get("detachments")
                .and_then(Value::as_u64)
                .context("no detachments")?,
            run_ns: told
                .get("run_seconds")
                .and_then(Value::as_f64)
                .map(|seconds| seconds * 1e9),
        })
    }
}
