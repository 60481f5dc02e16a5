//! `POST /-/reload`: reads the configuration file again.

use std::net::IpAddr;

use hyper::StatusCode;

use super::{connection::Answer, routes::plain};
use crate::config::LiveConfig;

/// Answers once the file has been read. `address` is the client's; `from_page`: a browser sent it
/// for a web page, which may be anybody's and still comes from this host.
pub(super) async fn answer(
    config: Option<LiveConfig>,
    address: Option<IpAddr>,
    from_page: bool,
) -> Answer {
    if from_page || !address.is_some_and(|address| address.is_loopback()) {
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
