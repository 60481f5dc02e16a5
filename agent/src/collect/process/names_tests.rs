#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// Arguments written with blanks instead of NULs; `_` stands for a blank inside one.
fn arguments(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in line.split(' ') {
        bytes.extend(word.replace('_', " ").bytes());
        bytes.push(0);
    }
    bytes
}

#[test]
fn kernel_threads_are_named_by_their_kind() {
    for (comm, name) in [
        ("kworker/u4:1-events_unbound", "kworker"),
        ("kworker/0:1H", "kworker"),
        ("kworker/R-rcu_gp", "kworker"),
        ("ksoftirqd/0", "ksoftirqd"),
        ("migration/1", "migration"),
        ("cpuhp/63", "cpuhp"),
        ("rcuop/3", "rcuop"),
        ("idle_inject/0", "idle_inject"),
        ("jbd2/vda-8", "jbd2"),
        ("xfsaild/dm-0", "xfsaild"),
        ("irq/27-nvme0q1", "irq"),
        ("kdmflush/253:0", "kdmflush"),
        ("kswapd0", "kswapd"),
        ("kcompactd1", "kcompactd"),
        ("loop12", "loop"),
        ("scsi_eh_3", "scsi_eh"),
        ("md127_raid1", "md_raid1"),
        ("f2fs_gc-253:0", "f2fs_gc"),
        ("kthreadd", "kthreadd"),
        ("ext4-rsv-conver", "ext4-rsv-conver"),
        ("oom_reaper", "oom_reaper"),
        ("/", "/"),
        ("123", "123"),
    ] {
        assert_eq!(group_name(comm.as_bytes(), None, true), name, "{comm}");
    }
}

#[test]
fn programs_lose_only_their_numbering() {
    for (comm, name) in [
        ("worker-12", "worker"),
        ("worker_3", "worker"),
        ("worker:3", "worker"),
        ("worker#3", "worker"),
        ("pool/7", "pool"),
        ("job-2026-11-22", "job"),
        ("pbzip2", "pbzip2"),
        ("sha256sum", "sha256sum"),
        ("php-fpm7.4", "php-fpm7.4"),
        ("x264", "x264"),
        ("iperf3", "iperf3"),
        ("qemu-system-x86", "qemu-system-x86"),
        ("(sd-pam)", "(sd-pam)"),
        ("kworker/fake", "kworker/fake"),
        ("-12", "-12"),
        ("7", "7"),
        ("Web Content", "Web Content"),
        ("", "?"),
    ] {
        assert_eq!(group_name(comm.as_bytes(), None, false), name, "{comm}");
    }
}

