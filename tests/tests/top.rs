//! `hostlens top` in a real terminal, and its output for programs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use hostlens_tests::{
    agent::run,
    deadline::{PATIENCE, poll_until, some_attempt},
    host::{AGENT, Need, Turn, hostlens_path, offers},
    tmux::Terminal,
    traffic::{Server, client},
    workload::{Names, Start, Workload, rounds},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

const TOOLS: &[Need] = &[Need::Tool("tmux")];
const PEER: &str = "127.9.9.9";

/// Something to see: a process that burns, one that holds memory, and a peer.
struct Scene {
    names: Names,
    server: Server,
    _pings: Workload,
    _burner: Workload,
    _mapper: Workload,
}

impl Scene {
    fn start() -> Self {
        let names = Names::new();
        let peer = names.workload("topseenpeer");
        let server = Server::start(&peer, PEER, None);
        let target = format!("{PEER}:{}", server.port);
        let mut pings = client(&peer, &format!("ping {target} 3 --pause 20"), None);
        pings.reply();
        let burn = format!("burn {}", rounds(600_000));
        let burner = Start::new(&names.workload("topseenburn"), &burn).spawn();
        let mut mapper = Start::new(&names.workload("topseenmap"), "map 700").spawn();
        mapper.reply();
        Self {
            names,
            server,
            _pings: pings,
            _burner: burner,
            _mapper: mapper,
        }
    }
}

/// The line of the screen that shows `name`.
fn line<'a>(screen: &'a str, name: &str) -> Option<(usize, &'a str)> {
    screen
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(name))
}

/// The number in the column headed `header` (aligned to the right) of the line that shows `name`.
fn cell(screen: &str, header: &str, name: &str) -> Option<f64> {
    let (_, headers) = line(screen, header)?;
    let end = headers[..headers.find(header)?].chars().count() + header.len();
    let (_, row) = line(screen, name)?;
    let left: String = row.chars().take(end).collect();
    left.split_whitespace().last()?.parse().ok()
}

/// Whether `first` is listed above `second`.
fn above(screen: &str, first: &str, second: &str) -> bool {
    // Rows start with the name; the line that shows the filter holds both names too.
    let at = |name: &str| {
        screen
            .lines()
            .position(|line| line.trim_start().starts_with(name))
    };
    matches!((at(first), at(second)), (Some(first), Some(second)) if first < second)
}

fn start_top(terminal: &Terminal, prefix: &str, arguments: &str) {
    let program = hostlens_path();
    terminal.type_text(&format!(
        "{prefix}{} top --interval 1 {arguments}",
        program.display()
    ));
    terminal.press(&["Enter"]);
}

/// Awaits the shell as it was left.
fn shell_is_back(terminal: &Terminal) {
    poll_until("the shell's screen", PATIENCE, || {
        (!terminal.in_alternate_screen())
            .then_some(())
            .ok_or_else(|| terminal.screen())
    });
    // What is typed before may reach the terminal while it is still raw.
    terminal.await_screen("the prompt", |screen| {
        let last = screen.lines().rfind(|line| !line.trim().is_empty());
        last.is_some_and(|line| line.trim() == "prompt>")
    });
    terminal.type_text("echo back-$((40+2))");
    terminal.press(&["Enter"]);
    terminal.await_screen("a working shell", |screen| {
        screen.lines().any(|line| line.trim() == "back-42") && screen.contains("left-here")
    });
}

