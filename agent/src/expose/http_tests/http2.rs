//! HTTP/2, as scrapers speak it through TLS.

use h2::client::SendRequest;
use hyper::{HeaderMap, Request, StatusCode};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    tls::{Authority, client, name, serve},
    web::{basic, users},
    *,
};

async fn connect(server: &Running, authority: &Authority) -> SendRequest<bytes::Bytes> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let connector = TlsConnector::from(client(authority, None, &["h2", "http/1.1"]));
    let stream = connector.connect(name(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    requests
}

fn request(path: &str, headers: &str) -> Request<()> {
    let mut request = Request::builder().uri(format!("https://127.0.0.1{path}"));
    for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

async fn ask(
    requests: &SendRequest<bytes::Bytes>,
    request: Request<()>,
) -> Result<(StatusCode, HeaderMap, Vec<u8>), h2::Error> {
    let mut requests = requests.clone().ready().await?;
    let (response, _) = requests.send_request(request, true)?;
    let (head, mut stream) = response.await?.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok((head.status, head.headers, body))
}

#[test]
fn several_requests_share_a_connection() {
    let authority = Authority::new();
    let text = users(4, &[("ann", "pass")]);
    let (_web, server) = serve("http2", &authority, &text, Limits::default());
    server.store.put(3, fixture::wide(500, 500));
    let ann = basic("ann", "pass");
    let scrape = format!("{ann}user-agent: Prometheus/2\r\n");
    server.runtime.block_on(async {
        let requests = connect(&server, &authority).await;
        let (status, ..) = ask(&requests, request("/metrics", "")).await.unwrap();
        assert_eq!(status, 401);
        // More than the windows hold, several at once.
        let one = || ask(&requests, request("/metrics", &scrape));
        let (one, two, three) = tokio::join!(one(), one(), one());
        let (status, headers, body) = one.unwrap();
        assert_eq!(status, 200);
        assert!(body.len() > 300_000, "{}", body.len());
        assert_eq!(headers["content-length"], body.len().to_string());
        assert!(body.ends_with(b"\n"));
        assert_eq!(
            (two.unwrap().2.len(), three.unwrap().2.len()),
            (body.len(), body.len())
        );
        let (status, _, body) = ask(&requests, request("/status", &ann)).await.unwrap();
        assert_eq!(status, 200);
        let status: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status["scrapers"][0]["user_agent"], "Prometheus/2");
        assert_eq!(status["scrapers"][0]["sequence"], 3);
        assert_eq!(status["server"]["connections"], 1);
        let mut head = request("/metrics", &ann);
        *head.method_mut() = hyper::Method::HEAD;
        let (status, _, body) = ask(&requests, head).await.unwrap();
        assert_eq!((status.as_u16(), body.len()), (200, 0));
    });
}

#[test]
fn excess_is_refused_here_too() {
    let authority = Authority::new();
    let (_web, server) = serve("excess", &authority, "", Limits::default());
    server.runtime.block_on(async {
        let requests = connect(&server, &authority).await;
        let status = async |path: &str, headers: &str| {
            let answer = ask(&requests, request(path, headers)).await;
            answer.map(|(status, ..)| status.as_u16())
        };
        assert_eq!(
            status(&format!("/{}", "a".repeat(5_000)), "")
                .await
                .unwrap(),
            414
        );
        let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
        assert_eq!(status("/", &many).await.unwrap(), 431);
        let long = format!("x: {}\r\n", "a".repeat(40_000));
        assert_eq!(status("/", &long).await.unwrap(), 431);
        assert_eq!(status("/healthz", "").await.unwrap(), 200);
    });
}

#[test]
fn who_takes_nothing_is_cut_off() {
    let authority = Authority::new();
    let limits = Limits {
        response: Duration::from_millis(300),
        ..Limits::default()
    };
    let (_web, server) = serve("stalled", &authority, "", limits);
    server.store.put(2, fixture::wide(500, 500));
    server.runtime.block_on(async {
        let requests = connect(&server, &authority).await;
        let mut ready = requests.clone().ready().await.unwrap();
        let (response, _) = ready.send_request(request("/metrics", ""), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        // What was sent so far is there, the rest never comes: the window is not opened.
        let mut taken = 0;
        let end = loop {
            match body.data().await {
                Some(Ok(piece)) => taken += piece.len(),
                other => break other,
            }
        };
        assert!(end.is_some(), "complete after {taken} bytes");
    });
    let config = client(&authority, None, &[]);
    let exposure = super::tls::ask(&server, &config, &get("/status", "")).unwrap();
    let status: Value = serde_json::from_slice(&exposure.body).unwrap();
    assert_eq!(status["server"]["connections_timed_out"], 1);
    assert_eq!(
        status["scrapers"],
        serde_json::json!([]),
        "it was never served whole"
    );
}

#[test]
fn an_idle_connection_is_closed() {
    let authority = Authority::new();
    let limits = Limits {
        idle: Duration::from_millis(200),
        ..Limits::default()
    };
    let (_web, server) = serve("idle2", &authority, "", limits);
    server.runtime.block_on(async {
        let requests = connect(&server, &authority).await;
        assert!(ask(&requests, request("/healthz", "")).await.is_ok());
        while ask(&requests, request("/healthz", "")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    });
}
