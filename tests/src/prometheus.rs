//! A real Prometheus that scrapes agents; killed, and its data removed, when dropped.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    deadline::{PATIENCE, poll_until},
    host, http,
    output::Output,
};

/// A running server with native histograms on.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    output: Output,
    _data: TempDir,
}

/// One series of an answer: labels and its points (seconds since the epoch, value).
#[derive(Clone, Debug)]
pub struct Series {
    /// Labels, the name as `__name__`.
    pub labels: Value,
    /// Points, oldest first.
    pub points: Vec<(f64, f64)>,
}

impl Prometheus {
    /// Starts a server that scrapes `target` every `interval` seconds as job `hostlens`.
    pub fn start(target: SocketAddr, interval: u32) -> Self {
        Self::start_with_past(target, interval, "")
    }

    /// As [`Prometheus::start`], with samples of the past in OpenMetrics text, without its end.
    ///
    /// # Panics
    /// When that text is not right.
    pub fn start_with_past(target: SocketAddr, interval: u32, past: &str) -> Self {
        let data = TempDir::with_prefix("hostlens-prometheus-").expect("temporary directory");
        if !past.is_empty() {
            write_past(&data, past);
        }
        let config = data.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s}}\n\
             scrape_configs:\n- job_name: hostlens\n  static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        fs::write(&config, text).expect("write the configuration");
        let address = free_address();
        let mut child = host::command("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--enable-feature=native-histograms")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start prometheus");
        let output = Output::default();
        output.gather(child.stderr.take().expect("piped stderr"));
        let server = Self {
            child,
            address,
            output,
            _data: data,
        };
        poll_until("prometheus ready", PATIENCE, || {
            match http::get(server.address, "/-/ready", &[])? {
                ready if ready.status == 200 => Ok(()),
                other => Err(other.head),
            }
        });
        server
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An instant query, at `time` (seconds since the epoch) if given. Instant vectors come as
    /// one point per series, range selectors as all points in the range.
    ///
    /// # Errors
    /// What the server says of the query, or an answer of another shape.
    pub fn query(&self, expression: &str, time: Option<f64>) -> Result<Vec<Series>, String> {
        let mut path = format!("/api/v1/query?query={}", encode(expression));
        if let Some(time) = time {
            path.push_str(&format!("&time={time:.3}"));
        }
        let response = http::get(self.address, &path, &[])?;
        let answer: Value =
            serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(format!("{expression}: {answer}"));
        }
        let result = answer["data"]["result"].as_array();
        let result = result.ok_or_else(|| format!("{expression}: {answer}"))?;
        result.iter().map(series).collect()
    }

    /// The value of the only series that `expression` gives.
    ///
    /// # Errors
    /// As for [`Prometheus::query`], and when there is not exactly one.
    pub fn value(&self, expression: &str, time: Option<f64>) -> Result<f64, String> {
        match self.query(expression, time)?.as_slice() {
            [one] => Ok(one.points.last().ok_or("a series without points")?.1),
            other => Err(format!("{expression}: {} series", other.len())),
        }
    }

    /// Unix time of the last scrape, seconds.
    ///
    /// # Errors
    /// When there was none or it failed.
    pub fn last_scrape(&self) -> Result<f64, String> {
        if self.value("up{job=\"hostlens\"}", None)? != 1.0 {
            return Err("the scrape failed".to_owned());
        }
        self.value("timestamp(up{job=\"hostlens\"})", None)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("prometheus printed: {:#?}", self.output.lines());
        }
    }
}

fn series(value: &Value) -> Result<Series, String> {
    let pairs = match (&value["values"], &value["value"]) {
        (Value::Array(many), _) => many.clone(),
        (_, one @ Value::Array(_)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let points = pairs.iter().map(|pair| {
        let number = pair[1].as_str().and_then(|text| text.parse().ok());
        Some((pair[0].as_f64()?, number?))
    });
    Ok(Series {
        labels: value["metric"].clone(),
        points: points
            .collect::<Option<_>>()
            .ok_or_else(|| format!("odd series {value}"))?,
    })
}

/// Makes blocks of samples of the past.
fn write_past(data: &TempDir, past: &str) {
    let file = data.path().join("past.txt");
    fs::write(&file, format!("{past}# EOF\n")).expect("write the past");
    let output = host::command("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&file, data.path()])
        .output()
        .expect("run promtool");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "promtool: {said}");
}

/// A loopback port that was free a moment ago: Prometheus does not tell which port it chose.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
