//! nginx, with what its access log says of times.

use std::{fs, path::Path, process::Command};

use nix::sys::signal::Signal;

use super::{Daemon, Home, finish};
use crate::{
    deadline::{PATIENCE, poll_until},
    host,
    netns::Netns,
};

/// A running server with one worker.
#[derive(Debug)]
pub struct Nginx {
    daemon: Daemon,
}

/// One request in the access log; times in seconds, of a clock that ticks by the millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Path without its query.
    pub path: String,
    /// From its first bytes until the last bytes of the answer were sent (`$request_time`).
    pub total: f64,
    /// From its being ready to go to the server behind until the head of the answer was there
    /// (`$upstream_header_time` less `$upstream_connect_time`).
    pub upstream: Option<f64>,
}

impl Nginx {
    /// Serves what `http` says: directives inside the block of that name. A certificate for
    /// anybody lies in `cert.pem`, its key in `key.pem`.
    pub fn start(namespace: &Netns, http: &str) -> Self {
        let home = Home::new("nobody", namespace);
        certify(home.path());
        let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        home.write(
            "nginx.conf",
            &format!(
                "daemon off;\nworker_processes 1;\npid nginx.pid;\n\
                 error_log stderr notice;\nevents {{ worker_connections 512; }}\n\
                 http {{\n{places}log_format times '$uri $request_time $upstream_connect_time $upstream_header_time';\n\
                 access_log access.log times;\nkeepalive_requests 100000;\n{http}\n}}\n"
            ),
        );
        let program = host::tool("nginx").expect("nginx is not installed");
        let arguments = format!("-e stderr -c nginx.conf -p {}", home.path().display());
        let daemon = Daemon::start(home, &program, &arguments, Signal::SIGTERM);
        // The worker is there, and with it the listening sockets.
        daemon.await_words("start worker process ");
        Self { daemon }
    }

    /// Waits until so many requests for this path are in the access log; all of these.
    pub fn await_requests(&self, path: &str, count: usize) -> Vec<Request> {
        let file = self.daemon.home.path().join("access.log");
        poll_until("lines of the access log", PATIENCE, || {
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            let all = text.lines().filter_map(request);
            let found: Vec<Request> = all.filter(|one| one.path == path).collect();
            let length = found.len();
            (length >= count)
                .then_some(found)
                .ok_or_else(|| format!("{length} of {count}"))
        })
    }
}

/// Writes a key and a certificate that signs itself.
fn certify(dir: &Path) {
    let mut openssl = Command::new(host::tool("openssl").expect("openssl is not installed"));
    openssl.current_dir(dir).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]);
    finish(&mut openssl);
    for file in ["key.pem", "cert.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(dir.join(file), open).expect("chmod");
    }
}

/// Reads a line; without a server behind, its last fields are `-`.
fn request(line: &str) -> Option<Request> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [path, total, connect, header] = words[..] else {
        return None;
    };
    let number = |word: &str| word.parse::<f64>().ok();
    Some(Request {
        path: path.to_owned(),
        total: number(total)?,
        upstream: number(header)
            .zip(number(connect))
            .map(|(all, part)| all - part),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_a_line_of_the_log() {
        let read = super::request("/slow 0.021 0.250 0.750").unwrap();
        assert_eq!((read.path.as_str(), read.total), ("/slow", 0.021));
        assert_eq!(read.upstream, Some(0.5));
        assert_eq!(super::request("/ 0.000 - -").unwrap().upstream, None);
        assert_eq!(super::request(""), None);
    }
}