#[test]
fn interpreters_are_named_by_what_they_run() {
    for (comm, line, name) in [
        // Python
        ("python3", "python3 app.py", "app.py"),
        (
            "python3",
            "/usr/bin/python3 /opt/shop/manage.py runserver",
            "manage.py",
        ),
        (
            "python3",
            "python3 -u -m pkg.mod --token hunter2",
            "pkg.mod",
        ),
        ("python3", "python3 -um http.server 8000", "http.server"),
        ("python3", "python3 -mpip install x", "pip"),
        ("python3", "python3 -W ignore -X dev -OO run.py", "run.py"),
        ("python3", "python3 -Wignore -Xdev run.py", "run.py"),
        ("python3", "python3 -c import_secret", "python3"),
        ("python3", "python3 -uc import_secret", "python3"),
        ("python3", "python3", "python3"),
        ("python3", "python3 -", "python3"),
        ("python3", "python3 -i", "python3"),
        ("python3", "python3 -- job.py", "job.py"),
        ("python3", "python3 /srv/app/", "app"),
        ("python3", "python3 .", "python3"),
        (
            "python3",
            "python3 --check-hash-based-pycs never a.py",
            "a.py",
        ),
        ("python3.11", "python3.11 worker-12", "worker"),
        ("python3.11", "python3.11 -c x", "python3.11"),
        ("pypy3", "pypy3 x.py", "x.py"),
        ("python3", "gunicorn:_worker_[shop]", "gunicorn"),
        ("python3", "celery_-A_app_--secret=1", "celery"),
        // Node
        ("node", "node server.js", "server.js"),
        ("node", "node --inspect app.js", "app.js"),
        ("node", "node --inspect=0.0.0.0:9229 app.js", "app.js"),
        (
            "node",
            "node --max-old-space-size=4096 dist/main.js",
            "main.js",
        ),
        ("node", "node -r dotenv/config index.mjs", "index.mjs"),
        ("node", "node --require ./tracing.js index.js", "index.js"),
        (
            "node",
            "node --import=tsx --enable-source-maps a.ts",
            "a.ts",
        ),
        ("node", "node --some-new-flag s3cret app.js", "app.js"),
        ("node", "node --some-new-flag app.js", "app.js"),
        ("node", "node -e console.log(1)", "node"),
        ("node", "node -pe 1+1", "node"),
        ("node", "node --eval=1", "node"),
        (
            "node",
            "node /usr/lib/node_modules/npm/bin/npm-cli.js ci",
            "npm-cli.js",
        ),
        ("node-MainThread", "node app.js", "app.js"),
        ("node-MainThread", "node -e x", "node"),
        ("MainThread", "/usr/bin/node app.js", "app.js"),
        ("MainThread", "something app.js", "MainThread"),
        // Java
        ("java", "java -cp x -Dfoo com.acme.Main", "Main"),
        (
            "java",
            "java -Xmx1g -jar /opt/app.jar --password=x",
            "app.jar",
        ),
        (
            "java",
            "java -classpath a:b:c org.apache.kafka.Kafka server.properties",
            "Kafka",
        ),
        (
            "java",
            "java --add-opens java.base/java.lang=ALL-UNNAMED a.b.C",
            "C",
        ),
        (
            "java",
            "java --add-opens=java.base/java.lang=ALL-UNNAMED a.b.C",
            "C",
        ),
        (
            "java",
            "java -javaagent:/opt/agent.jar=key=secret -jar a.jar",
            "a.jar",
        ),
        ("java", "java -p mods -m shop/com.acme.shop.Main", "Main"),
        ("java", "java --module=shop.core", "shop.core"),
        ("java", "java @options com.acme.Main", "Main"),
        ("java", "java Hello.java", "Hello.java"),
        ("java", "java --enable-preview Main", "Main"),
        ("java", "java -version", "java"),
        ("java", "java", "java"),
        // Ruby
        (
            "ruby",
            "ruby -Ilib -rbundler/setup bin/rails server",
            "rails",
        ),
        ("ruby", "ruby -I lib -r json app.rb", "app.rb"),
        ("ruby3.1", "ruby3.1 -W0 app.rb", "app.rb"),
        ("ruby", "ruby -ne puts", "ruby"),
        ("ruby", "puma_5.6_(tcp://0.0.0.0:3000)_[shop]", "puma"),
        // Perl
        ("perl", "perl -w -T /usr/sbin/munin-node", "munin-node"),
        ("perl", "perl -e print", "perl"),
        ("perl", "perl -pi.bak -e s/a/b/ file", "perl"),
        ("perl", "perl -I lib -MFoo=bar script.pl", "script.pl"),
        ("perl5.36", "perl5.36 -lane print", "perl5.36"),
        // PHP
        ("php", "php artisan queue:work", "artisan"),
        (
            "php8.2",
            "php8.2 -d memory_limit=1G -c /etc/php.ini job.php",
            "job.php",
        ),
        ("php", "php -f cron.php", "cron.php"),
        ("php", "php -S 127.0.0.1:80 -t web", "php"),
        ("php", "php -r echo", "php"),
        // Shells
        ("bash", "bash -c secret_command", "bash"),
        ("sh", "sh -ec secret", "sh"),
        ("sh", "/bin/sh /usr/bin/backup.sh --key k", "backup.sh"),
        ("bash", "bash -euo pipefail deploy.sh", "deploy.sh"),
        ("bash", "bash +x -O extglob run", "run"),
        ("bash", "bash --rcfile x --norc run.sh", "run.sh"),
        ("bash", "-bash", "bash"),
        ("bash", "bash", "bash"),
        ("bash", "bash /dev/fd/63", "bash"),
        ("dash", "sh -s arg", "dash"),
        ("zsh", "zsh -o extendedglob x.zsh", "x.zsh"),
        // What is no script's name is not shown.
        ("sh", "sh PASSWORD=x", "sh"),
        ("python3", "python3 import_os", "python3"),
        // Not interpreters: what they were given is theirs alone.
        (
            "gunicorn",
            "/usr/bin/python3 /usr/bin/gunicorn app",
            "gunicorn",
        ),
        ("env", "env TOKEN=x python3 a.py", "env"),
        ("php-fpm7.4", "php-fpm:_pool_www", "php-fpm7.4"),
        ("curl", "curl -u user:password", "curl"),
    ] {
        let args = arguments(line);
        assert_eq!(
            group_name(comm.as_bytes(), Some(&args), false),
            name,
            "{comm}: {line}"
        );
    }
}

