//! Times to first byte of PostgreSQL and Redis, against what their own load generators and books
//! say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::net::SocketAddr;

use hostlens_tests::{
    agent::Agent,
    bracket::{Bracket, within_bucket},
    daemon::{
        postgres::{self, Load, Postgres},
        redis::Redis,
    },
    deadline::{PATIENCE, poll_until, some_attempt},
    host::{AGENT, Need, Turn, offers},
    netns::Netns,
    response::{Exclusions, RESPONSE, Row, SERVE, WAIT, enough},
    scrape::Scrape,
};

const POSTGRES: &[Need] = &[Need::Tool("initdb"), Need::Tool("pgbench")];
const REDIS: &[Need] = &[
    Need::Tool("redis-server"),
    Need::Tool("redis-cli"),
    Need::Tool("redis-benchmark"),
];

/// Attempts; each has all servers and the agent to itself.
const ATTEMPTS: usize = 3;
/// Transactions of pgbench, requests of redis-benchmark.
const TURNS: usize = 300;
/// 10 ms ± 50 %.
const ONE_STATEMENT: &str = "\\set us random(5000, 15000)\nselect pg_sleep(:us / 1000000.0);\n";
/// Three statements of 2 to 6 ms, sent together.
const PIPELINE: &str = "\\set us random(2000, 6000)\n\\startpipeline\n\
    select pg_sleep(:us / 1000000.0);\nselect pg_sleep(:us / 1000000.0);\n\
    select pg_sleep(:us / 1000000.0);\n\\endpipeline\n";
/// Below this redis-benchmark chooses a number of twelve digits for each request. As a part of
/// 10 s: up to 20 ms; of 1 s: up to 2 ms.
const LONGEST: &str = "2000000000";

fn agent() -> Agent {
    Agent::start("--ebpf on --response-time on")
}

/// What the agent says when it has had the time to see everything.
fn look(agent: &Agent) -> Scrape {
    agent.await_cycles(3);
    agent.scrape()
}

/// Both ends of the connections to a server.
fn ends(address: SocketAddr) -> [Row; 2] {
    [Row::outbound(address), Row::inbound(address)]
}

/// Whether both ends have as many turns as `truth` has, and its quantiles. Connections are set up
/// by some turns of their own, up to `more` of them, shorter than most.
fn agree(scrape: &Scrape, address: SocketAddr, truth: &Bracket, more: usize) -> Result<(), String> {
    let turns = truth.most.len();
    for row in ends(address) {
        let count = row.count(scrape, RESPONSE);
        enough(count, turns)?;
        let besides = (count as usize).saturating_sub(turns);
        if besides > more {
            return Err(format!("{count} turns of {turns}: {row:?}"));
        }
        let all = truth.clone().with_short(besides);
        all.holds(scrape, &row, RESPONSE)?;
    }
    Ok(())
}

/// Turns by which libpq sets up a connection: encryption is asked for first.
const SET_UP: usize = 2;

/// Simple queries, statements parsed each time or prepared once, and a pipeline, which is one
/// question as it is sent at once and answered at its end.
#[test]
fn postgres_is_timed_as_by_pgbench() {
    if !offers(&[AGENT, POSTGRES]) {
        return;
    }
    let _turn = Turn::take();
    some_attempt("pgbench", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let loads = [
            ("127.0.0.1", "simple", ONE_STATEMENT, 1),
            ("127.0.0.2", "extended", ONE_STATEMENT, 1),
            ("127.0.0.3", "prepared", ONE_STATEMENT, 1),
            ("127.0.0.4", "extended", PIPELINE, 3),
        ];
        let server = Postgres::start(&namespace, &loads.map(|load| load.0).join(","));
        let clients = 4;
        let truths = loads.map(|(address, protocol, script, statements)| {
            let load = Load {
                address,
                protocol,
                clients,
                transactions: TURNS as u32 / clients,
            };
            let run = server.bench(&load, script, statements);
            Bracket::new(run.statements, run.transactions)
        });
        let scrape = look(&agent);
        println!("left out: {}", Exclusions::of(&scrape));
        for ((address, protocol, ..), truth) in loads.into_iter().zip(truths) {
            println!("{protocol}:");
            let address = SocketAddr::new(address.parse().unwrap(), postgres::PORT);
            // One connection is for finding out whether it works; statements are prepared by a
            // turn of their own.
            let more = (clients as usize + 1) * SET_UP + clients as usize;
            agree(&scrape, address, &truth, more)?;
            // Each connection has a process that has nothing else to do.
            let listener = Row::listener(address);
            let wait = listener.mean(&scrape, WAIT)?;
            let serve = listener.mean(&scrape, SERVE)?;
            println!("wait {wait:.6} s, serve {serve:.6} s");
            if wait > serve / 5.0 {
                return Err(format!("{wait} s to be read, {serve} s to be served"));
            }
        }
        Ok(())
    });
}

