//! What the HTTP server knows about itself.

/// Requests for metrics in one format.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FormatStats {
    /// Format, e.g. `text`, `openmetrics`, `protobuf`.
    pub format: &'static str,
    /// Responses begun.
    pub scrapes: u64,
    /// Snapshots encoded.
    pub encodings: u64,
    /// Time spent encoding, seconds.
    pub encode_seconds: f64,
}

/// The server when an exposition was encoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerStats {
    /// By format.
    pub formats: Vec<FormatStats>,
    /// Open connections.
    pub connections: u64,
    /// Connections turned away because too many were open.
    pub connections_rejected: u64,
    /// Connections closed because the client was too slow.
    pub connections_timed_out: u64,
    /// TLS handshakes that failed, be it for the client's certificate.
    pub tls_handshakes_failed: u64,
    /// Requests without a right name and password.
    pub unauthorized: u64,
    /// Requests whose password was not looked at because too many were waiting.
    pub passwords_not_checked: u64,
    /// Scrapers active in the last 10 minutes.
    pub scrapers: u64,
    /// Scrapers forgotten before their time because too many were active.
    pub scrapers_evicted: u64,
    /// Series this exposition may have.
    pub series_limit: u64,
    /// Series of this exposition; a histogram counts as its text lines.
    pub series: u64,
    /// Series left out of this exposition to stay within the limit.
    pub series_dropped: u64,
    /// Label sets left out of this exposition to stay within the limit.
    pub label_sets_dropped: u64,
}
