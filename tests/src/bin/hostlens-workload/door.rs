//! A server with few workers, and clients that all want in.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::AsRawFd,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{ForkResult, Pid, fork},
};
use socket2::{Domain, Socket, Type};

use crate::{cpu, hold_on, wait_for_line};

/// Binds this process and its children to one CPU.
pub fn pin(cpu: Option<usize>) {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu).expect("a CPU number");
        sched_setaffinity(Pid::from_raw(0), &set).expect("sched_setaffinity");
    }
}

/// Spins on one CPU until standard input ends.
pub fn spin(cpu: usize) {
    pin(Some(cpu));
    println!("{{\"spinning\":{cpu}}}");
    thread::spawn(|| {
        loop {
            cpu::burn(1_000_000);
        }
    });
    hold_on();
}

/// Forks workers that share a listening socket. Each holds a connection for a while, answers
/// with a byte and closes it.
#[derive(Debug, Args)]
pub struct Door {
    address: IpAddr,
    /// Argument of listen(2).
    backlog: i32,
    /// Workers.
    #[arg(long, default_value_t = 1)]
    workers: u32,
    /// How long each connection is held, milliseconds.
    #[arg(long, default_value_t = 0)]
    hold: u64,
    /// Rounds burnt for each connection.
    #[arg(long, default_value_t = 0)]
    burn: u64,
    /// Pause before each look for connections, milliseconds; then all there are.
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Bind all to this CPU.
    #[arg(long)]
    cpu: Option<usize>,
    /// Connections enter the queue with their first byte (TCP_DEFER_ACCEPT).
    #[arg(long)]
    defer: bool,
}

impl Door {
    /// Serves until standard input ends.
    pub fn run(&self) {
        pin(self.cpu);
        let domain = Domain::for_address(SocketAddr::new(self.address, 0));
        let listener = Socket::new(domain, Type::STREAM, None).expect("socket");
        let address = SocketAddr::new(self.address, 0);
        listener.bind(&address.into()).expect("bind");
        if self.defer {
            defer(&listener);
        }
        listener.listen(self.backlog).expect("listen");
        for _ in 0..self.workers {
            // SAFETY: this process has one thread; the child goes on as its copy.
            if let ForkResult::Child = unsafe { fork() }.expect("fork") {
                set_pdeathsig(Signal::SIGKILL).expect("PR_SET_PDEATHSIG");
                self.work(&listener);
            }
        }
        let local = listener.local_addr().expect("local address");
        let port = local.as_socket().expect("IP address").port();
        println!("{{\"port\":{port}}}");
        hold_on();
    }

    fn work(&self, listener: &Socket) -> ! {
        loop {
            if self.pause > 0 {
                thread::sleep(Duration::from_millis(self.pause));
                while is_ready(listener) {
                    self.serve(listener);
                }
            } else {
                self.serve(listener);
            }
        }
    }

    fn serve(&self, listener: &Socket) {
        let Ok((socket, _)) = listener.accept() else {
            return;
        };
        thread::sleep(Duration::from_millis(self.hold));
        cpu::burn(self.burn);
        // A client that gave up is no concern of the server.
        let _ = TcpStream::from(socket).write_all(b"!");
    }
}

fn is_ready(listener: &Socket) -> bool {
    let mut poll = libc::pollfd {
        fd: listener.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd, for the duration of the call.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
}

fn defer(listener: &Socket) {
    let seconds: libc::c_int = 30;
    // SAFETY: the option takes an int, whose size is given.
    let status = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of_val(&seconds) as libc::socklen_t,
        )
    };
    assert_eq!(status, 0, "TCP_DEFER_ACCEPT");
}

/// Clients that connect, wait for an answer and connect again. Each line of standard input is
/// answered with how many answers there were, and how long the last of them took from the moment
/// the connection was established.
#[derive(Debug, Args)]
pub struct Crowd {
    server: SocketAddr,
    /// Clients.
    clients: usize,
}

