//! `POST /-/reload`: reads the configuration file again.

use hyper::StatusCode;

use super::{asker::Asker, connection::Answer, routes::plain};
use crate::config::LiveConfig;

/// Answers once the file has been read.
pub(super) async fn answer(config: Option<LiveConfig>, asker: Asker) -> Answer {
    if !asker.is_local() {
        return plain(
            StatusCode::FORBIDDEN,
            "only from this host; send SIGHUP, or ask over a loopback address\n",
        );
    }
    let Some(config) = config else {
        return plain(
            StatusCode::BAD_REQUEST,
            "no configuration file; start the agent with --config FILE\n",
        );
    };
    // Reading may block.
    match tokio::task::spawn_blocking(move || config.reload()).await {
        Ok(Ok(())) => plain(StatusCode::OK, "in force from the next cycle on\n"),
        Ok(Err(error)) => plain(StatusCode::BAD_REQUEST, format!("{error}\n")),
        Err(error) => {
            tracing::error!("reload: {error}");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal error; see the agent's log\n",
            )
        }
    }
}
