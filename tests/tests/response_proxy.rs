//! Times to first byte through a real proxy: nginx between curl and a server of known delay,
//! against what nginx logs and curl reports.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{net::SocketAddr, time::Duration};

use hostlens_tests::{
    agent::Agent,
    bracket::{Bracket, ascending},
    daemon::{curl, nginx::Nginx, upstream::Upstream},
    deadline::some_attempt,
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Need, Turn, offers},
    netns::Netns,
    response::{Exclusions, PEER_TIME, RESPONSE, Row, SERVE, WAIT, enough},
    scrape::Scrape,
    tcp_truth::quantile,
};

const PROXY: &[Need] = &[
    Need::Tool("nginx"),
    Need::Tool("curl"),
    Need::Tool("openssl"),
];

/// Attempts; each has all servers and the agent to itself.
const ATTEMPTS: usize = 3;
const REQUESTS: usize = 200;
/// The server behind the proxy takes this, ± 50 %.
const DELAY: Duration = Duration::from_millis(10);
/// A way across the link.
const WAY: Duration = Duration::from_millis(20);
/// The log's clock ticks by the millisecond, and is read twice for a time.
const TICK: f64 = 0.001;
/// Certificates, and HTTP/2 for those who want it.
const SECURE: &str = "ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem";

fn agent() -> Agent {
    Agent::start("--ebpf on --response-time on")
}

fn look(agent: &Agent) -> Scrape {
    agent.await_cycles(3);
    agent.scrape()
}

/// The latest that times of the log can have been.
fn later(logged: &[f64]) -> impl Iterator<Item = f64> {
    logged.iter().map(|one| one + TICK)
}

/// A place in the proxy's configuration: requests on `listen` go to `upstream`, over connections
/// that are kept, or one for each, as is its way if nothing is said.
fn server(listen: &str, upstream: SocketAddr, kept: bool) -> String {
    let name = format!("at{}", upstream.port());
    let pass = if kept {
        format!("proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Connection '';")
    } else {
        format!("proxy_pass http://{upstream};")
    };
    format!(
        "upstream {name} {{ server {upstream}; keepalive 64; }}\n\
         server {{ listen {listen}; location / {{ {pass} }} }}\n"
    )
}