/// Answers told of by their time.
const LAST: usize = 5;

#[derive(Debug, Default)]
struct Answers {
    count: u64,
    /// Seconds of the last ones.
    last: VecDeque<f64>,
}

impl Crowd {
    /// Runs until standard input ends.
    pub fn run(&self) {
        let answers = Arc::new(Mutex::new(Answers::default()));
        for _ in 0..self.clients {
            let (answers, server) = (Arc::clone(&answers), self.server);
            thread::Builder::new()
                .stack_size(64 << 10)
                .spawn(move || {
                    loop {
                        match ask_once(server) {
                            Some(seconds) => answers.lock().expect("no panic").add(seconds),
                            None => thread::sleep(Duration::from_millis(50)),
                        }
                    }
                })
                .expect("a client's thread");
        }
        println!("{{\"clients\":{}}}", self.clients);
        while wait_for_line() {
            let answers = answers.lock().expect("no panic");
            let told = serde_json::json!({ "count": answers.count, "last": answers.last });
            println!("{told}");
        }
        std::process::exit(0);
    }
}

impl Answers {
    fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.last.push_back(seconds);
        if self.last.len() > LAST {
            self.last.pop_front();
        }
    }
}

/// Seconds from the handshake to the answer; `None` if there was none.
fn ask_once(server: SocketAddr) -> Option<f64> {
    let mut connection = TcpStream::connect(server).ok()?;
    let established = Instant::now();
    connection.read_exact(&mut [0]).ok()?;
    Some(established.elapsed().as_secs_f64())
}

/// Clients that all come at once, again and again, and wait for nothing.
#[derive(Debug, Args)]
pub struct Bursts {
    server: SocketAddr,
    /// Clients of one burst.
    clients: usize,
    /// Distance of bursts, milliseconds.
    #[arg(long, default_value_t = 500)]
    every: u64,
}

impl Bursts {
    /// Runs until standard input ends.
    pub fn run(&self) {
        let (server, clients, every) = (self.server, self.clients, self.every);
        thread::spawn(move || {
            loop {
                let sockets: Vec<Socket> = (0..clients).map(|_| begin(server)).collect();
                thread::sleep(Duration::from_millis(every));
                drop(sockets);
            }
        });
        println!("{{\"clients\":{clients}}}");
        hold_on();
    }
}

/// Begins to connect and does not wait.
fn begin(server: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).expect("socket");
    socket.set_nonblocking(true).expect("non-blocking");
    if let Err(error) = socket.connect(&server.into()) {
        let expected = error.raw_os_error() == Some(libc::EINPROGRESS);
        assert!(expected, "connect {server}: {error}");
    }
    socket
}

/// Clients of a server that defers: some connect and are silent, others fill the queue, then the
/// silent ones ask for a place. Prints how many of these were answered with a reset.
#[derive(Debug, Args)]
pub struct Push {
    server: SocketAddr,
    /// Clients that come first and speak last.
    late: usize,
    /// Clients that fill the queue.
    early: usize,
}

impl Push {
    /// Prints, then holds what is left.
    pub fn run(&self) {
        let connect = |_| TcpStream::connect(self.server).expect("connect");
        let speak = |mut connection: &TcpStream| connection.write_all(b"?").expect("send");
        let late: Vec<TcpStream> = (0..self.late).map(connect).collect();
        let early: Vec<TcpStream> = (0..self.early).map(connect).inspect(speak).collect();
        late.iter().for_each(speak);
        let resets = late.iter().filter(|late| is_reset(late)).count();
        println!(
            "{}",
            serde_json::json!({ "resets": resets, "held": early.len() })
        );
        hold_on();
    }
}

fn is_reset(mut connection: &TcpStream) -> bool {
    let patience = Some(Duration::from_millis(500));
    connection.set_read_timeout(patience).expect("SO_RCVTIMEO");
    let read = connection.read(&mut [0]);
    read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}
