//! Questions and answers on one connection, timed by both ends while hostlens watches: what it
//! says beside what they saw.
//!
//! The answer is one JSON object on standard output:
//!
//! ```text
//! turns       questions asked
//! response    seconds each waited for, from before the question was sent until its answer began
//! serve       seconds each was worked on, from when it was read until before it was answered
//! exposition  lines of the exposition about the connection's two ends
//! ```

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Argument that makes this program do that.
pub const RESPONSE: &str = "response";

/// Where the agent is asked.
const AGENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7002);
/// Where questions are answered.
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7001);
/// How lines about either end name it.
const PORT: &str = "_port=\"7001\"";
/// What those lines begin with.
const FAMILIES: [&str; 4] = [
    "hostlens_tcp_response_",
    "hostlens_tcp_peer_time_",
    "hostlens_tcp_accept_to_read_wait_",
    "hostlens_tcp_serve_",
];
/// Questions.
const TURNS: u32 = 150;
/// The shortest answer takes so long; an emulated machine adds tenths of it.
const SHORTEST: Duration = Duration::from_millis(10);
/// Longest wait for the agent to watch: an emulated machine takes long to verify its programs.
const START: Duration = Duration::from_secs(120);
/// Longest wait for an answer of it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often its figures are looked at, once a second, until all answers are in them.
const LOOKS: u32 = 8;
const QUESTION: [u8; 200] = [b'?'; 200];
const ANSWER: [u8; 2000] = [b'!'; 2000];

/// Runs hostlens, asks, prints.
///
/// # Errors
/// It does not start, or loopback TCP does not work.
pub fn run() -> Result<(), String> {
    let listener = TcpListener::bind(SERVER).map_err(|error| format!("{SERVER}: {error}"))?;
    let _agent = Agent::start()?;
    let client = TcpStream::connect(SERVER).map_err(|error| format!("{SERVER}: {error}"))?;
    let server = thread::spawn(move || serve(&listener));
    let response = ask(client).map_err(|error| format!("asking: {error}"))?;
    let serve = server.join().map_err(|_| "the server failed".to_owned())?;
    let serve = serve.map_err(|error| format!("answering: {error}"))?;
    let answer = json!({
        "turns": TURNS,
        "response": response,
        "serve": serve,
        "exposition": exposition()?,
    });
    println!("{answer}");
    Ok(())
}

/// Asks one question after another; how long each answer took to begin, seconds.
fn ask(mut stream: TcpStream) -> io::Result<Vec<f64>> {
    stream.set_nodelay(true)?;
    let mut answer = ANSWER;
    let mut times = Vec::new();
    for _ in 0..TURNS {
        let start = Instant::now();
        stream.write_all(&QUESTION)?;
        let (first, rest) = answer.split_at_mut(1);
        stream.read_exact(first)?;
        times.push(start.elapsed().as_secs_f64());
        stream.read_exact(rest)?;
    }
    Ok(times)
}

/// Answers until the client is gone; how long each question was worked on, seconds.
fn serve(listener: &TcpListener) -> io::Result<Vec<f64>> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut question = QUESTION;
    let mut times = Vec::new();
    for number in 0.. {
        match stream.read_exact(&mut question) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        let start = Instant::now();
        // From 1 to 3 times the shortest, in an order that repeats late.
        thread::sleep(SHORTEST + SHORTEST * (number * 7 % 41) / 20);
        times.push(start.elapsed().as_secs_f64());
        stream.write_all(&ANSWER)?;
    }
    Ok(times)
}

/// The exposition's lines once they hold all answers, or what they hold after a while.
fn exposition() -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for _ in 0..LOOKS {
        thread::sleep(Duration::from_secs(1));
        lines = get("/metrics")?
            .lines()
            .filter(about)
            .map(str::to_owned)
            .collect();
        let counts: Vec<f64> = lines.iter().filter_map(|line| count(line)).collect();
        let all = counts.iter().all(|&count| count >= f64::from(TURNS));
        // Responses both ways, waiting, serving; and what is new is 0 until it was scraped.
        if counts.len() >= 4 && all {
            break;
        }
    }
    Ok(lines)
}

/// Whether a line is about either end of the connection; buckets say less than the quantiles.
fn about(line: &&str) -> bool {
    let told = FAMILIES.iter().any(|family| line.starts_with(family));
    told && line.contains(PORT) && !line.contains("_bucket{")
}

/// A histogram's number of observations, if the line says that.
fn count(line: &str) -> Option<f64> {
    let (_, value) = line.split_once("_count{")?;
    value.rsplit(' ').next()?.parse().ok()
}

/// hostlens, watching; killed when dropped.
struct Agent(Child);

impl Agent {
    fn start() -> Result<Self, String> {
        let child = Command::new("/hostlens")
            .args(["agent", "--interval", "1s", "--response-time", "on"])
            .arg(format!("--listen={AGENT}"))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("/hostlens: {error}"))?;
        let agent = Self(child);
        let end = Instant::now() + START;
        loop {
            let said = match get("/status") {
                Ok(text) => state(&text),
                Err(error) => error,
            };
            if said == "attached" {
                return Ok(agent);
            }
            if Instant::now() > end {
                return Err(format!("nothing is watched: {said}"));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It can only have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the status object says of it.
fn state(status: &str) -> String {
    let status: Value = serde_json::from_str(status).unwrap_or_default();
    let watched = status.get("response_time").unwrap_or(&Value::Null);
    match watched.get("state").and_then(Value::as_str) {
        Some("attached") => "attached".to_owned(),
        _ => watched.to_string(),
    }
}

/// The agent's answer.
fn get(path: &str) -> Result<String, String> {
    let name = |error: io::Error| format!("{AGENT}{path}: {error}");
    let mut stream = TcpStream::connect(AGENT).map_err(name)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(name)?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {AGENT}\r\nAccept: text/plain\r\n\r\n"
    )
    .map_err(name)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(name)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(format!(
            "{AGENT}{path}: {}",
            answer.lines().next().unwrap_or("nothing")
        )),
    }
}
