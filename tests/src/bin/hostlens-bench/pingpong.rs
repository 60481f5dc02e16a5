//! What the agent does to traffic it watches, on one connection: 64 bytes to and fro, and as many
//! bytes as go in one direction. By walks, and with programs that run for each segment or packet.

use anyhow::Context as _;
use hostlens_tests::agent::Agent;

use super::{
    helper::Helper,
    report::{Report, Verdict, short},
    stats::Samples,
};

/// Round trips of one measurement.
const TRIPS: u32 = 100_000;
/// Mebibytes of one measurement.
const MEBIBYTES: u32 = 4_000;

/// A load and what it is counted in.
struct Traffic {
    load: &'static str,
    setting: &'static str,
    unit: &'static str,
    amount: u32,
}

const ALL: [Traffic; 2] = [
    Traffic {
        load: "pingpong",
        setting: "ping-pong",
        unit: "round trip",
        amount: TRIPS,
    },
    Traffic {
        load: "bulk",
        setting: "bulk",
        unit: "MiB",
        amount: MEBIBYTES,
    },
];

/// Measures and judges.
pub fn measure(passes: usize, report: &mut Report) -> anyhow::Result<()> {
    for traffic in ALL {
        eprintln!("{}", traffic.setting);
        traffic.measure(passes, report)?;
    }
    Ok(())
}

impl Traffic {
    fn measure(&self, passes: usize, report: &mut Report) -> anyhow::Result<()> {
        let mut load = Helper::start(self.load, None)?;
        let [mut without, mut walk, mut ack, mut response, mut dns] =
            std::array::from_fn(|_| Figures::default());
        self.pass(&mut load)?;
        for _ in 0..passes {
            without.push(self.pass(&mut load)?);
            for (figures, option) in [
                (&mut walk, ""),
                (&mut ack, "--rtt-source ack"),
                (&mut response, "--response-time on"),
                (&mut dns, "--dns"),
            ] {
                // Once per second: five times as often as by default.
                let agent = Agent::start(&format!("--interval 1s {option}"));
                figures.push(self.pass(&mut load)?);
                drop(agent);
            }
        }
        for (figures, agent) in [
            (&walk, "agent"),
            (&ack, "agent, --rtt-source ack"),
            (&response, "agent, --response-time on"),
            (&dns, "agent, --dns"),
        ] {
            let pairs = [
                ("time", &figures.wall, &without.wall),
                ("CPU", &figures.cpu, &without.cpu),
            ];
            for (what, with, without) in pairs {
                let what = format!("{what} per {}, with {agent}", self.unit);
                // Who asks for a program per packet asks for its price.
                let asked = agent != "agent";
                judge(self.setting, &what, with, without, asked, report);
            }
        }
        Ok(())
    }

    fn pass(&self, load: &mut Helper) -> anyhow::Result<(f64, f64)> {
        let answer = load.ask(&self.amount.to_string())?;
        let micros = |word: Option<&str>| -> anyhow::Result<f64> {
            let nanos: f64 = word.context("half an answer")?.parse()?;
            Ok(nanos / 1e3 / f64::from(self.amount))
        };
        let mut words = answer.split_ascii_whitespace();
        Ok((micros(words.next())?, micros(words.next())?))
    }
}

/// Microseconds per unit.
#[derive(Default)]
struct Figures {
    wall: Samples,
    cpu: Samples,
}

impl Figures {
    fn push(&mut self, (wall, cpu): (f64, f64)) {
        self.wall.push(wall);
        self.cpu.push(cpu);
    }
}

/// Beyond this spread of the rounds, per cent, the machine is too busy to tell.
const TOO_NOISY: f64 = 15.0;

/// Within noise: the medians differ by less than the middle half of the rounds without an agent
/// do among themselves. No verdict on what was `asked` for.
fn judge(
    setting: &str,
    what: &str,
    with: &Samples,
    without: &Samples,
    asked: bool,
    report: &mut Report,
) {
    let noise = without.spread();
    let more = with.median() - without.median();
    let percent = |figure: f64| 100.0 * figure / without.median();
    let figure = format!(
        "{} µs; without {} µs ({:+.1} %)",
        short(with.median()),
        short(without.median()),
        percent(more)
    );
    let target = format!("within noise (here {:.1} %)", percent(noise));
    if asked {
        report.info(
            setting,
            what,
            format!("{figure}; noise {:.1} %", percent(noise)),
        );
    } else {
        let verdict = if percent(noise) > TOO_NOISY {
            Verdict::Unknown("the machine is too busy".into())
        } else {
            Verdict::of(more <= noise)
        };
        report.judged(setting, what, figure, &target, verdict);
    }
}
