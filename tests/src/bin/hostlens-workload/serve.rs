//! The server side: a request says how long it is and how long its answer shall be.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    os::fd::{AsFd, AsRawFd, RawFd},
    thread,
};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Socket, Type};

use crate::hold_on;

/// Length of the header: request and answer length, big-endian u32 each.
pub const HEADER: usize = 8;

/// Serves any number of connections until standard input ends.
pub fn run(address: IpAddr) {
    let listener = Socket::new(
        Domain::for_address(SocketAddr::new(address, 0)),
        Type::STREAM,
        None,
    )
    .expect("socket");
    listener
        .bind(&SocketAddr::new(address, 0).into())
        .expect("bind");
    listener.listen(4096).expect("listen");
    let local = listener.local_addr().expect("local address");
    let port = local.as_socket().expect("IP address").port();
    println!("{{\"port\":{port}}}");
    thread::spawn(move || accept_and_answer(&listener));
    hold_on();
}

fn accept_and_answer(listener: &Socket) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
    let watch = |descriptor: &dyn AsFd, key: RawFd| {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, key as u64);
        epoll.add(descriptor.as_fd(), event).expect("watch");
    };
    watch(listener, listener.as_raw_fd());
    let mut connections: HashMap<u64, TcpStream> = HashMap::new();
    let mut events = [EpollEvent::empty(); 256];
    let mut buffer = vec![0; 1 << 20];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => panic!("epoll: {error}"),
        };
        for event in &events[..ready] {
            let key = event.data();
            if key == listener.as_raw_fd() as u64 {
                let (socket, _) = listener.accept().expect("accept");
                let connection = TcpStream::from(socket);
                connection.set_nodelay(true).expect("nodelay");
                watch(&connection, connection.as_raw_fd());
                connections.insert(connection.as_raw_fd() as u64, connection);
            } else if let Some(connection) = connections.get_mut(&key)
                && answer(connection, &mut buffer).is_none()
            {
                connections.remove(&key);
            }
        }
    }
}

/// Reads one whole request and answers it; `None` at the end of the connection.
fn answer(connection: &mut TcpStream, buffer: &mut [u8]) -> Option<()> {
    let mut header = [0; HEADER];
    connection.read_exact(&mut header).ok()?;
    let [request, reply] = [0, 4].map(|at| {
        let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
        u32::from_be_bytes(bytes) as usize
    });
    connection
        .read_exact(&mut buffer[..request - HEADER])
        .ok()?;
    connection.write_all(&buffer[..reply]).ok()
}