/// curl asks nginx, nginx asks a server 20 ms away that takes 10 ms. The log of nginx knows that
/// the server behind was late; the agent on the same host tells that it was the network: over
/// connections that are kept, and over one for each request, which the server closes with its
/// answer.
#[test]
fn a_late_upstream_is_the_network() {
    if !offers(&[AGENT, LINK, PROXY]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("two hops", ATTEMPTS, || {
        let agent = agent();
        let link = DelayLink::new(&Delay::of(WAY));
        let places = [("127.0.0.1:8081", true), ("127.0.0.1:8082", false)];
        let upstreams = places.map(|(listen, _)| {
            let port = listen.rsplit(':').next().unwrap();
            Upstream::start(&link.far, &format!("{}:{port}", FAR[0]), DELAY)
        });
        let configuration: String = places
            .iter()
            .zip(&upstreams)
            .map(|((listen, kept), upstream)| server(listen, upstream.address, *kept))
            .collect();
        let nginx = Nginx::start(&link.near, &configuration);
        let clients = places.map(|(listen, kept)| {
            let url = format!("http://{listen}/{kept}?[1-{REQUESTS}]");
            let waited = curl::get(&link.near, "--parallel --parallel-max 8", &url).first_byte;
            assert_eq!(waited.len(), REQUESTS);
            waited
        });
        let scrape = look(&agent);
        println!("left out: {}", Exclusions::of(&scrape));
        for (((listen, kept), upstream), waited) in places.into_iter().zip(&upstreams).zip(clients)
        {
            println!("kept: {kept}");
            let logged = nginx.await_requests(&format!("/{kept}"), REQUESTS);
            let front = listen.parse().unwrap();
            // What nginx waited for, and how much of it the server took itself.
            let in_log: Vec<f64> = logged.iter().filter_map(|one| one.upstream).collect();
            let served = upstream.served();
            let link = 2.0 * WAY.as_secs_f64();
            let behind = Row::outbound(upstream.address);
            enough(behind.count(&scrape, RESPONSE), REQUESTS)?;
            Bracket::new(served.iter().map(|one| one + link), later(&in_log))
                .holds(&scrape, &behind, RESPONSE)?;
            let own = Bracket::new(served, later(&in_log).map(|one| one - link));
            own.holds(&scrape, &behind, PEER_TIME)?;
            let answered = Row::inbound(upstream.address);
            enough(answered.count(&scrape, RESPONSE), REQUESTS)?;
            own.holds(&scrape, &answered, RESPONSE)?;
            // What nginx made curl wait.
            let total = logged.iter().map(|one| one.total - TICK);
            let in_front = Bracket::new(total, waited);
            for row in [Row::outbound(front), Row::inbound(front)] {
                enough(row.count(&scrape, RESPONSE), REQUESTS)?;
                in_front.holds(&scrape, &row, RESPONSE)?;
            }
            let listener = Row::listener(front);
            let [wait, serve] = [WAIT, SERVE].map(|family| listener.mean(&scrape, family));
            let (wait, serve) = (wait?, serve?);
            println!("wait {wait:.6} s, serve {serve:.6} s");
            if wait > serve / 5.0 {
                return Err(format!("{wait} s to be read, {serve} s to be served"));
            }
        }
        Ok(())
    });
}

/// The same times through TLS: what is asked and answered cannot be read, but when can be seen.
/// Setting up adds a turn or two.
#[test]
fn encryption_hides_nothing_of_the_time() {
    if !offers(&[AGENT, PROXY]) {
        return;
    }
    let _turn = Turn::take();
    const SET_UP: usize = 3;
    some_attempt("through TLS", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let upstream = Upstream::start(&namespace, "127.0.0.1:8000", DELAY);
        let listen = format!("127.0.0.1:8443 {SECURE}");
        let nginx = Nginx::start(&namespace, &server(&listen, upstream.address, true));
        let url = format!("https://127.0.0.1:8443/secret?[1-{REQUESTS}]");
        let curl = curl::get(&namespace, "--http1.1", &url);
        assert_eq!(curl.connections, 1, "connections of curl");
        let scrape = look(&agent);
        println!("left out: {}", Exclusions::of(&scrape));
        let front = "127.0.0.1:8443".parse().unwrap();
        let logged = nginx.await_requests("/secret", REQUESTS);
        let truth = Bracket::new(logged.iter().map(|one| one.total - TICK), curl.first_byte);
        for row in [Row::outbound(front), Row::inbound(front)] {
            let count = row.count(&scrape, RESPONSE);
            println!("{count} turns");
            enough(count, REQUESTS)?;
            if count > (REQUESTS + SET_UP) as f64 {
                return Err(format!("{count} turns of {REQUESTS} requests"));
            }
            truth.holds(&scrape, &row, RESPONSE)?;
        }
        Ok(())
    });
}

/// Twenty requests at a time share one connection: which answer belongs to which cannot be told
/// from outside, and the time from any question to any answer would be far too short. So there is
/// none, but for the little before that is noticed.
#[test]
fn many_streams_of_one_connection_are_left_out() {
    if !offers(&[AGENT, PROXY]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("HTTP/2", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let upstream = Upstream::start(&namespace, "127.0.0.1:8000", DELAY);
        let listen = format!("127.0.0.1:8443 {SECURE}");
        let nginx = Nginx::start(&namespace, &server(&listen, upstream.address, true));
        let url = format!("https://127.0.0.1:8443/many?[1-{}]", 10 * REQUESTS);
        let curl = curl::get(&namespace, "--http2 --parallel --parallel-max 20", &url);
        assert_eq!(curl.connections, 1, "connections of curl");
        let truth = quantile(&ascending(curl.first_byte), 0.5);
        let logged = nginx.await_requests("/many", 10 * REQUESTS);
        let in_log: Vec<f64> = logged.iter().filter_map(|one| one.upstream).collect();
        let scrape = look(&agent);
        let left_out = Exclusions::of(&scrape);
        println!("left out: {left_out}; truth p50 {truth:.6} s");
        let front = "127.0.0.1:8443".parse().unwrap();
        for (row, direction) in [
            (Row::outbound(front), "outbound"),
            (Row::inbound(front), "inbound"),
        ] {
            let count = row.count(&scrape, RESPONSE);
            let overlapping = left_out.of_reason(direction, "overlap");
            println!("{direction}: {count} published, {overlapping} left out");
            // Some are published before it is noticed.
            if overlapping < 10.0 || count > (REQUESTS / 4) as f64 {
                return Err(format!("{count} published, left out: {left_out}"));
            }
        }
        // nginx asks for each on its own: these are told as always.
        let behind = Row::outbound(upstream.address);
        enough(behind.count(&scrape, RESPONSE), 10 * REQUESTS)?;
        Bracket::new(upstream.served(), later(&in_log)).holds(&scrape, &behind, RESPONSE)
    });
}