#[test]
fn views_sorting_filter_and_resize() {
    if !offers(&[AGENT, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let _scene = Scene::start();
    let terminal = Terminal::new(140, 40);
    terminal.type_text("echo left-here");
    terminal.press(&["Enter"]);
    start_top(&terminal, "", "");
    // A share of the CPU takes two cycles to show, and the CPU is not the burner's alone.
    let screen = terminal.await_screen("processes", |screen| {
        screen.contains("PROCESS")
            && cell(screen, "CPU%", "topseenburn").is_some_and(|busy| busy > 1.0)
    });
    assert!(terminal.in_alternate_screen());
    for word in ["USER", "CPU", "Mem", "Load", "root"] {
        assert!(screen.contains(word), "no {word}:\n{screen}");
    }

    // Two known lines, so that what else runs here does not matter.
    terminal.press(&["/"]);
    terminal.type_text("topseenburn|topseenmap");
    terminal.press(&["Enter"]);
    terminal.await_screen("two lines", |screen| {
        screen.contains("topseenburn")
            && screen.contains("topseenmap")
            && !screen.contains("topseenpeer")
    });
    let order = |what: &str, key: &str, first: &str, second: &str| {
        terminal.press(&[key]);
        terminal.await_screen(what, |screen| above(screen, first, second));
    };
    order("memory first", "M", "topseenmap", "topseenburn");
    order("CPU first", "P", "topseenburn", "topseenmap");
    order("inverted", "I", "topseenmap", "topseenburn");
    terminal.press(&["I", "Escape"]);
    terminal.await_screen("all lines", |screen| screen.contains("topseenpeer"));

    terminal.press(&["2"]);
    let screen = terminal.await_screen("peers", |screen| {
        screen.contains("REMOTE") && screen.contains(PEER)
    });
    for word in ["p50", "p95", "p99", "CONNS"] {
        assert!(screen.contains(word), "no {word}:\n{screen}");
    }
    let row = line(&screen, PEER).unwrap().1;
    assert!(
        row.contains("us") || row.contains("ms"),
        "no round-trip time: {row}"
    );

    terminal.press(&["3"]);
    let screen = terminal.await_screen("connections", |screen| {
        screen.contains("STATE") && screen.contains("ESTAB") && screen.contains(PEER)
    });
    assert!(screen.contains("RTT"), "{screen}");

    terminal.press(&["1"]);
    terminal.await_screen("processes again", |screen| screen.contains("topseenburn"));
    terminal.press(&["F1"]);
    terminal.await_screen("help", |screen| screen.contains("this help"));
    terminal.press(&["Escape"]);
    terminal.await_screen("no help", |screen| !screen.contains("this help"));

    terminal.resize(80, 24);
    let screen = terminal.await_screen("a small screen", |screen| {
        let lines: Vec<&str> = screen.lines().collect();
        lines.len() == 24
            && lines[23].contains("F1")
            && screen.contains("PROCESS")
            && screen.contains("topseenburn")
    });
    println!("{screen}");
    terminal.press(&["2"]);
    terminal.await_screen("small peers", |screen| {
        screen.contains("p95") && screen.contains(PEER)
    });
    terminal.press(&["q"]);
    shell_is_back(&terminal);
}

/// Also a signal leaves the terminal as it was, and NO_COLOR means none.
#[test]
fn signals_and_colours() {
    if !offers(&[AGENT, TOOLS]) {
        return;
    }
    let _turn = Turn::take();
    let scene = Scene::start();
    let terminal = Terminal::new(100, 30);
    terminal.type_text("echo left-here");
    terminal.press(&["Enter"]);
    let shown = |screen: &str| screen.contains("REMOTE") && screen.contains(PEER);
    let pid_file = scene.names.dir().join("pid");
    let shell = format!("sh -c 'echo $$ >{}; exec \"$@\"' sh ", pid_file.display());
    start_top(&terminal, &shell, "--view peers");
    terminal.await_screen("peers", shown);
    assert!(has_colour(&terminal.screen_in_colour()), "no colour at all");
    let pid = std::fs::read_to_string(&pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("signal top");
    shell_is_back(&terminal);

    start_top(&terminal, "NO_COLOR=1 ", "--view peers");
    terminal.await_screen("peers", shown);
    let screen = terminal.screen_in_colour();
    assert!(!has_colour(&screen), "colours despite NO_COLOR: {screen:?}");
    terminal.press(&["q"]);
    shell_is_back(&terminal);
}

/// Whether any escape sequence sets a foreground or background colour.
fn has_colour(screen: &str) -> bool {
    screen.split('\x1b').skip(1).any(|sequence| {
        let parameters = sequence
            .strip_prefix('[')
            .and_then(|rest| rest.split_once('m'));
        parameters.is_some_and(|(numbers, _)| {
            numbers
                .split(';')
                .filter_map(|number| number.parse::<u8>().ok())
                .any(|number| matches!(number, 30..=38 | 40..=48 | 90..=107))
        })
    })
}

fn list<'a>(object: &'a Value, key: &str) -> &'a Vec<Value> {
    object[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key} in {object}"))
}

/// The entry of a list that has these values.
fn find<'a>(object: &'a Value, key: &str, values: &[(&str, &Value)]) -> Result<&'a Value, String> {
    let mut all = list(object, key).iter();
    all.find(|one| values.iter().all(|(name, value)| one[*name] == **value))
        .ok_or_else(|| format!("{key} without {values:?}"))
}