/// Seven statements each: what they wait for is what the transaction takes, less what the client
/// itself does in between.
#[test]
fn statements_of_postgres_add_up_to_transactions() {
    if !offers(&[AGENT, POSTGRES]) {
        return;
    }
    let _turn = Turn::take();
    const STATEMENTS: usize = 7;
    some_attempt("transactions", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let [fill, address] = ["127.0.0.1", "127.0.0.2"];
        let server = Postgres::start(&namespace, &format!("{fill},{address}"));
        server.fill(fill);
        let load = Load {
            address,
            protocol: "prepared",
            clients: 1,
            transactions: TURNS as u32,
        };
        let truth = server.bench_builtin(&load);
        let scrape = look(&agent);
        let address = SocketAddr::new(address.parse().unwrap(), postgres::PORT);
        for row in ends(address) {
            let (count, mean) = (row.count(&scrape, RESPONSE), row.mean(&scrape, RESPONSE)?);
            let sum = |all: &[f64]| all.iter().sum::<f64>();
            let (least, most) = (sum(&truth.statements), sum(&truth.transactions));
            let all = count * mean;
            println!("{count} turns, {all:.6} s of {least:.6} to {most:.6} s: {row:?}");
            let turns = STATEMENTS * truth.transactions.len();
            enough(count, turns)?;
            // Connections set up, statements prepared, the scale looked up.
            let set_up = count - turns as f64;
            if set_up > 4.0 * STATEMENTS as f64 || !within_bucket(all, least, most) {
                return Err(format!(
                    "{count} of {turns} turns, {all} of {least} to {most} s"
                ));
            }
        }
        Ok(())
    });
}

/// One connection: each request is served as long as it says. Then ten requests sent at once,
/// which are one question: they are answered together.
#[test]
fn redis_is_timed_as_by_its_benchmark() {
    if !offers(&[AGENT, REDIS]) {
        return;
    }
    let _turn = Turn::take();
    const DEPTH: usize = 10;
    some_attempt("redis-benchmark", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let address = |last: u8| SocketAddr::from(([127, 0, 0, last], 6379));
        let single = Redis::start(&namespace, address(1));
        let waited = single.benchmark(&format!(
            "-n {TURNS} -c 1 -r {LONGEST} DEBUG SLEEP 0.__rand_int__e1"
        ));
        let (served, _) = single.calls("debug");
        let piped = Redis::start(&namespace, address(2));
        let batches = TURNS / 2;
        let waited_piped = piped.benchmark(&format!(
            "-n {} -c 1 -P {DEPTH} -r {LONGEST} DEBUG SLEEP 0.__rand_int__",
            batches * DEPTH
        ));
        let (served_piped, _) = piped.calls("debug");
        let scrape = look(&agent);
        println!("left out: {}", Exclusions::of(&scrape));
        for row in ends(address(1)) {
            counted(&scrape, &row, TURNS)?;
            for (q, least, most) in [
                ("0.5", served.p50, waited.p50),
                ("0.95", served.p95, waited.p95),
            ] {
                let read = row.quantile(&scrape, RESPONSE, q)?;
                between(&format!("q{q}"), read, least, most)?;
            }
        }
        for row in ends(address(2)) {
            counted(&scrape, &row, batches)?;
            let read = row.mean(&scrape, RESPONSE)?;
            between(
                "mean",
                read,
                served_piped.mean * DEPTH as f64,
                waited_piped.mean,
            )?;
        }
        let serve = Row::listener(address(1)).mean(&scrape, SERVE)?;
        between("served", serve, served.mean, waited.mean)
    });
}

