//! Times to first byte of real servers, against what their clients and their own logs say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    agent::Agent,
    daemon::{
        curl::{self, Transfers},
        nginx::Nginx,
        postgres::{self, Load, Postgres},
        redis::Redis,
        upstream::Upstream,
    },
    delay_link::{Delay, DelayLink, FAR},
    netns::Netns,
};

#[test]
fn truths() {
    let ns = Netns::new();
    let t = std::time::Instant::now();
    let pg = Postgres::start(&ns, "127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4");
    println!("pg up {:?}", t.elapsed());
    let show = |name: &str, mut v: Vec<f64>| {
        v.sort_by(f64::total_cmp);
        println!(
            "{name}: n {} mean {:.5} p50 {:.5} p95 {:.5}",
            v.len(),
            v.iter().sum::<f64>() / v.len() as f64,
            v[v.len() / 2],
            v[v.len() * 95 / 100]
        );
    };
    for (address, protocol) in [
        ("127.0.0.1", "simple"),
        ("127.0.0.2", "extended"),
        ("127.0.0.3", "prepared"),
    ] {
        let load = Load {
            address,
            protocol,
            clients: 4,
            transactions: 75,
        };
        show(
            protocol,
            pg.bench(
                &load,
                "\\set us random(2500, 7500)\nselect pg_sleep(:us / 1000000.0);\n",
            ),
        );
    }
    let load = Load {
        address: "127.0.0.4",
        protocol: "extended",
        clients: 2,
        transactions: 100,
    };
    show("pipe", pg.bench(&load, "\\startpipeline\nselect pg_sleep(0.002);\nselect pg_sleep(0.002);\nselect pg_sleep(0.002);\n\\endpipeline\n"));
    let load = Load {
        address: "127.0.0.4",
        protocol: "simple",
        clients: 2,
        transactions: 200,
    };
    show("tpcb", pg.bench_builtin(&load));
    drop(pg);
    println!("pg done {:?}", t.elapsed());
    let r = Redis::start(&ns, "127.0.0.1", 6379, "");
    println!(
        "{:?}",
        r.benchmark("-n 300 -c 1 -r 1000000000 DEBUG SLEEP 0.__rand_int__e1")
    );
    println!("{:?}", r.calls("debug"));
    println!("{:?}", r.benchmark("-n 200 -c 4 DEBUG SLEEP 0.005"));
    println!("{:?}", r.calls("debug"));
    println!("redis {:?}", t.elapsed());
    let link = DelayLink::new(&Delay::of(Duration::from_millis(20)));
    let up = Upstream::start(
        &link.far,
        &format!("{}:8000", FAR[0]),
        Duration::from_millis(5),
    );
    let nginx = Nginx::start(&link.near, &format!(
        "upstream kept {{ server {0}; keepalive 32; }}
         server {{ listen 127.0.0.1:8080; listen 127.0.0.1:8443 ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;
           location /kept {{ proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection ''; }}
           location /closed {{ proxy_pass http://{0}; }} }}", up.address));
    for path in ["kept", "closed"] {
        let Transfers {
            first_byte,
            connections,
        } = curl::get(
            &link.near,
            "--parallel --parallel-max 8",
            &format!("http://127.0.0.1:8080/{path}?[1-200]"),
        );
        println!("conns {connections}");
        show(path, first_byte);
        let all = nginx.await_requests(&format!("/{path}"), 200);
        show("total", all.iter().map(|r| r.total).collect());
        show(
            "upstream",
            all.iter().map(|r| r.upstream.unwrap()).collect(),
        );
    }
    show("served", up.served());
    let Transfers {
        first_byte,
        connections,
    } = curl::get(
        &link.near,
        "--http1.1",
        "https://127.0.0.1:8443/kept?[1-20]",
    );
    println!("conns {connections}");
    show("tls", first_byte);
    let Transfers {
        first_byte,
        connections,
    } = curl::get(
        &link.near,
        "--http2 --parallel --parallel-max 20",
        "https://127.0.0.1:8443/kept?[1-200]",
    );
    println!("conns {connections}");
    show("h2", first_byte);
    println!("all {:?}", t.elapsed());
    let _ = postgres::PORT;
}
