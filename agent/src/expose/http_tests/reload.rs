//! Who may have the configuration read again, and what they are told.

use std::{net::Ipv4Addr, path::PathBuf};

use super::*;
use crate::{
    config::LiveConfig,
    expose::{
        asker::{Asker, Client},
        connection, reload,
    },
};

/// A configuration file, removed when dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("hostlens-{name}-{}.yaml", std::process::id()));
        let file = Self(path);
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn open(&self) -> LiveConfig {
        LiveConfig::open(self.0.clone()).unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const RULES: &str = "process_rules: [{name: web, comm: nginx}]\n";

#[test]
fn a_post_from_this_host_reads_the_file_again() {
    let file = File::new("post", RULES);
    let config = file.open();
    let server = Running::with(ServerOptions {
        config: Some(config.clone()),
        ..ServerOptions::default()
    });
    let reload = || server.ask(&post("/-/reload", ""));
    assert_eq!(reload().status, 200);
    file.write("process_rules:\n  - {name: web, comms: nginx}\n");
    let refused = reload();
    assert_eq!(refused.status, 400);
    assert_eq!(refused.text().lines().count(), 1);
    let expected = ".yaml:2: comms is not known in a rule; there is name,";
    assert!(refused.text().contains(expected), "{}", refused.text());
    file.write("");
    assert_eq!(reload().status, 200);
    let status = config.status();
    assert_eq!((status.reloads, status.failed_reloads), (2, 1));

    for method in ["GET", "HEAD", "PUT"] {
        let answer = server.ask(&post("/-/reload", "").replace("POST", method));
        assert_eq!((answer.status, answer.header("allow")), (405, "post"));
    }
    // A page of anybody in a browser of this host.
    let page = server.ask(&post("/-/reload", "origin: http://elsewhere.example\r\n"));
    assert_eq!(page.status, 403);
    assert_eq!(config.status().reloads, 2);
    assert!(!server.get("/").text().contains("href=\"/-/reload\""));
}

#[test]
fn without_a_file_there_is_nothing_to_read() {
    let server = Running::ready(Limits::default());
    let answer = server.ask(&post("/-/reload", ""));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("--config FILE"));
}

#[test]
fn others_may_not_ask() {
    let file = File::new("others", RULES);
    let config = file.open();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |address: &str| -> connection::Answer {
        let asker = Asker {
            client: Client::Ip(address.parse().unwrap()),
            from_page: false,
        };
        runtime.block_on(reload::answer(Some(config.clone()), asker))
    };
    for address in ["10.0.0.1", "0.0.0.0", "fe80::1", "2001:db8::1"] {
        assert_eq!(ask(address).status(), 403, "{address}");
    }
    assert_eq!(config.status().reloads, 0);
    for address in [Ipv4Addr::LOCALHOST.to_string(), "::1".into()] {
        assert_eq!(ask(&address).status(), 200, "{address}");
    }
}
