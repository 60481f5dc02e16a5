//! Over a unix socket, and over sockets that somebody else opened.

use std::{
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::PathBuf,
};

use super::*;

/// A directory, removed when dropped.
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hostlens-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ask(path: &std::path::Path, request: &str) -> Answer {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes)
}

fn running(address: ListenAddress) -> Running {
    let sockets = Sockets::bind(&[address]).unwrap();
    let server = Running::on(sockets, ServerOptions::default(), Arc::default());
    server.store.put(7, fixture::small());
    server
}

#[test]
fn a_socket_in_the_file_system_serves_and_goes() {
    let directory = Directory::new("unix");
    let path = directory.0.join("web.sock");
    // One that a killed process left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = ListenAddress::Unix(path.clone());
    let mut server = running(address.clone());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 1);

    assert_eq!(
        ask(&path, &get("/metrics", "user-agent: local\r\n")).status,
        200
    );
    let status: Value = serde_json::from_slice(&ask(&path, &get("/status", "")).body).unwrap();
    assert_eq!(status["scrapers"][0]["address"], Value::Null);
    let exposure = &status["exposure"];
    assert_eq!(
        exposure["listeners"][0]["address"],
        format!("unix:{}", path.display())
    );
    assert_eq!(exposure["warning"], Value::Null);
    // Whoever may open the socket is on this host.
    assert_eq!(ask(&path, &post("/-/reload", "")).status, 400);

    let taken = Sockets::bind(&[address]).unwrap_err().to_string();
    assert!(taken.contains("another process does (stop it"), "{taken}");
    server.stop();
    assert!(!path.exists());
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = Directory::new("file");
    let path = directory.0.join("precious");
    std::fs::write(&path, "data").unwrap();
    let refused = Sockets::bind(&[ListenAddress::Unix(path.clone())]).unwrap_err();
    assert!(refused.to_string().contains("something else than a socket"));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "data");
}

#[test]
fn a_socket_file_of_somebody_else_stays() {
    let directory = Directory::new("other");
    let path = directory.0.join("web.sock");
    let mut server = running(ListenAddress::Unix(path.clone()));
    std::fs::remove_file(&path).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    server.stop();
    assert!(path.exists());
}
