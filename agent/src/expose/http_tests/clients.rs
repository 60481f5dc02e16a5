//! What clients may do to the server.

use super::*;

#[test]
fn nonsense_and_excess_get_their_status() {
    let server = Running::ready(Limits::default());
    assert_eq!(server.ask("nonsense\r\n\r\n").status, 400);
    assert_eq!(
        server.ask("GET / HTTP/1.1\r\nbad header\r\n\r\n").status,
        400
    );
    assert_eq!(server.get(&format!("/{}", "a".repeat(5_000))).status, 414);
    let long = format!("x: {}\r\n", "a".repeat(40_000));
    assert_eq!(server.ask(&get("/", &long)).status, 431);
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    assert_eq!(server.ask(&get("/", &many)).status, 431);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_connection_serves_many_requests() {
    let server = Running::ready(Limits::default());
    let mut stream = server.connect();
    for _ in 0..3 {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\nok\n") {
            let mut one = [0];
            stream.read_exact(&mut one).unwrap();
            bytes.push(one[0]);
        }
        assert_eq!(Answer::parse(&bytes).status, 200);
    }
    // Two at once.
    let two = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(two).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
}

#[test]
fn a_slow_request_is_answered_408() {
    let server = Running::ready(Limits {
        request: Duration::from_millis(100),
        ..Limits::default()
    });
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nho").unwrap();
    assert_eq!(Answer::read(slow).status, 408);
    // Who says nothing at all is not answered either.
    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
    let status: Value = serde_json::from_slice(&server.get("/status").body).unwrap();
    assert_eq!(status["server"]["connections_timed_out"], 2);
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Running::ready(Limits {
        idle: Duration::from_millis(100),
        ..Limits::default()
    });
    let mut stream = server.connect();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    assert_eq!(Answer::read(stream.try_clone().unwrap()).text(), "ok\n");
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn a_stalled_reader_is_cut_off_and_holds_up_nobody() {
    let server = Running::ready(Limits {
        response: Duration::from_secs(3),
        ..Limits::default()
    });
    server.store.put(2, fixture::wide(1_500, 1_500));
    let mut stalled = server.connect();
    // Far more than the socket buffers take.
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\nuser-agent: stalled\r\n\r\n".repeat(4);
    stalled.write_all(request.as_bytes()).unwrap();
    let full = server
        .ask(&get("/metrics", "user-agent: quick\r\n"))
        .body
        .len();
    let status = || -> Value { serde_json::from_slice(&server.get("/status").body).unwrap() };
    while status()["server"]["connections_timed_out"] == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let scrapers = status()["scrapers"].clone();
    // The socket buffers may have taken a whole response to the stalled one; it counts then too.
    let quick = |scraper: &Value| scraper["user_agent"] == "quick";
    assert!(scrapers.as_array().unwrap().iter().any(quick), "{scrapers}");
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest);
    assert!(rest.len() < 4 * full, "{} of 4 * {full}", rest.len());
}

#[test]
fn too_many_connections_are_turned_away() {
    let server = Running::ready(Limits {
        connections: 2,
        ..Limits::default()
    });
    let mut open: Vec<_> = (0..2).map(|_| server.connect()).collect();
    let answer = server.get("/healthz");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    // One leaves, another may come.
    let mut first = open.remove(0);
    first.write_all(get("/healthz", "").as_bytes()).unwrap();
    assert_eq!(Answer::read(first).status, 200);
    while server.get("/healthz").status != 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let metrics = server.get("/metrics");
    assert!(
        !metrics
            .text()
            .contains("http_connections_rejected_total 0\n")
    );
}

#[test]
fn stopping_closes_idle_connections_and_the_port() {
    let mut server = Running::ready(Limits::default());
    let mut idle = server.connect();
    let mut half = server.connect();
    half.write_all(b"GET /met").unwrap();
    assert_eq!(server.get("/healthz").status, 200);
    server.stop();
    assert!(!matches!(idle.read(&mut [0; 16]), Ok(1..)));
    assert!(!matches!(half.read(&mut [0; 16]), Ok(1..)));
    assert!(TcpStream::connect(server.address).is_err());
}
