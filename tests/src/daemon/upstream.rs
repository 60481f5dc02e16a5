//! An HTTP server that takes a chosen time for each answer and keeps books of it.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::netns::Netns;

/// The part of the delay by which it varies, up and down.
const SPREAD: f64 = 0.5;
/// Threads that wait for connections: none is started while somebody waits for an answer.
const THREADS: usize = 32;
/// Steps of this part of the spread visit it evenly: what is left of the golden ratio.
const STEP: f64 = 0.618_033_988_749_895;

/// A running server; stops listening when dropped.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    listener: Arc<TcpListener>,
    books: Arc<Books>,
}

#[derive(Debug)]
struct Books {
    delay: Duration,
    served: AtomicUsize,
    times: Mutex<Vec<f64>>,
}

impl Upstream {
    /// Listens there and answers each request after `delay` ± 50 %.
    pub fn start(namespace: &Netns, address: &str, delay: Duration) -> Self {
        let listener = namespace.run(|| TcpListener::bind(address));
        let listener = Arc::new(listener.unwrap_or_else(|error| panic!("{address}: {error}")));
        let books = Arc::new(Books {
            delay,
            served: AtomicUsize::new(0),
            times: Mutex::default(),
        });
        for _ in 0..THREADS {
            let (listener, books) = (Arc::clone(&listener), Arc::clone(&books));
            // It ends with the listener, or with the connection that it has then.
            thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    // A client that goes away is no news.
                    let _ = books.answer_all(stream);
                }
            });
        }
        Self {
            address: listener.local_addr().expect("own address"),
            listener,
            books,
        }
    }

    /// From having read each request to handing over its answer, seconds.
    pub fn served(&self) -> Vec<f64> {
        self.books.times.lock().expect("books").clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Wakes all who wait for a connection.
        // SAFETY: plain system call on a descriptor that `self` keeps open.
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RDWR) };
    }
}

impl Books {
    fn answer_all(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(keep) = read_request(&mut reader)? {
            let read = Instant::now();
            let turn = self.served.fetch_add(1, Ordering::Relaxed);
            let place = (turn as f64 * STEP).fract() * 2.0 - 1.0;
            thread::sleep(self.delay.mul_f64(1.0 + SPREAD * place));
            let word = if keep { "keep-alive" } else { "close" };
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: {word}\r\n\r\nok\n");
            let took = read.elapsed().as_secs_f64();
            stream.write_all(answer.as_bytes())?;
            self.times.lock().expect("books").push(took);
            if !keep {
                return stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }
}

/// Reads one request to its empty line; whether more may follow, `None` at the end.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<bool>> {
    let mut keep = true;
    let mut line = String::new();
    let mut begun = false;
    while reader.read_line(&mut line)? > 0 {
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            return Ok(Some(keep));
        }
        if !begun {
            keep = text.ends_with("http/1.1");
            begun = true;
        }
        if let Some(("connection", value)) = text.split_once(':') {
            keep = value.trim() != "close";
        }
        line.clear();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_requests() {
        let read = |text: &str| super::read_request(&mut text.as_bytes()).unwrap();
        assert_eq!(read("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Some(true));
        assert_eq!(read("GET / HTTP/1.0\r\nHost: x\r\n\r\n"), Some(false));
        assert_eq!(
            read("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
            Some(false)
        );
        assert_eq!(read("GET / HTTP/1.1\r\n"), None);
    }
}