/// Whether a row has so many turns. Besides, redis-benchmark asks for two settings, and the test
/// for the server's books.
fn counted(scrape: &Scrape, row: &Row, turns: usize) -> Result<(), String> {
    let count = row.count(scrape, RESPONSE);
    enough(count, turns)?;
    (count <= (turns + 4) as f64)
        .then_some(())
        .ok_or_else(|| format!("{count} of {turns} turns of {row:?}"))
}

fn between(what: &str, read: f64, least: f64, most: f64) -> Result<(), String> {
    let words = format!("{what}: {read:.6} s, truth {least:.6} to {most:.6} s");
    println!("{words}");
    within_bucket(read, least, most).then_some(()).ok_or(words)
}

/// Four connections to one thread: each waits for the others. What the thread finds there at once
/// it reads request by request, serves, and answers at the end, so that the time of the others is
/// in part waiting and in part serving; all of it is what the client waited.
#[test]
fn a_queue_at_redis_is_waiting_and_serving() {
    if !offers(&[AGENT, REDIS]) {
        return;
    }
    let _turn = Turn::take();
    const CLIENTS: f64 = 4.0;
    some_attempt("a queue", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let address = SocketAddr::from(([127, 0, 0, 1], 6379));
        let redis = Redis::start(&namespace, address);
        let truth = redis.benchmark(&format!("-n {TURNS} -c {CLIENTS} DEBUG SLEEP 0.005"));
        let served = redis.calls("debug").0;
        let call = served.mean;
        let scrape = look(&agent);
        for row in ends(address) {
            counted(&scrape, &row, TURNS)?;
            let read = row.quantile(&scrape, RESPONSE, "0.5")?;
            between("q0.5", read, CLIENTS * served.p50, truth.p50)?;
        }
        let response = Row::inbound(address).mean(&scrape, RESPONSE)?;
        let listener = Row::listener(address);
        let [wait, serve] = [WAIT, SERVE].map(|family| listener.mean(&scrape, family));
        let (wait, serve) = (wait?, serve?);
        println!(
            "wait {wait:.6} s, serve {serve:.6} s, response {response:.6} s, call {call:.6} s"
        );
        let whole = ((wait + serve) / response - 1.0).abs() < 0.02;
        // On average half of those in a queue are ahead.
        let queue = wait > call && serve > call && serve < CLIENTS * call * 1.05;
        (whole && queue)
            .then_some(())
            .ok_or_else(|| format!("wait {wait}, serve {serve} of {response} s, call {call} s"))
    });
}

/// A replica opens the connection, but its server speaks whenever something was written: every few
/// ms, with a word back each second. Nothing of that is an answer.
#[test]
fn replication_is_no_answer() {
    if !offers(&[AGENT, REDIS]) {
        return;
    }
    let _turn = Turn::take();
    // Three seconds of writing; a replica says a word each second.
    const WRITES: &str = "-r 1500 -i 0.002 incr counter";
    some_attempt("replication", ATTEMPTS, || {
        let (agent, namespace) = (agent(), Netns::new());
        let address = |last: u8| SocketAddr::from(([127, 0, 0, last], 6379));
        let main = Redis::followed(&namespace, address(1), address(2));
        let _replica = Redis::replica(&namespace, address(3), address(2));
        poll_until("the replica", PATIENCE, || {
            let state = main.ask("info replication");
            let online = state.contains("state=online");
            online.then_some(()).ok_or(state)
        });
        main.ask("-r 200 -i 0.002 incr counter");
        let before = look(&agent);
        main.ask(WRITES);
        let after = look(&agent);
        let left_out = Exclusions::of(&after).since(&Exclusions::of(&before));
        println!("left out: {left_out}");
        for (row, direction) in ends(address(2)).into_iter().zip(["outbound", "inbound"]) {
            let [earlier, all] = [&before, &after].map(|scrape| row.count(scrape, RESPONSE));
            println!(
                "{direction}: {earlier} turns before, {} of pushes",
                all - earlier
            );
            let pushed = left_out.of_reason(direction, "push");
            // The first push after a rest may be taken for an answer.
            if all > earlier + 1.0 || pushed < 1.0 {
                return Err(format!("{} answers, left out {left_out}", all - earlier));
            }
        }
        Ok(())
    });
}
