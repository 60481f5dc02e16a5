//! What is refused and with which words, and what the rules of the examples make of processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{path::Path, sync::Arc};

use proptest::prelude::*;

use super::{ConfigError, LiveConfig, Rules, Subject, file, load};

/// A process as a rule sees it.
#[derive(Clone, Debug, Default)]
struct Process {
    comm: &'static str,
    exe: Option<&'static str>,
    args: Option<&'static str>,
    user: &'static str,
    unit: &'static str,
    asked_for_args: u32,
}

impl Subject for Process {
    fn comm(&self) -> &[u8] {
        self.comm.as_bytes()
    }
    fn uid(&self) -> u32 {
        1234
    }
    fn user(&mut self) -> Arc<str> {
        self.user.into()
    }
    fn unit(&mut self) -> Arc<str> {
        self.unit.into()
    }
    fn exe(&mut self) -> Option<Vec<u8>> {
        self.exe.map(Into::into)
    }
    fn cmdline(&mut self) -> Option<Vec<u8>> {
        self.asked_for_args += 1;
        self.args.map(|args| format!("{args}\0\0").into_bytes())
    }
}

fn process(comm: &'static str, exe: &'static str, args: &'static str) -> Process {
    Process {
        comm,
        exe: Some(exe),
        args: Some(args),
        user: "backup",
        ..Process::default()
    }
}

fn rules(text: &str) -> Rules {
    file::parse(text).unwrap()
}

/// One rule with these lines.
fn rule(lines: &str) -> String {
    format!("process_rules:\n  - {}", lines.replace('\n', "\n    "))
}

fn refusal(text: &str) -> String {
    let fault = file::parse(text).unwrap_err();
    ConfigError::new(Path::new("rules.yaml"), fault).to_string()
}

