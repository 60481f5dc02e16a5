#![allow(clippy::unwrap_used, reason = "tests")]

use hostlens_ebpf::wire::TaskKind;

use super::*;
use crate::collect::process::procfs_stat::parse_stat;

fn record(tgid: u32, start_ns: u64, exec_id: u32, comm: &str) -> TaskRecord {
    let mut record = TaskRecord {
        kind: TaskKind::Process as u32,
        tgid,
        start_ns,
        exec_id,
        ..TaskRecord::default()
    };
    record.comm[..comm.len()].copy_from_slice(comm.as_bytes());
    record
}

fn exec(tgid: u32, start_ns: u64, exec_id: u32, args: &[u8]) -> ExecRecord {
    let mut record = ExecRecord {
        kind: TaskKind::Exec as u32,
        tgid,
        start_ns,
        exec_id,
        len: args.len() as u32,
        args: [0; EXEC_ARGS_BYTES],
    };
    record.args[..args.len()].copy_from_slice(args);
    record
}

/// Finds nothing in `/proc`.
fn blind() -> NameResolver {
    NameResolver::new(Path::new("/nonexistent"), Users::default())
}

#[test]
fn a_script_that_has_gone_is_named_by_its_execve() {
    let mut names = blind();
    names.remember(&exec(9, 5, 1, b"bash\0/opt/short.sh\0"));
    let mut ended = record(9, 5, 1, "bash");
    ended.kind = TaskKind::Final as u32;
    assert_eq!(&*names.process(&ended), "short.sh");
    // Asked again, the same allocation answers.
    let again = names.process(&ended);
    assert!(Arc::ptr_eq(&again, &names.process(&ended)));
    // Another execve, another start, another pid: nothing is known of them.
    for other in [
        record(9, 5, 2, "bash"),
        record(9, 6, 1, "bash"),
        record(8, 5, 1, "bash"),
    ] {
        assert_eq!(&*names.process(&other), "bash");
    }
}

