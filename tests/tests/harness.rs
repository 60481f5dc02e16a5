//! The ground truths that the other tests lean on, shown to hold without the agent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    deadline::poll_until,
    delay_link::{Delay, DelayLink, FAR, NEAR},
    host::{LINK, Turn, offers},
    tcp_truth,
    traffic::{Server, client},
    workload::Names,
};

/// 20 ms each way show as 40 ms in the kernel's own measurement, over IPv4 and IPv6.
#[test]
fn delay_link_delays() {
    if !offers(&[LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("delayping");
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    for (near, far) in NEAR.into_iter().zip(FAR) {
        let server = Server::start(&program, far, Some(&link.far));
        let target = std::net::SocketAddr::new(far.parse().unwrap(), server.port);
        let mut pings = client(
            &program,
            &format!("ping {target} 4 --source {near}"),
            Some(&link.near),
        );
        pings.reply();
        let filter = format!("dport = {}", server.port);
        let rtts = poll_until("settled round-trip times", Duration::from_secs(15), || {
            let rtts = tcp_truth::rtts(&tcp_truth::established(&link.near, &filter));
            let settled = rtts.len() == 4 && rtts.iter().all(|rtt| (rtt - 0.040).abs() < 0.002);
            settled.then_some(rtts.clone()).ok_or(format!("{rtts:?}"))
        });
        println!("{near} to {far}: {rtts:?}");
        pings.finish();
    }
}

/// Two delays on one link, by port.
#[test]
fn delay_link_tells_ports_apart() {
    if !offers(&[LINK]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let program = names.workload("delayping");
    let link = DelayLink::new(&Delay {
        usual: Duration::from_millis(5),
        special: Some((21_000..=21_999, Duration::from_millis(40))),
    });
    let server = Server::start(&program, FAR[0], Some(&link.far));
    let target = format!("{}:{}", FAR[0], server.port);
    let fast = client(
        &program,
        &format!("ping {target} 8 --first-port 20000"),
        Some(&link.near),
    );
    let slow = client(
        &program,
        &format!("ping {target} 2 --first-port 21000"),
        Some(&link.near),
    );
    let filter = format!("dport = {}", server.port);
    let (low, high) = poll_until("both delays", Duration::from_secs(15), || {
        let rtts = tcp_truth::rtts(&tcp_truth::established(&link.near, &filter));
        if rtts.len() < 10 {
            return Err(format!("{rtts:?}"));
        }
        let (low, high) = (
            tcp_truth::quantile(&rtts, 0.5),
            tcp_truth::quantile(&rtts, 0.95),
        );
        let right = (low - 0.010).abs() < 0.001 && (high - 0.080).abs() < 0.004;
        right.then_some((low, high)).ok_or(format!("{rtts:?}"))
    });
    println!("p50 {low} p95 {high}");
    fast.finish();
    slow.finish();
}
