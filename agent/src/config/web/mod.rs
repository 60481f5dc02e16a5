//! The web configuration file of Prometheus' exporters: TLS, passwords and headers of the server.
//!
//! Keys and meanings are those of the exporter toolkit, so that one file serves all exporters of a
//! host; what this server does not offer is refused by name and line. Format: `docs/exposure.md`.

mod clients;
mod headers;
mod live;
#[cfg(test)]
mod tests;
mod tls;
mod users;

use std::{path::Path, sync::Arc};

use hyper::header::{HeaderName, HeaderValue};
use rustls::ServerConfig;

use super::{
    ConfigError,
    error::Fault,
    files::Watched,
    node::{self, Entry, Value},
    value::{map, unknown},
};

pub use live::LiveWeb;
pub use users::Users;

/// The flag that names the file.
const FLAG: &str = "--web.config.file";
const KEYS: &str = "tls_server_config, http_server_config, basic_auth_users";

/// What a web configuration file says.
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    /// How to speak TLS; `None`: not at all.
    pub tls: Option<Arc<ServerConfig>>,
    /// Every client shows a certificate that was verified.
    pub client_certificates: bool,
    /// Headers of every answer, in place of our own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Who may come in, if there is anyone; otherwise everybody.
    pub users: Users,
}

impl WebConfig {
    /// Reads the file at `path` and those it names.
    ///
    /// # Errors
    /// The first mistake with its line and the cure.
    pub(super) fn read(path: &Path, files: &mut Watched) -> Result<Self, ConfigError> {
        let read = || {
            let text = files.text(path, FLAG)?;
            let directory = path.parent().unwrap_or(Path::new(""));
            parse(&text, directory, files)
        };
        let mut read = read;
        read().map_err(|fault| ConfigError::new(path, fault))
    }
}

/// Reads a configuration from text; `directory` is where relative file names begin.
fn parse(text: &str, directory: &Path, files: &mut Watched) -> Result<WebConfig, Fault> {
    let mut config = WebConfig::default();
    let Some(root) = node::parse(text)? else {
        return Ok(config);
    };
    let Value::Map(entries) = root.value else {
        return Err(Fault::at(
            root.line,
            format!("the file is {}", root.value.kind()),
            format!("begin with {KEYS}"),
        ));
    };
    let mut http2 = true;
    for entry in &entries {
        match entry.key.as_str() {
            "tls_server_config" => {
                if let Some((tls, required)) = tls::server(entry, directory, files)? {
                    config.tls = Some(tls);
                    config.client_certificates = required;
                }
            }
            "http_server_config" => {
                for entry in map(entry)? {
                    match entry.key.as_str() {
                        "http2" => http2 = super::value::truth(entry)?,
                        "headers" => config.headers = headers::parse(entry)?,
                        _ => return Err(unknown(entry, "in http_server_config", "http2, headers")),
                    }
                }
            }
            "basic_auth_users" => config.users = Users::parse(entry)?,
            "rate_limit" => return Err(rate_limit(entry)),
            _ => return Err(unknown(entry, "at the top", KEYS)),
        }
    }
    if let Some(tls) = config.tls.as_mut().and_then(Arc::get_mut) {
        tls::offer(tls, http2);
    }
    Ok(config)
}

fn rate_limit(entry: &Entry) -> Fault {
    Fault::at(
        entry.line,
        "rate_limit is not offered",
        "leave it out: connections and checks of passwords are bounded without it",
    )
}
