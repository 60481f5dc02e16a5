//! One HTTP/1.1 request per connection, with every payload byte counted.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::deadline::PATIENCE;

/// A response, and what the exchange cost on the wire.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines.
    pub head: String,
    /// Body, chunks joined.
    pub body: Vec<u8>,
    /// Payload bytes sent over the connection.
    pub sent: u64,
    /// Payload bytes received over the connection.
    pub received: u64,
}

impl Response {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }
}

/// Asks `server` for `path`; `headers` are whole lines without their ends.
///
/// # Errors
/// A connection that fails or stalls for a minute, or an answer that is not HTTP, in one line.
pub fn get(server: SocketAddr, path: &str, headers: &[&str]) -> Result<Response, String> {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    exchange(server, request.as_bytes()).map_err(|error| format!("GET {server}{path}: {error}"))
}

/// Sends `request` as it is and reads the answer to its end.
///
/// # Errors
/// As for [`get`].
pub fn exchange(server: SocketAddr, request: &[u8]) -> Result<Response, String> {
    let wire = send_and_read(server, request).map_err(|error| error.to_string())?;
    let split = find(&wire, b"\r\n\r\n").ok_or("answer without end of headers")?;
    let head = String::from_utf8_lossy(&wire[..split]).into_owned();
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| format!("no status in {head:?}"))?;
    let mut response = Response {
        status,
        head,
        body: wire[split + 4..].to_vec(),
        sent: request.len() as u64,
        received: wire.len() as u64,
    };
    if response
        .header("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        response.body = join_chunks(&response.body)?;
    }
    Ok(response)
}

fn send_and_read(server: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    const LIMIT: Option<Duration> = Some(PATIENCE);
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(LIMIT)?;
    stream.set_write_timeout(LIMIT)?;
    stream.write_all(request)?;
    let mut wire = Vec::new();
    stream.read_to_end(&mut wire)?;
    Ok(wire)
}

fn join_chunks(mut wire: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let end = find(wire, b"\r\n").ok_or("chunk without length")?;
        let digits = String::from_utf8_lossy(&wire[..end]);
        let length = digits.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(length, 16).map_err(|error| error.to_string())?;
        if length == 0 {
            return Ok(body);
        }
        let chunk = wire
            .get(end + 2..end + 2 + length)
            .ok_or("chunk cut short")?;
        body.extend_from_slice(chunk);
        wire = wire.get(end + 4 + length..).ok_or("chunk without end")?;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    #[test]
    fn joins_chunks() {
        let body = super::join_chunks(b"4\r\nwiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n");
        assert_eq!(body.as_deref(), Ok(&b"wikipedia"[..]));
        assert!(super::join_chunks(b"9\r\nshort\r\n").is_err());
    }
}