/// Fails unless the scene with its server on `port` is all in this object.
fn shows_the_scene(object: &Value, port: u16) -> Result<(), String> {
    let fails = |what: &Value| Err(what.to_string());
    let burner = find(object, "processes", &[("process", &"topseenburn".into())])?;
    if burner["user"] != "root" || burner["cpu"].as_f64() <= Some(0.01) {
        return fails(burner);
    }
    let mapper = find(object, "processes", &[("process", &"topseenmap".into())])?;
    if mapper["memory_bytes"]["anon"].as_u64() < Some(700 << 20) {
        return fails(mapper);
    }
    let (ip, port) = (Value::from(PEER), Value::from(port));
    let remote = [("remote_ip", &ip), ("remote_port", &port)];
    let peer = find(object, "peers", &remote)?;
    if peer["direction"] != "outbound" || peer["rtt_seconds"]["p95"].as_f64() <= Some(0.0) {
        return fails(peer);
    }
    let connections = list(object, "connections").iter();
    let ours = connections.filter(|one| remote.iter().all(|(name, value)| one[*name] == **value));
    let count = ours.count();
    (count == 3)
        .then_some(())
        .ok_or_else(|| format!("{count} connections"))
}

#[test]
fn json_holds_everything() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let scene = Scene::start();
    // In a cycle that came too early, the scene may have done nothing yet.
    some_attempt("a whole object", 3, || {
        let output = run(&["top", "--json", "-n", "3", "--interval", "1"], None);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let objects: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(objects.len(), 3, "one object per line and cycle");
        for object in &objects {
            let overview = &object["overview"];
            assert!(overview["cpus"].as_u64() > Some(0), "{overview}");
            assert!(!list(object, "sources").is_empty());
        }
        shows_the_scene(&objects[2], scene.server.port)
    });
}

#[test]
fn batch_prints_pages() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let _scene = Scene::start();
    let arguments = [
        "top",
        "--batch",
        "-n",
        "2",
        "--interval",
        "1",
        "--view",
        "peers",
    ];
    let output = run(&arguments, None);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let headers = text
        .lines()
        .filter(|line| line.starts_with("REMOTE"))
        .count();
    assert_eq!(headers, 2, "{text}");
    assert!(text.contains(PEER) && !text.contains('\x1b'), "{text}");
}

/// Without privileges it still runs, and says in one line what is missing and how to get it.
#[test]
fn unprivileged_top_says_what_is_missing() {
    if !offers(&[AGENT]) {
        return;
    }
    let _turn = Turn::take();
    let _scene = Scene::start();
    let output = run(
        &["top", "--batch", "-n", "1", "--interval", "1"],
        Some(61_237),
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(text.contains("topseenburn"), "{text}");
    assert!(
        text.lines().any(|line| line.contains("sudo")),
        "no cure:\n{text}"
    );
}
