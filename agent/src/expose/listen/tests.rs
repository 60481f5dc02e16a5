//! Addresses as people write them, and sockets as systemd hands them over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{net::UdpSocket, os::fd::OwnedFd};

use super::*;

#[test]
fn addresses_are_written_as_they_are_read() {
    for (text, local) in [
        ("127.0.0.1:10477", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("0.0.0.0:80", false),
        ("[::]:80", false),
        ("unix:/run/hostlens.sock", true),
    ] {
        let address: ListenAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!(address.is_local(), local, "{text}");
    }
    for text in [
        "",
        "10477",
        "localhost:1",
        "unix:",
        "unix:relative",
        "/run/x",
    ] {
        let cure = text.parse::<ListenAddress>().unwrap_err();
        assert!(cure.contains("unix:/"), "{text}: {cure}");
    }
}

#[test]
fn an_address_in_use_is_named() {
    let first = Sockets::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let error = format!("{:#}", Sockets::bind(first.addresses()).unwrap_err());
    assert_eq!(error.lines().count(), 1);
    let named = format!("cannot listen on {} (choose another", first.addresses()[0]);
    assert!(error.starts_with(&named), "{error}");
}

#[test]
fn inherited_sockets_are_used_as_they_are() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let path = std::env::temp_dir().join(format!("hostlens-inherited-{}", std::process::id()));
    let unix = UnixListener::bind(&path).unwrap();
    let sockets = activation::take([OwnedFd::from(tcp), OwnedFd::from(unix)].into_iter()).unwrap();
    let expected = [
        ListenAddress::Tcp(address),
        ListenAddress::Unix(path.clone()),
    ];
    assert_eq!(sockets.addresses(), expected);
    drop(sockets);
    assert!(path.exists(), "it is systemd's");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_cannot_be_listened_on_is_refused() {
    let udp = OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    for descriptor in [udp, file] {
        let error = activation::take([descriptor].into_iter()).unwrap_err();
        assert!(error.to_string().contains("ListenStream="), "{error:#}");
    }
}

#[test]
fn variables_for_others_are_not_ours() {
    let pid = std::process::id().to_string();
    let read = |pid: &str, fds: &str| {
        let (pid, fds) = (pid.to_owned(), fds.to_owned());
        activation::inherited(move |name| {
            Some(match name {
                "LISTEN_PID" => pid.clone(),
                _ => fds.clone(),
            })
        })
    };
    assert!(read("1", "1").unwrap().is_none());
    assert!(read(&pid, "0").unwrap().is_none());
    for nonsense in ["-1", "x", "1000"] {
        let error = read(&pid, nonsense).unwrap_err().to_string();
        assert!(error.contains(&format!("LISTEN_FDS={nonsense}")), "{error}");
    }
    assert!(activation::inherited(|_| None).unwrap().is_none());
}
