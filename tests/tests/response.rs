//! Times to first byte: what one agent says of both sides of the same conversations, against
//! what client and server stamp themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    agent::Agent,
    bracket::Bracket,
    deadline::some_attempt,
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Turn, offers},
    netns::Netns,
    response::{
        COMPARED, Clients, PEER_TIME, RESPONSE, Row, SERVE, Server, WAIT, enough, same_bucket,
    },
    tcp_truth::quantile,
    workload::Names,
};

/// Questions in all.
const QUESTIONS: usize = 300;
const ATTEMPTS: usize = 3;

/// Each way of the link.
const DELAY: Duration = Duration::from_millis(20);

/// 5 ms ± 50 % behind 20 ms each way: what is waited for, and who is to blame for how much of it,
/// over IPv4 and IPv6, both ends in namespaces that are not the agent's.
#[test]
fn network_and_peer_are_told_apart_behind_a_link() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let (asks, answers) = (names.workload("asks"), names.workload("answers"));
    let agent = Agent::start("--ebpf on --response-time on");
    let plain = Agent::start("--ebpf on");
    let link = DelayLink::new(&Delay::of(DELAY));
    for far in FAR {
        some_attempt(far, ATTEMPTS, || {
            let mut server = Server::start(&answers, far, "2500 7500", &link.far);
            let mut clients = Clients::start(&asks, &server, "4 75", &link.near);
            let waited = clients.converse();
            let served = server.served();
            agent.await_cycles(3);
            let (scrape, beside) = (agent.scrape(), plain.scrape());
            let peer = Row::outbound(server.address);
            enough(peer.count(&scrape, RESPONSE), QUESTIONS)?;
            peer.histogram_agrees(&scrape, RESPONSE, &waited, QUESTIONS / 100)?;
            peer.quantiles_agree(&scrape, RESPONSE, &waited, &COMPARED)?;
            // What the link was late by may count as the peer's, its known delay never does.
            let beyond = waited
                .iter()
                .map(|waited| waited - 2.0 * DELAY.as_secs_f64());
            Bracket::new(served.iter().copied(), beyond).holds(&scrape, &peer, PEER_TIME)?;
            let client = Row::inbound(server.address);
            enough(client.count(&scrape, RESPONSE), QUESTIONS)?;
            client.histogram_agrees(&scrape, RESPONSE, &served, QUESTIONS / 100)?;
            client.quantiles_agree(&scrape, RESPONSE, &served, &COMPARED)?;
            let listener = Row::listener(server.address);
            enough(listener.count(&scrape, SERVE), QUESTIONS)?;
            listener.histogram_agrees(&scrape, SERVE, &served, QUESTIONS / 100)?;
            // Nobody queues: what was read was read at once.
            let wait = listener.mean(&scrape, WAIT)?;
            if wait > 0.001 {
                return Err(format!("waited {wait} s to be read"));
            }
            for row in [&peer, &client] {
                let [here, there] =
                    [&scrape, &beside].map(|scrape| row.quantile(scrape, "tcp_rtt", "0.5"));
                let (here, there) = (here?, there?);
                println!("round trips {here:.6} s, unwatched {there:.6} s");
                if !same_bucket(here, there) {
                    return Err(format!("round trips {here} s, unwatched {there} s"));
                }
            }
            Ok(())
        });
    }
}

/// One thread serves four clients: each answer takes 5 ms, but for most of the time a request
/// waits for those before it.
#[test]
fn waiting_and_serving_are_told_apart() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let (asks, answers) = (names.workload("asks"), names.workload("oneserves"));
    let agent = Agent::start("--ebpf on --response-time on");
    let namespace = Netns::new();
    some_attempt("waiting and serving", ATTEMPTS, || {
        let arguments = "4500 5500 --workers one";
        let mut server = Server::start(&answers, "127.0.0.1", arguments, &namespace);
        let mut clients = Clients::start(&asks, &server, "4 75", &namespace);
        let waited = clients.converse();
        let served = server.served();
        agent.await_cycles(3);
        let scrape = agent.scrape();
        for row in [Row::outbound(server.address), Row::inbound(server.address)] {
            enough(row.count(&scrape, RESPONSE), QUESTIONS)?;
            row.histogram_agrees(&scrape, RESPONSE, &waited, QUESTIONS / 100)?;
            row.quantiles_agree(&scrape, RESPONSE, &waited, &COMPARED)?;
        }
        let listener = Row::listener(server.address);
        enough(listener.count(&scrape, SERVE), QUESTIONS)?;
        listener.histogram_agrees(&scrape, SERVE, &served, QUESTIONS / 100)?;
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let (wait, serve) = (
            listener.mean(&scrape, WAIT)?,
            listener.mean(&scrape, SERVE)?,
        );
        let expected = mean(&waited) - mean(&served);
        println!(
            "wait {wait:.6} s, truth {expected:.6} s; serve {serve:.6} s, truth {:.6} s; p50 of all {:.6} s",
            mean(&served),
            quantile(&waited, 0.5),
        );
        let right = same_bucket(wait, expected) && same_bucket(serve, mean(&served));
        right
            .then_some(())
            .ok_or_else(|| format!("wait {wait} s for {expected} s, serve {serve} s"))
    });
}
