//! A verdict in words: what happens, with its figures, and what to do.

use super::{history::WINDOW, verdict::Evidence};
use crate::{
    collect::listen::TaskUse,
    model::{Saturation, SaturationReason},
};

/// What is said beside the evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures<'a> {
    /// Whose listener it is.
    pub process: &'a str,
    /// Network namespace of the socket.
    pub netns: u32,
    /// Wait of the connection at the head, seconds; `None` if unknown.
    pub oldest_wait: Option<f64>,
    /// Requests dropped or reset over the window.
    pub turned_away: u64,
}

/// The verdict with its words.
pub(super) fn explain(
    reason: SaturationReason,
    evidence: &Evidence,
    figures: &Figures<'_>,
) -> Saturation {
    let (what, advice) = match reason {
        SaturationReason::WorkersBusy => (
            format!(
                "{}; {}",
                waiting(evidence, figures),
                busy(evidence, figures)
            ),
            busy_advice(evidence.tasks.as_ref()),
        ),
        SaturationReason::CpuStarved => (
            format!(
                "{}; {}",
                waiting(evidence, figures),
                busy(evidence, figures)
            ),
            "Give them more CPU: move or slow down what competes with them, or raise their CPU \
             weight or quota; more workers would wait for a CPU as well"
                .to_owned(),
        ),
        SaturationReason::BacklogTooSmall => (
            format!(
                "{} dropped in the last {WINDOW} s: bursts overrun the queue (limit {}), though \
                 it drains at once",
                were(figures.turned_away, "connection request"),
                evidence.limit
            ),
            match evidence.somaxconn {
                Some(most) => format!(
                    "Raise the backlog given to listen(); net.core.somaxconn allows {most} here"
                ),
                None => "Raise the backlog given to listen()".to_owned(),
            },
        ),
    };
    Saturation {
        reason,
        netns: figures.netns,
        what,
        advice,
    }
}

fn waiting(evidence: &Evidence, figures: &Figures<'_>) -> String {
    let verb = if evidence.queue == 1 { "waits" } else { "wait" };
    let connections = plural(u64::from(evidence.queue), "connection");
    let oldest = match figures.oldest_wait {
        Some(seconds) if evidence.queue > 0 => format!(", the oldest for {seconds:.1} s"),
        _ => String::new(),
    };
    format!("{connections} {verb} (limit {}){oldest}", evidence.limit)
}

/// What the accepting tasks do with their time.
fn busy(evidence: &Evidence, figures: &Figures<'_>) -> String {
    let Some(tasks) = &evidence.tasks else {
        return format!(
            "{} does not come to accept them, and what its threads do could not be read",
            figures.process
        );
    };
    let share = |seconds: f64| {
        let all = tasks.seconds * f64::from(tasks.threads.max(1));
        (100.0 * seconds / all.max(f64::MIN_POSITIVE)).min(100.0)
    };
    let (running, starving) = (share(tasks.running), share(tasks.waiting));
    let workers = if tasks.threads == tasks.processes {
        plural(u64::from(tasks.processes), "worker")
    } else {
        let threads = plural(u64::from(tasks.threads), "thread");
        format!(
            "{threads} in {}",
            plural(u64::from(tasks.processes), "process")
        )
    };
    format!(
        "{workers} of {} ran for {running:.0} % of the time, waited for a CPU for {starving:.0} % \
         and for something else for {:.0} %",
        figures.process,
        (100.0 - running - starving).max(0.0)
    )
}

fn busy_advice(tasks: Option<&TaskUse>) -> String {
    let computing = tasks.is_some_and(|tasks| {
        tasks.running >= 0.5 * tasks.seconds * f64::from(tasks.threads.max(1))
    });
    let cure = if computing {
        "They compute: make requests cheaper, or start more workers if CPUs are idle"
    } else {
        "Start more workers, or make requests shorter"
    };
    format!("{cure}; a longer backlog only makes clients wait longer")
}

fn plural(count: u64, what: &str) -> String {
    match (count, what) {
        (1, what) => format!("1 {what}"),
        (count, "process") => format!("{count} processes"),
        (count, what) => format!("{count} {what}s"),
    }
}

fn were(count: u64, what: &str) -> String {
    let verb = if count == 1 { "was" } else { "were" };
    format!("{} {verb}", plural(count, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: Figures<'_> = Figures {
        process: "hhsession",
        netns: 7,
        oldest_wait: Some(4.23),
        turned_away: 12,
    };

    fn evidence(tasks: Option<TaskUse>) -> Evidence {
        Evidence {
            limit: 128,
            queue: 129,
            somaxconn: Some(4096),
            tasks,
            ..Evidence::default()
        }
    }

    #[test]
    fn one_sentence_each() {
        let tasks = TaskUse {
            processes: 2,
            threads: 2,
            seconds: 5.0,
            running: 0.2,
            waiting: 0.1,
        };
        let said = explain(
            SaturationReason::WorkersBusy,
            &evidence(Some(tasks)),
            &FIGURES,
        );
        assert_eq!(
            said.what,
            "129 connections wait (limit 128), the oldest for 4.2 s; 2 workers of hhsession ran \
             for 2 % of the time, waited for a CPU for 1 % and for something else for 97 %"
        );
        assert_eq!(
            said.advice,
            "Start more workers, or make requests shorter; a longer backlog only makes clients \
             wait longer"
        );
        let computing = TaskUse {
            processes: 1,
            threads: 4,
            running: 15.0,
            ..tasks
        };
        let said = explain(
            SaturationReason::WorkersBusy,
            &evidence(Some(computing)),
            &FIGURES,
        );
        assert!(
            said.what
                .contains("4 threads in 1 process of hhsession ran for 75 %")
        );
        assert!(said.advice.starts_with("They compute"));
        let said = explain(
            SaturationReason::CpuStarved,
            &evidence(Some(tasks)),
            &FIGURES,
        );
        assert!(said.advice.starts_with("Give them more CPU"));
        let said = explain(SaturationReason::BacklogTooSmall, &evidence(None), &FIGURES);
        assert_eq!(
            said.what,
            "12 connection requests were dropped in the last 60 s: bursts overrun the queue \
             (limit 128), though it drains at once"
        );
        assert!(said.advice.ends_with("net.core.somaxconn allows 4096 here"));
        let said = explain(SaturationReason::WorkersBusy, &evidence(None), &FIGURES);
        assert!(said.what.ends_with("could not be read"));
        assert_eq!(said.netns, 7);
    }
}
