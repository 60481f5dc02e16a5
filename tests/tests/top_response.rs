//! Times to first byte in `hostlens top`: whether one look tells who is to blame.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use hostlens_tests::{
    deadline::PATIENCE,
    delay_link::{Delay, DelayLink, FAR},
    host::{AGENT, LINK, Need, Turn, hostlens_path, offers},
    netns::Netns,
    response::{Clients, Server},
    tmux::Terminal,
    top::Top,
    workload::Names,
};
use serde_json::Value;

const TOOLS: &[Need] = &[Need::Tool("tmux")];
/// More questions than a test has time for.
const ENDLESS: &str = "1000000";

/// A server far away that answers soon, and a near one whose clients queue for its only thread.
struct Scene {
    // Ended first: whoever asks does not like to be left.
    _clients: [Clients; 2],
    far: Server,
    near: Server,
    _link: DelayLink,
    _namespace: Netns,
    _names: Names,
}

impl Scene {
    fn start() -> Self {
        let names = Names::new();
        let (asks, answers) = (names.workload("topasks"), names.workload("topanswers"));
        let link = DelayLink::new(&Delay::of(Duration::from_millis(40)));
        let namespace = Netns::new();
        let far = Server::start(&answers, FAR[0], "2500 7500", &link.far);
        let alone = names.workload("topqueues");
        let near = Server::start(&alone, "127.0.0.1", "4500 5500 --workers one", &namespace);
        let mut clients = [
            Clients::start(&asks, &far, &format!("2 {ENDLESS}"), &link.near),
            Clients::start(&asks, &near, &format!("6 {ENDLESS}"), &namespace),
        ];
        clients.iter_mut().for_each(Clients::ask);
        Self {
            far,
            near,
            _clients: clients,
            _link: link,
            _namespace: namespace,
            _names: names,
        }
    }
}

/// The bars in the line that holds all of these words, as the letters of their parts.
fn bars<'a>(screen: &'a str, words: &[&str]) -> Vec<&'a str> {
    let mut lines = screen.lines();
    let line = lines.find(|line| words.iter().all(|word| line.contains(word)));
    let cells = line.unwrap_or_default().split_whitespace();
    let is_bar =
        |cell: &&str| cell.len() >= 8 && cell.chars().all(|letter| "npwsh".contains(letter));
    cells.filter(is_bar).collect()
}

/// Whether most of each of the two bars, median and 95th percentile, is this part.
fn blamed(bars: &[&str], part: char) -> bool {
    bars.len() == 2
        && bars
            .iter()
            .all(|bar| bar.chars().filter(|letter| *letter == part).count() * 2 > bar.len())
}

#[test]
fn one_look_tells_who_is_to_blame() {
    if !offers(&[AGENT, LINK, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let scene = Scene::start();
    let terminal = Terminal::new(160, 40);
    let program = hostlens_path();
    // Letters instead of blocks and colours.
    terminal.type_text(&format!(
        "LC_ALL=C {} top --interval 1 --view peers",
        program.display()
    ));
    terminal.press(&["Enter"]);
    let far = scene.far.address.to_string();
    let off = terminal.await_screen("peers", |screen| {
        screen.contains("Response:off") && screen.contains(&far)
    });
    assert!(!off.contains("WHERE95"), "nobody asked yet:\n{off}");

    terminal.press(&["t"]);
    let screen = terminal.await_screen("a slow network", |screen| {
        screen.contains("response times: on") && blamed(&bars(screen, &[&far, " out "]), 'n')
    });
    assert!(screen.contains("Response:on"), "{screen}");

    terminal.press(&["4"]);
    let near = format!(":{}", scene.near.address.port());
    terminal.await_screen("a listener that does not read", |screen| {
        blamed(&bars(screen, &["topqueues", &near]), 'w')
    });
    // The selected line comes first, as the slowest; what to do stands below.
    terminal.press(&["/"]);
    terminal.type_text("topqueues");
    terminal.press(&["Enter"]);
    terminal.await_screen("advice", |screen| screen.contains("Mostly waiting"));

    terminal.press(&["t"]);
    terminal.await_screen("off", |screen| {
        screen.contains("Response:off") && screen.contains("the last minute's")
    });
    terminal.press(&["q"]);
    terminal.await_screen("the shell", |screen| !screen.contains("Response:"));
}

/// The entry of a list with this port.
fn with_port<'a>(
    cycle: &'a Value,
    list: &str,
    field: &str,
    port: u16,
) -> Result<&'a Value, String> {
    let mut all = cycle[list].as_array().expect("a list").iter();
    all.find(|one| one[field] == port)
        .ok_or_else(|| format!("no {list} with {field} {port}"))
}

#[test]
fn programs_are_told_the_same() {
    if !offers(&[AGENT, LINK]) {
        return;
    }
    let _turn = Turn::take();
    let scene = Scene::start();
    let top = Top::start_with("--response-time on");
    top.await_cycle("who is to blame", PATIENCE, |cycle| {
        let time = &cycle["response_time"];
        if time["mode"] != "on" || time["state"] != "attached" || !time["cost_cores"].is_number() {
            return Err(time.to_string());
        }
        let peer = with_port(cycle, "responses", "remote_port", scene.far.address.port())?;
        let share = peer["network_ratio"].as_f64().unwrap_or_default();
        let [response, part] =
            ["response_seconds", "peer_seconds"].map(|of| peer[of]["p50"].as_f64());
        if share < 0.5 || part.is_none() || part > response {
            return Err(peer.to_string());
        }
        let port = scene.near.address.port();
        let turns = with_port(cycle, "listener_turns", "listen_port", port)?;
        let [wait, serve] = ["wait_seconds", "serve_seconds"].map(|of| turns[of]["p50"].as_f64());
        if wait <= serve || serve.is_none() || turns["process"] != "topqueues" {
            return Err(turns.to_string());
        }
        Ok(())
    });
}
