//! What a web configuration file demands of clients: passwords, headers, and a file that is whole.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{unix::Directory, *};
use crate::config::LiveWeb;

/// A web configuration file in a directory of its own.
pub(super) struct Web {
    pub(super) directory: Directory,
}

impl Web {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let web = Self {
            directory: Directory::new(name),
        };
        web.write("web.yml", text);
        web
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    /// Replaces a file as tools do, at once.
    pub(super) fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    pub(super) fn serve(&self, limits: Limits) -> Running {
        let server = Running::with(ServerOptions {
            limits,
            web: Some(LiveWeb::open(self.path("web.yml")).unwrap()),
            ..ServerOptions::default()
        });
        server.store.put(1, fixture::small());
        server
    }
}

/// A file that lets in users with these passwords, checked at this cost.
pub(super) fn users(cost: u32, users: &[(&str, &str)]) -> String {
    let hash = |password: &str| bcrypt::hash(password, cost).unwrap();
    let line = |(name, password): &(&str, &str)| format!("  {name}: {}\n", hash(password));
    format!(
        "basic_auth_users:\n{}",
        users.iter().map(line).collect::<String>()
    )
}

pub(super) fn basic(name: &str, password: &str) -> String {
    let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
    format!("authorization: Basic {encoded}\r\n")
}

fn exposure(server: &Running, headers: &str) -> Value {
    let answer = server.ask(&get("/status", headers));
    let status: Value = serde_json::from_slice(&answer.body).unwrap();
    status["exposure"].clone()
}

#[test]
fn only_who_has_a_password_comes_in() {
    let web = Web::new("users", &users(4, &[("ann", "s3:cret"), ("bob", "other")]));
    let server = web.serve(Limits::default());
    let ask = |headers: &str| server.ask(&get("/metrics", headers)).status;
    for _ in 0..2 {
        assert_eq!(ask(&basic("ann", "s3:cret")), 200);
        assert_eq!(ask(&basic("bob", "other")), 200);
        assert_eq!(ask(&basic("ann", "other")), 401);
        assert_eq!(ask(&basic("bob", "")), 401);
        assert_eq!(ask(&basic("eve", "s3:cret")), 401);
        assert_eq!(ask(&basic("", "")), 401);
    }
    for header in [
        "",
        "authorization: Basic\r\n",
        "authorization: Basic !\r\n",
        "authorization: Bearer x\r\n",
    ] {
        assert_eq!(ask(header), 401, "{header}");
    }
    // Nothing is left open: neither paths nor methods.
    for path in ["/", "/status", "/healthz", "/readyz", "/nothing"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("basic realm=")
        );
    }
    assert_eq!(server.ask(&post("/-/reload", "")).status, 401);
    let exposure = exposure(&server, &basic("ann", "s3:cret"));
    assert_eq!(
        (&exposure["auth"], &exposure["tls"]),
        (&"password".into(), &false.into())
    );
    assert_eq!(exposure["unauthorized"], 18);
}

#[test]
fn a_password_withdrawn_is_refused_at_once() {
    let web = Web::new("withdrawn", &users(4, &[("ann", "old")]));
    let server = web.serve(Limits::default());
    let mut stream = server.connect();
    let mut ask = |headers: &str| -> u16 {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // All answers to it end with a line.
        while !(bytes.ends_with(b"\n")
            && bytes.windows(4).any(|end| end == b"\r\n\r\n")
            && !bytes.ends_with(b"\r\n"))
        {
            let mut one = [0];
            stream.read_exact(&mut one).unwrap();
            bytes.push(one[0]);
        }
        Answer::parse(&bytes).status
    };
    assert_eq!(ask(&basic("ann", "old")), 200);
    web.write("web.yml", &users(4, &[("ann", "new")]));
    // On the same connection.
    assert_eq!(ask(&basic("ann", "old")), 401);
    assert_eq!(ask(&basic("ann", "new")), 200);
    web.write("web.yml", "");
    assert_eq!(ask(""), 200);
}

#[test]
fn a_broken_file_lets_nobody_in_until_it_is_mended() {
    let good = users(4, &[("ann", "pass")]);
    let web = Web::new("broken", &good);
    let server = web.serve(Limits::default());
    let ask = || server.ask(&get("/metrics", &basic("ann", "pass")));
    assert_eq!(ask().status, 200);
    web.write("web.yml", "basic_auth_user: {}\n");
    for _ in 0..2 {
        let answer = ask();
        assert_eq!(answer.status, 500);
        assert!(answer.text().contains("web configuration is broken"));
    }
    std::fs::remove_file(web.path("web.yml")).unwrap();
    assert_eq!(ask().status, 500);
    web.write("web.yml", &good);
    assert_eq!(ask().status, 200);
}

#[test]
fn headers_are_added_to_every_answer() {
    let web = Web::new(
        "headers",
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
         Content-Security-Policy: default-src 'self'\n    X-XSS-Protection:\n",
    );
    let server = web.serve(Limits::default());
    for path in ["/", "/metrics", "/nothing"] {
        let answer = server.get(path);
        assert_eq!(answer.header("x-frame-options"), "deny", "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'self'"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-xss-protection"), "");
    }
}

#[test]
fn wrong_passwords_do_not_hold_up_a_scrape() {
    const STRANGERS: usize = 200;
    // Dear enough that those who wait are still waiting when we look.
    let text = users(8, &[("ann", "pass")]);
    let web = Web::new("strangers", &text);
    let server = web.serve(Limits {
        connections: STRANGERS + 10,
        ..Limits::default()
    });
    let ann = basic("ann", "pass");
    assert_eq!(server.ask(&get("/metrics", &ann)).status, 200);
    let (unauthorized, busy) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for stranger in 0..STRANGERS {
            let (server, unauthorized, busy) = (&server, &unauthorized, &busy);
            scope.spawn(move || {
                let name = if stranger % 2 == 0 { "ann" } else { "eve" };
                let credentials = basic(name, &stranger.to_string());
                let answer = server.ask(&get("/metrics", &credentials));
                match answer.status {
                    401 => unauthorized.fetch_add(1, SeqCst),
                    503 => busy.fetch_add(1, SeqCst),
                    other => panic!("{other}"),
                }
            });
        }
        while busy.load(SeqCst) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        // As many wait as may, and we are served before them.
        assert_eq!(server.ask(&get("/metrics", &ann)).status, 200);
        let answered = unauthorized.load(SeqCst) + busy.load(SeqCst);
        assert!(answered < STRANGERS, "all were answered before us");
    });
    let (unauthorized, busy) = (unauthorized.into_inner(), busy.into_inner());
    assert_eq!(unauthorized + busy, STRANGERS);
    assert!(unauthorized >= 16, "{unauthorized}: as many as may wait");
    let exposure = exposure(&server, &ann);
    assert_eq!(exposure["unauthorized"], unauthorized);
    assert_eq!(exposure["passwords_not_checked"], busy);
}
