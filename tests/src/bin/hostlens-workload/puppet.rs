//! A process that does with sockets what each line of its standard input says, and answers each
//! with one line.

use std::{
    fs,
    io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, RawFd},
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
            process::CommandExt,
        },
    },
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use nix::{
    cmsg_space,
    sys::{
        prctl::set_pdeathsig,
        signal::Signal,
        socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
        wait::waitpid,
    },
    unistd::{ForkResult, Gid, Uid, fork, setgid, setgroups, setuid},
};
use serde_json::{Value, json};
use socket2::Socket;

/// How often a socket in the file system is looked for, every 10 ms.
const TRIES: usize = 3_000;

/// What it holds. Commands act on the connection that came last.
#[derive(Debug, Default)]
pub struct Puppet {
    listener: Option<TcpListener>,
    connections: Vec<TcpStream>,
}

impl Puppet {
    /// Obeys until standard input ends, then ends with all it holds.
    pub fn run(mut self) {
        println!("{}", json!({ "pid": std::process::id() }));
        let mut line = String::new();
        while io::stdin().read_line(&mut line).expect("standard input") > 0 {
            let words: Vec<&str> = line.split_whitespace().collect();
            println!("{}", self.obey(&words));
            line.clear();
        }
    }

    fn obey(&mut self, words: &[&str]) -> Value {
        let number = |at: usize| -> usize { words[at].parse().expect("a number") };
        match words[0] {
            "listen" => self.listen(words[1]),
            "accept" => self.accept(),
            "connect" => self.connect(words[1].parse().expect("an address"), number(2)),
            "write" => {
                let bytes = vec![7; number(1)];
                self.last().write_all(&bytes).expect("write");
                json!({ "written": bytes.len() })
            }
            "fill" => json!({ "written": self.fill() }),
            "read" => {
                let mut bytes = vec![0; number(1)];
                self.last().read_exact(&mut bytes).expect("read");
                json!({ "read": bytes.len() })
            }
            "drain" => json!({ "read": self.drain() }),
            "linger" => {
                let socket = Socket::from(self.connections.pop().expect("a connection"));
                socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
                self.connections.push(socket.into());
                json!({})
            }
            "close" => {
                let left = self.connections.len() - number(1);
                self.connections.truncate(left);
                json!({ "left": left })
            }
            "send" => {
                send(&self.connections.pop().expect("a connection"), words[1]);
                json!({})
            }
            "receive" => {
                self.connections.push(receive(words[1]));
                json!({})
            }
            "become" => {
                let error = Command::new(words[1]).arg("puppet").exec();
                panic!("exec {}: {error}", words[1]);
            }
            "fork" => become_worker(words[1], number(2) as u32),
            other => panic!("unknown command {other}"),
        }
    }

    fn last(&mut self) -> &mut TcpStream {
        self.connections.last_mut().expect("a connection")
    }

    fn listen(&mut self, address: &str) -> Value {
        let listener = TcpListener::bind(address).expect("listen");
        let port = listener.local_addr().expect("local address").port();
        self.listener = Some(listener);
        json!({ "port": port })
    }

    fn accept(&mut self) -> Value {
        let listener = self.listener.as_ref().expect("a listener");
        self.connections.push(listener.accept().expect("accept").0);
        json!({})
    }

    /// Opens so many connections; stops at the first error.
    fn connect(&mut self, server: SocketAddr, count: usize) -> Value {
        for opened in 0..count {
            match TcpStream::connect(server) {
                Ok(connection) => self.connections.push(connection),
                Err(error) => return json!({ "opened": opened, "errno": error.raw_os_error() }),
            }
        }
        json!({ "opened": count, "errno": 0 })
    }

    /// Writes until nothing more finds room.
    fn fill(&mut self) -> usize {
        let connection = self.last();
        let patience = Some(Duration::from_secs(1));
        connection.set_write_timeout(patience).expect("SO_SNDTIMEO");
        let chunk = vec![7; 1 << 16];
        let mut written = 0;
        loop {
            match connection.write(&chunk) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return written,
                Err(error) => panic!("write: {error}"),
            }
        }
    }

    /// Reads what there is, until there is nothing for a second or the end.
    fn drain(&mut self) -> usize {
        let connection = self.last();
        let patience = Some(Duration::from_secs(1));
        connection.set_read_timeout(patience).expect("SO_RCVTIMEO");
        let mut chunk = vec![0; 1 << 16];
        let mut read = 0;
        loop {
            match connection.read(&mut chunk) {
                Ok(0) => return read,
                Ok(length) => read += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return read,
                Err(error) => panic!("read: {error}"),
            }
        }
    }
}

/// Forks a worker under a name and user of its own, who obeys from now on; this process goes on
/// when the worker has ended.
fn become_worker(name: &str, uid: u32) -> Value {
    // SAFETY: this process has one thread; the child goes on as its copy.
    match unsafe { fork() }.expect("fork") {
        ForkResult::Child => {
            fs::write("/proc/self/comm", name).expect("take a name");
            setgroups(&[]).expect("setgroups");
            setgid(Gid::from_raw(uid)).expect("setgid");
            setuid(Uid::from_raw(uid)).expect("setuid");
            set_pdeathsig(Signal::SIGKILL).expect("PR_SET_PDEATHSIG");
            json!({ "pid": std::process::id() })
        }
        ForkResult::Parent { child } => {
            waitpid(child, None).expect("waitpid");
            json!({})
        }
    }
}

/// Hands a connection to whoever receives at `path`.
fn send(connection: &TcpStream, path: &str) {
    let mut tries = (0..TRIES).map(|_| {
        thread::sleep(Duration::from_millis(10));
        UnixStream::connect(path)
    });
    let channel = tries.find_map(Result::ok).expect("somebody who receives");
    let descriptors = [connection.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let payload = [IoSlice::new(b"!")];
    sendmsg::<()>(
        channel.as_raw_fd(),
        &payload,
        &rights,
        MsgFlags::empty(),
        None,
    )
    .expect("send a descriptor");
}

fn receive(path: &str) -> TcpStream {
    let path = Path::new(path);
    let listener = UnixListener::bind(path).expect("bind");
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("chmod");
    let (channel, _) = listener.accept().expect("accept");
    fs::remove_file(path).expect("unlink");
    let mut byte = [0];
    let mut payload = [IoSliceMut::new(&mut byte)];
    let mut space = cmsg_space!([RawFd; 1]);
    let message = recvmsg::<()>(
        channel.as_raw_fd(),
        &mut payload,
        Some(&mut space),
        MsgFlags::empty(),
    )
    .expect("receive a descriptor");
    let mut messages = message.cmsgs().expect("control messages");
    let Some(ControlMessageOwned::ScmRights(descriptors)) = messages.next() else {
        panic!("no descriptor came");
    };
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows of it.
    unsafe { TcpStream::from_raw_fd(descriptors[0]) }
}
