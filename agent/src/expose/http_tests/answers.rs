//! What the paths answer.

use super::*;

#[test]
fn every_path_answers_and_the_others_do_not() {
    let server = Running::ready(Limits::default());
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "/metrics?collect[]=x",
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        ("/status", "application/json"),
        ("/readyz", "text/plain; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
    ] {
        let answer = server.get(path);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, content_type),
            "{path}"
        );
        assert!(!answer.body.is_empty(), "{path}");
        let head = server.ask(&get(path, "").replace("GET", "HEAD"));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    for path in ["/metric", "/metrics/", "/../etc/passwd", "/%2e%2e/", "//"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = server.ask(&get("/metrics", "content-length: 0\r\n").replace("GET", method));
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "get, head"),
            "{method}"
        );
    }
}

#[test]
fn before_the_first_cycle_there_is_nothing_to_scrape() {
    let server = Running::new(Limits::default());
    assert_eq!(server.get("/metrics").status, 503);
    assert_eq!(server.get("/readyz").status, 503);
    assert_eq!(server.get("/healthz").status, 200);
    assert!(server.get("/").text().contains("not done yet"));
    let status: Value = serde_json::from_slice(&server.get("/status").body).unwrap();
    assert_eq!(
        (&status["ready"], &status["cycle"]),
        (&Value::Bool(false), &Value::Null)
    );
    server.store.put(1, fixture::small());
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn the_accept_header_chooses_the_format() {
    let server = Running::ready(Limits::default());
    let openmetrics = server.ask(&get("/metrics", "accept: application/openmetrics-text\r\n"));
    assert!(
        openmetrics
            .header("content-type")
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(openmetrics.text().ends_with("# EOF\n"));
    assert_eq!(openmetrics.header("vary"), "accept");
    let protobuf = server.ask(&get(
        "/metrics",
        "accept: text/plain;q=0.1\r\naccept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n",
    ));
    assert!(
        protobuf
            .header("content-type")
            .contains("encoding=delimited")
    );
    assert_eq!(
        protobuf.header("content-length"),
        protobuf.body.len().to_string()
    );
}

#[test]
fn concurrent_scrapes_share_one_encoding() {
    let server = Running::ready(Limits::default());
    server.store.put(5, fixture::wide(100, 100));
    std::thread::scope(|scope| {
        let scrapes: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| server.get("/metrics").body))
            .collect();
        let mut bodies = scrapes.into_iter().map(|scrape| scrape.join().unwrap());
        let first = bodies.next().unwrap();
        assert!(bodies.all(|body| body == first));
    });
    let encodings = || {
        let status: Value = serde_json::from_slice(&server.get("/status").body).unwrap();
        let text = status["server"]["formats"][0].clone();
        assert_eq!(text["format"], "text");
        (
            text["encodings"].as_u64().unwrap(),
            text["scrapes"].as_u64().unwrap(),
        )
    };
    assert_eq!(encodings(), (1, 16));
    server.get("/metrics");
    assert_eq!(encodings(), (1, 17));
    server.store.put(6, fixture::small());
    server.get("/metrics");
    assert_eq!(encodings(), (2, 18));
}

#[test]
fn scrapers_are_known_by_what_they_were_served() {
    let server = Running::ready(Limits::default());
    let floor = || server.scrapers.gate(Moment::now()).served_floor;
    server.ask(&get("/metrics", "user-agent: a\r\n").replace("GET", "HEAD"));
    server.get("/status");
    assert_eq!(floor(), None);
    server.ask(&get("/metrics", "user-agent: a\r\n"));
    assert_eq!(floor(), Some(1));
    server.store.put(4, fixture::small());
    server.ask(&get("/metrics", "user-agent: b\r\n"));
    assert_eq!(floor(), Some(1));
    server.ask(&get("/metrics", "user-agent: a\r\n"));
    assert_eq!(floor(), Some(4));
    let status: Value = serde_json::from_slice(&server.get("/status").body).unwrap();
    assert_eq!(status["scrapers"][0]["user_agent"], "a");
    assert_eq!(status["scrapers"][0]["address"], "127.0.0.1");
    assert_eq!(status["degraded"], true);
    assert_eq!(status["programs"][1]["reason"], "EPERM");
}

#[test]
fn a_scrape_never_waits_for_a_newer_snapshot() {
    let server = Running::ready(Limits::default());
    let before = server.store.reads.load(Ordering::Relaxed);
    server.get("/metrics");
    assert_eq!(server.store.reads.load(Ordering::Relaxed), before + 1);
}

#[test]
fn every_address_is_served() {
    let server = Running::ready(Limits::default());
    assert_ne!(server.address, server.second);
    let mut stream = TcpStream::connect(server.second).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(get("/healthz", "").as_bytes()).unwrap();
    assert_eq!(Answer::read(stream).status, 200);
}