#[test]
fn arguments_are_asked_for_only_where_they_name() {
    for comm in [
        "python3",
        "node",
        "MainThread",
        "java",
        "bash",
        "sh",
        "php8.2",
    ] {
        assert!(needs_args(comm.as_bytes()), "{comm}");
    }
    for comm in [
        "nginx",
        "php-fpm8.2",
        "sshd",
        "javac",
        "pythonista",
        "",
        "sha1",
    ] {
        assert!(!needs_args(comm.as_bytes()), "{comm}");
    }
    assert!(needs_args(b"bash\0\0\0\0\0\0\0\0\0\0\0\0"));
}

#[test]
fn arguments_may_be_missing_empty_or_cut_off() {
    assert_eq!(group_name(b"python3", None, false), "python3");
    assert_eq!(group_name(b"python3", Some(b""), false), "python3");
    assert_eq!(group_name(b"python3", Some(b"\0\0"), false), "python3");
    assert_eq!(
        group_name(b"python3", Some(b"python3\0a.py"), false),
        "a.py"
    );
    // The last argument ends where the record did: its end is not known.
    let mut cut = b"python3\0/srv/".to_vec();
    cut.resize(256, b'x');
    assert!(matches!(
        by_args(b"python3", Some(&cut), false),
        Named::Partial(name) if name == "python3"
    ));
    let mut class_path = b"java\0-cp\0".to_vec();
    class_path.resize(20_000, b'j');
    class_path.extend(b"\0com.acme.Main\0");
    assert_eq!(group_name(b"java", Some(&class_path), false), "Main");
    assert!(matches!(
        by_args(b"java", Some(&class_path[..256]), false),
        Named::Partial(_)
    ));
    // A script found before the cut is whole.
    let mut late = b"sh\0a.sh\0".to_vec();
    late.resize(256, b'y');
    assert_eq!(group_name(b"sh", Some(&late), false), "a.sh");
}

#[test]
fn only_printable_characters_and_not_too_many() {
    assert_eq!(printable(b"a\x1b[31mb\nc", 64), "a?[31mb?c");
    assert_eq!(printable(b"\xff\xfea", 64), "??a");
    assert_eq!(printable("a\u{202e}b\u{200b}".as_bytes(), 64), "a?b?");
    assert_eq!(printable("ääää".as_bytes(), 5), "ää");
    assert_eq!(printable(b"  ", 64), "?");
    let long = format!("python3\0{}.py\0", "é".repeat(100));
    let name = group_name(b"python3", Some(long.as_bytes()), false);
    assert_eq!(name, "é".repeat(32));
}

proptest! {
    #[test]
    fn any_bytes_make_a_fair_name(
        comm in proptest::collection::vec(any::<u8>(), 0..16),
        args in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        kernel in any::<bool>(),
    ) {
        let name = group_name(&comm, args.as_deref(), kernel);
        prop_assert!(!name.is_empty() && name.len() <= MOST_BYTES);
        prop_assert!(!name.chars().any(char::is_control));
    }

    #[test]
    fn any_arguments_of_an_interpreter_are_survived(
        comm in prop_oneof![
            Just("python3"), Just("node"), Just("java"), Just("ruby"), Just("perl"), Just("php"),
            Just("bash"), Just("MainThread"),
        ],
        words in proptest::collection::vec("[-+@a-zA-Z=./ ]{0,12}", 0..8),
    ) {
        let args: Vec<u8> = words.join("\0").into_bytes();
        let name = group_name(comm.as_bytes(), Some(&args), false);
        prop_assert!(!name.is_empty() && name.len() <= MOST_BYTES);
        prop_assert!(!name.contains('='));
    }

    #[test]
    fn a_password_behind_the_script_is_never_shown(
        comm in prop_oneof![Just("python3"), Just("node"), Just("ruby"), Just("bash")],
        secret in "[a-zA-Z0-9]{8,20}",
    ) {
        let args = format!("{comm}\0run.x\0--password\0{secret}\0");
        prop_assert_eq!(group_name(comm.as_bytes(), Some(args.as_bytes()), false), "run.x");
    }
}