#[test]
fn a_living_process_is_asked_and_only_it() {
    let mut child = std::process::Command::new("sh")
        .arg("/dev/stdin")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let folder = std::env::temp_dir().join(format!("hostlens-script-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let script = folder.join("nightly-backup.sh");
    std::fs::write(&script, "read line\n").unwrap();
    let mut running = std::process::Command::new("sh")
        .arg(&script)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut names = NameResolver::default();
    let mut proc = ProcReader::new(Path::new("/proc"));
    let stat = loop {
        let stat = parse_stat(proc.read_once(running.id(), "stat").unwrap()).unwrap();
        // An execve sets the name first and shows the arguments later.
        let arguments = proc.read_once(running.id(), "cmdline").unwrap();
        if stat.comm.starts_with(b"sh\0") && !arguments.is_empty() {
            break stat;
        }
    };
    let start_ns = stat.start * names.tick_ns;
    // The kernel's own start is finer than what /proc tells.
    let living = record(running.id(), start_ns + 123, 1, "sh");
    let reused = record(running.id(), start_ns + names.tick_ns, 1, "sh");
    let mut gone = record(running.id(), start_ns, 2, "sh");
    gone.kind = TaskKind::Final as u32;
    let mut zombie = record(running.id(), start_ns, 3, "sh");
    zombie.flags = TaskFlags::ZOMBIE;
    assert_eq!(&*names.process(&living), "nightly-backup.sh");
    assert_eq!(&*names.process(&reused), "sh");
    assert_eq!(&*names.process(&gone), "sh");
    assert_eq!(&*names.process(&zombie), "sh");
    drop((running.stdin.take(), child.stdin.take()));
    running.wait().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn memory_is_bounded_under_a_storm() {
    let mut names = blind();
    for number in 0..(3 * MOST_NAMES as u32) {
        let comm = format!("p{number}x");
        names.process(&record(number, 1, 1, &comm));
        names.remember(&exec(number, 1, 1, b"sh\0x\0"));
        if number % 1000 == 0 {
            names.begin_cycle();
        }
    }
    names.begin_cycle();
    assert!(names.names.young.len() + names.names.old.len() <= MOST_NAMES);
    assert!(names.execs.young.len() + names.execs.old.len() <= MOST_EXECS);
    assert!(names.interned.len() <= MOST_NAMES + 1000);
}

#[test]
fn kernel_threads_and_users() {
    let mut names = blind();
    let mut kworker = record(3, 1, 1, "kworker/0:1");
    kworker.flags = TaskFlags::KERNEL_THREAD;
    assert_eq!(&*names.process(&kworker), "kworker");
    names.begin_cycle();
    assert_eq!(&*names.user(0), "root");
    assert_eq!(&*names.user(3_999_999_999), "3999999999");
}

/// Rules in a file of their own, removed when dropped.
struct RulesFile(std::path::PathBuf);

impl RulesFile {
    fn new(name: &str, rules: &str) -> (Self, LiveConfig) {
        let path = std::env::temp_dir().join(format!("hostlens-{name}-{}", std::process::id()));
        let file = Self(path.clone());
        file.write(rules);
        (file, LiveConfig::open(path).unwrap())
    }

    fn write(&self, rules: &str) {
        std::fs::write(&self.0, format!("process_rules: [{rules}]")).unwrap();
    }
}

impl Drop for RulesFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn rules_are_asked_before_anything_else_but_kernel_threads() {
    let rules =
        "{name: 'one ${user}', comm: bash, user: '0'}, {name: 'a ${1}', cmdline: 'opt/(s\\w+)'}";
    let (_file, config) = RulesFile::new("first", rules);
    let mut names = blind().with_config(Some(config));
    names.begin_cycle();
    assert_eq!(&*names.process(&record(1, 5, 1, "bash")), "one root");
    // Another user is another question; this one falls through to what it is called itself.
    let alice = TaskRecord {
        uid: 1000,
        ..record(1, 5, 1, "bash")
    };
    assert_eq!(&*names.process(&alice), "bash");
    // A short-lived one is known by its execve.
    names.remember(&exec(9, 5, 1, b"bash\0/opt/short.sh\0"));
    let ended = TaskRecord {
        kind: TaskKind::Final as u32,
        uid: 1000,
        ..record(9, 5, 1, "bash")
    };
    assert_eq!(&*names.process(&ended), "a short");
    let kernel = TaskRecord {
        flags: TaskFlags::KERNEL_THREAD,
        ..record(3, 5, 1, "bash")
    };
    assert_eq!(&*names.process(&kernel), "bash");
}

#[test]
fn a_reload_renames_the_living_and_leaves_the_ended() {
    let (file, config) = RulesFile::new("again", "{name: first, comm: '*'}");
    let mut names = blind().with_config(Some(config.clone()));
    names.begin_cycle();
    let living = record(1, 5, 1, "tool");
    let gone = TaskRecord {
        kind: TaskKind::Final as u32,
        ..record(2, 5, 1, "tool")
    };
    let before = names.version(&living);
    assert_eq!(&*names.process(&living), "first");
    assert_eq!(&*names.process(&gone), "first");
    file.write("{name: second, comm: '*'}");
    config.reload().unwrap();
    // In force from the next cycle on.
    assert_eq!(&*names.process(&living), "first");
    names.begin_cycle();
    assert_ne!(names.version(&living), before);
    assert_eq!(&*names.process(&living), "second");
    assert_eq!(&*names.process(&gone), "first");
    file.write("{name: broken}");
    config.reload().unwrap_err();
    names.begin_cycle();
    assert_eq!(&*names.process(&living), "second");
    file.write("");
    config.reload().unwrap();
    names.begin_cycle();
    assert_eq!(&*names.process(&living), "tool");
}

/// Servers write their titles over the command line some time after their start.
#[test]
fn a_young_process_is_asked_once_more_where_a_rule_reads_its_title() {
    let now = Moment::now().boot_ns;
    let young = record(1, now, 1, "tool");
    let old = record(1, now - 10 * SETTLED_NS, 1, "tool");
    for (rules, differ) in [
        ("{name: a, comm: b}", false),
        ("{name: a, cmdline: b}", true),
    ] {
        let (_file, config) = RulesFile::new("young", rules);
        let mut names = blind().with_config(Some(config));
        names.begin_cycle();
        assert_eq!(names.version(&young) != names.version(&old), differ);
    }
}
