//! How far the server can be reached and what guards it: for `/status`, and the warning at start.

use serde_json::{Value, json};

use super::{ListenAddress, guard::Guard};
use crate::model::ServerStats;

/// What strangers could see or overhear, and the cure; `None` if that is nothing.
pub(super) fn warning(addresses: &[ListenAddress], guard: Option<&Guard>) -> Option<String> {
    let open: Vec<String> = (addresses.iter())
        .filter(|address| !address.is_local())
        .map(ToString::to_string)
        .collect();
    let guarded = Guarded::by(guard);
    let lacking = match (guarded.tls, guarded.password || guarded.certificate) {
        (true, true) => return None,
        (true, false) => "without password or client certificate",
        (false, true) => "without TLS, so that passwords can be overheard",
        (false, false) => "without TLS or password",
    };
    (!open.is_empty()).then(|| {
        format!(
            "{} can be reached from other hosts {lacking} (give --web.config.file, or listen on \
             loopback)",
            open.join(", ")
        )
    })
}

/// What a client has to bring.
#[derive(Default)]
struct Guarded {
    tls: bool,
    password: bool,
    certificate: bool,
}

impl Guarded {
    fn by(guard: Option<&Guard>) -> Self {
        // A broken file lets nobody in, and so nobody asks.
        let Some(Ok(config)) = guard.map(Guard::last) else {
            return Self::default();
        };
        Self {
            tls: config.tls.is_some(),
            password: !config.users.is_empty(),
            certificate: config.client_certificates,
        }
    }
}

/// The entry of `/status`.
pub(super) fn json(
    addresses: &[ListenAddress],
    guard: Option<&Guard>,
    server: &ServerStats,
) -> Value {
    let listener = |address: &ListenAddress| json!({"address": address.to_string(), "this_host_only": address.is_local()});
    let guarded = Guarded::by(guard);
    let auth = match (guarded.password, guarded.certificate) {
        (true, true) => "password_and_client_certificate",
        (true, false) => "password",
        (false, true) => "client_certificate",
        (false, false) => "none",
    };
    json!({
        "listeners": addresses.iter().map(listener).collect::<Value>(),
        "tls": guarded.tls,
        "auth": auth,
        "web_config_file": guard.map(|guard| guard.web.path().to_string_lossy()),
        "warning": warning(addresses, guard),
        "failed_handshakes": server.tls_handshakes_failed,
        "unauthorized": server.unauthorized,
        "passwords_not_checked": server.passwords_not_checked,
    })
}