#[test]
fn every_mistake_is_one_line_with_its_place_and_the_cure() {
    let deep = format!("process_rules:\n  {}{}", "[".repeat(40), "]".repeat(40));
    let cases: &[(&str, &str)] = &[
        (
            "rules: []",
            "1: rules is not known at the top; there is process_rules",
        ),
        (
            "\n\njust a word",
            "3: the file is a text; begin with process_rules:",
        ),
        ("- a", "1: the file is a list; begin with process_rules:"),
        (
            "process_rules: nginx",
            "1: process_rules is a text; write a list",
        ),
        (
            "process_rules:\n  name: a\n  comm: a",
            "1: process_rules is a map; write a list",
        ),
        (
            "process_rules:\n  - nginx",
            "2: a rule is a text; write - name: NAME",
        ),
        (&rule("comm: nginx"), "2: the rule has no name; add name:"),
        (
            &rule("name: web"),
            "2: the rule web has no condition and would take every process; add",
        ),
        (
            &rule("name: web\ncomm: nginx\nargs: x"),
            "4: args is not known in a rule; there is name, comm, exe, cmdline, user or unit",
        ),
        (
            &rule("name: web\ncomm: nginx\ncomm: apache2"),
            "4: comm is given again, first in line 3; leave one out, or write a list",
        ),
        (
            &rule("name:\ncomm: nginx"),
            "2: name is empty; write a text",
        ),
        (
            &rule("name: '  '\ncomm: nginx"),
            "2: the name is empty; write what",
        ),
        (
            &rule("name: [a, b]\ncomm: nginx"),
            "2: name is a list; write one text",
        ),
        (
            &rule("name: other\ncomm: nginx"),
            "2: other is the name of all groups beyond the budget; choose another",
        ),
        (
            &rule("name: web\ncomm: []"),
            "3: comm is an empty list and never holds; put something in",
        ),
        (
            &rule("name: web\ncomm:\n- a\n- {b: c}"),
            "5: comm holds a map in its list; write texts",
        ),
        (
            &rule("name: web\ncomm: gunicorn-workers-of-the-shop"),
            "3: comm gunicorn-workers-of-the-shop is never found: the kernel keeps 15 bytes; write gunicorn-worker,",
        ),
        (
            &rule("name: web\ncmdline: '('"),
            "3: cmdline is no regular expression: unclosed group; see",
        ),
        (
            &rule("name: web\ncmdline: '(?=x)'"),
            "3: cmdline is no regular expression: look-around",
        ),
        (
            &rule("name: web\ncmdline: '(x{999}){999}'"),
            "3: cmdline is no regular expression: it takes more than 1 MiB; use smaller",
        ),
        (
            &rule("name: web\ncmdline: '(?<user>x)'"),
            "3: the group user has the name of something that every rule can use; give",
        ),
        (
            &rule("name: web $1\ncmdline: '(x)'"),
            "2: a $ in the name begins no ${…}; write ${1}",
        ),
        (
            &rule("name: web ${2}\ncmdline: '(x)'"),
            "2: nothing fills ${2}; there is ${1}",
        ),
        (
            &rule("name: web ${1}\ncmdline: 'x'"),
            "2: nothing fills ${1}; put parentheses around",
        ),
        (
            &rule("name: web ${role}\ncomm: 'x'"),
            "2: nothing fills ${role}; there are ${comm}, ${exe},",
        ),
        (
            &rule("name: web ${1\ncmdline: '(x)'"),
            "2: a $ in the name begins no ${…}",
        ),
        (&rule("name: web\n comm: nginx"), "not YAML: "),
        (&rule("name: 'web\ncomm: nginx"), "not YAML: "),
        (&rule("name: web\n\tcomm: nginx"), "not YAML: "),
        (
            "process_rules:\n---\nx: y",
            "2: a second document begins here; write one",
        ),
        (
            &rule("name: &web web\ncomm: *web"),
            "3: aliases (*name) are not understood; write the value out",
        ),
        (
            &rule("name: !web x\ncomm: nginx"),
            "2: the tag !web is not understood; leave it out",
        ),
        (
            &rule("name: web\ncomm: nginx\n[a]: b"),
            "4: the key before : is a list; write KEY: VALUE",
        ),
        (&deep, "2: lists and maps are nested more than 16 deep"),
    ];
    assert!(cases.len() >= 20);
    for (text, expected) in cases {
        let said = refusal(text);
        assert!(said.starts_with("rules.yaml:"), "{said}");
        assert!(
            said.contains(expected),
            "{text}\n said: {said}\n not: {expected}"
        );
        let place = said.split(':').nth(1).unwrap();
        let line: usize = place.parse().unwrap_or_else(|_| panic!("{said}"));
        assert!((1..=text.lines().count() + 1).contains(&line), "{said}");
        assert!(
            said.contains("; ") && !said.chars().any(char::is_control),
            "{said}"
        );
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = std::env::temp_dir().join(format!("hostlens-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("rules.yaml");
    let said = || load(&path).unwrap_err().to_string();
    assert!(
        said().contains("rules.yaml: cannot be read: No such file"),
        "{}",
        said()
    );
    std::fs::write(&path, b"# fine\n\xff\n").unwrap();
    assert!(
        said().ends_with("rules.yaml:2: not UTF-8; save the file in UTF-8"),
        "{}",
        said()
    );
    std::fs::write(&path, vec![b'#'; 2 << 20]).unwrap();
    assert!(said().contains("is larger than 1 MiB"), "{}", said());
    std::fs::write(&path, "# nothing\n").unwrap();
    assert!(load(&path).unwrap().is_empty());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_reload_that_is_refused_leaves_the_rules_in_force() {
    let folder = std::env::temp_dir().join(format!("hostlens-reload-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("rules.yaml");
    let name = |config: &LiveConfig| config.rules().1.name(&mut process("nginx", "", ""));
    std::fs::write(&path, rule("name: web\ncomm: nginx")).unwrap();
    let config = LiveConfig::open(path.clone()).unwrap();
    let first = config.status();
    assert_eq!((first.successful, first.reloads, first.rules), (true, 0, 1));
    assert_eq!((config.rules().0, name(&config)), (0, Some("web".into())));

    std::fs::write(&path, "oops: 1").unwrap();
    let error = config.reload().unwrap_err().to_string();
    let refused = config.status();
    assert_eq!((refused.successful, refused.failed_reloads), (false, 1));
    assert_eq!(refused.success_at, first.success_at);
    assert_eq!(refused.error, Some(error));
    assert_eq!((config.rules().0, name(&config)), (0, Some("web".into())));

    std::fs::write(&path, rule("name: front\ncomm: nginx")).unwrap();
    config.reload().unwrap();
    let taken = config.status();
    assert_eq!(
        (taken.successful, taken.reloads, taken.failed_reloads),
        (true, 1, 1)
    );
    assert_eq!(taken.error, None);
    assert_eq!((config.rules().0, name(&config)), (1, Some("front".into())));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_first_rule_that_matches_wins() {
    let rules = rules(
        "process_rules:
- {name: 'one ${comm}', comm: [a, b*]}
- {name: two, user: other-user, comm: c}
- {name: 'three ${exe}', user: '1234', exe: /opt/*/bin/tool}
- {name: 'four ${exe}', exe: tool}
- {name: 'five ${unit}', unit: '*.service'}
- {name: '${1}', cmdline: '^run(?: as (\\S+))?'}
- {name: 'seven $$ ${user}', comm: c}
",
    );
    let name = |process: &Process| rules.name(&mut process.clone());
    let c = process("c", "/usr/bin/c", "c");
    for (process, expected) in [
        (process("a", "/x", "x"), "one a"),
        (process("bash", "/x", "x"), "one bash"),
        (process("tool", "/opt/x/bin/tool", "x"), "three tool"),
        (process("tool", "/usr/bin/tool", "x"), "four tool"),
        (
            Process {
                user: "other-user",
                ..c.clone()
            },
            "two",
        ),
        (
            Process {
                unit: "c.service",
                ..c.clone()
            },
            "five c.service",
        ),
        (process("c", "/c", "run as root"), "root"),
        // A name of which nothing is left is none.
        (process("c", "/c", "run"), "seven $ backup"),
        // What is not known does not hold.
        (
            Process {
                exe: None,
                args: None,
                ..c
            },
            "seven $ backup",
        ),
    ] {
        assert_eq!(name(&process).as_deref(), Some(expected), "{process:?}");
    }
    assert_eq!(name(&process("d", "/d", "d")), None);
    assert!(rules.read_cmdline());
}

#[test]
fn dear_answers_are_asked_for_late_and_once() {
    let rules = rules(
        "process_rules:
- {name: a, comm: x, cmdline: b}
- {name: b, cmdline: b}
- {name: c, cmdline: c}
",
    );
    let mut cheap = process("x", "/x", "abc");
    assert_eq!(rules.name(&mut cheap).as_deref(), Some("a"));
    assert_eq!(cheap.asked_for_args, 1);
    let mut none = process("y", "/y", "x");
    assert_eq!(rules.name(&mut none), None);
    assert_eq!(none.asked_for_args, 1);
}

#[test]
fn the_examples_name_what_they_say() {
    let rules = rules(include_str!("../../../deploy/rules.yaml"));
    let postgres = |args| process("postgres", "/usr/lib/postgresql/16/bin/postgres", args);
    let java = |args| process("java", "/usr/lib/jvm/17/bin/java", args);
    let python = |args| process("python3", "/usr/bin/python3.11", args);
    let nginx = |args| process("nginx", "/usr/sbin/nginx", args);
    for (mut process, expected) in [
        (
            postgres("postgres: 16/main: checkpointer "),
            "postgres checkpointer",
        ),
        (postgres("postgres: walwriter "), "postgres walwriter"),
        (
            postgres("postgres: 16/main: autovacuum worker shop"),
            "postgres autovacuum worker",
        ),
        (
            postgres("postgres: walsender replicator 10.0.0.7(51234) streaming 0/3000148"),
            "postgres walsender",
        ),
        (
            postgres("postgres: parallel worker for PID 4711 "),
            "postgres parallel worker",
        ),
        (
            postgres("postgres: 16/main: alice shop 10.0.0.5(40312) idle in transaction"),
            "postgres clients of shop",
        ),
        (
            postgres("postgres: alice shop [local] SELECT"),
            "postgres clients of shop",
        ),
        (
            postgres("/usr/lib/postgresql/16/bin/postgres\0-D\0/var/lib/postgresql/16/main"),
            "postgres main",
        ),
        (
            java("java\0-Xmx4g\0-cp\0/opt/kafka/libs/*\0org.apache.kafka.Kafka\0server.properties"),
            "java org.apache.kafka.Kafka",
        ),
        (
            java("java\0-jar\0/opt/shop/billing-2.4.1.jar\0--spring.profiles.active=prod"),
            "java billing",
        ),
        (
            java("/usr/bin/java\0-Xmx1g\0-jar\0order-service.jar"),
            "java order-service",
        ),
        (
            python("python3\0-m\0celery\0-A\0shop\0worker"),
            "python -m celery",
        ),
        (
            python("/srv/reports/venv/bin/python3\0-u\0/srv/reports/main.py\0--nightly"),
            "python reports/main.py",
        ),
        (
            nginx("nginx: master process /usr/sbin/nginx -g daemon on;"),
            "nginx master",
        ),
        (nginx("nginx: worker process"), "nginx worker"),
        (nginx("nginx: cache manager process"), "nginx cache manager"),
        (
            process("pg_dump", "/usr/bin/pg_dump", "pg_dump\0shop"),
            "backup of backup",
        ),
    ] {
        let name = rules.name(&mut process);
        assert_eq!(name.as_deref(), Some(expected), "{process:?}");
    }
    // Not theirs.
    for mut process in [
        process("sshd", "/usr/sbin/sshd", "sshd: alice [priv]"),
        python("python3"),
        java("java\0-version"),
    ] {
        assert_eq!(rules.name(&mut process), None, "{process:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "[-a-z:{}\\[\\]'\"#&*!|>%@ \n\t$]{0,80}") {
        let _ = file::parse(&text);
        let _ = file::parse(&format!("process_rules:\n  - {text}"));
    }

    #[test]
    fn any_character_is_survived(text in any::<String>()) {
        let _ = file::parse(&text);
    }
}
