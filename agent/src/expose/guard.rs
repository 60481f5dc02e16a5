//! What the web configuration demands of a request before anything is answered, and adds to every
//! answer.

use std::sync::Arc;

use hyper::{
    StatusCode,
    header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    asker::Client,
    connection::{Answer, Ask, Progress},
    counters::Counters,
    password::{Passwords, Verdict},
    routes::{App, plain, with},
};
use crate::config::{ConfigError, LiveWeb, WebConfig};

/// The web configuration and who was let in by it.
pub(super) struct Guard {
    pub(super) web: LiveWeb,
    passwords: Passwords,
}

/// What is known of a request before it is read.
#[derive(Clone, Copy)]
pub(super) struct From {
    pub(super) client: Client,
    /// It came through TLS.
    pub(super) encrypted: bool,
}

impl Guard {
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new(web: LiveWeb) -> anyhow::Result<Self> {
        Ok(Self {
            web,
            passwords: Passwords::new()?,
        })
    }

    /// The configuration as the files are now; they are read off the runtime's threads.
    pub(super) async fn current(&self) -> Option<Arc<WebConfig>> {
        let web = self.web.clone();
        let read = tokio::task::spawn_blocking(move || web.current());
        read.await.ok().and_then(Result::ok)
    }

    /// What the last look at the files found.
    pub(super) fn last(&self) -> Result<Arc<WebConfig>, ConfigError> {
        self.web.last()
    }

    /// An answer instead of what was asked for; `None`: come in.
    async fn refusal(
        &self,
        config: &Arc<WebConfig>,
        request: &Ask,
        from: From,
        counters: &Counters,
    ) -> Option<Answer> {
        if config.tls.is_some() && !from.encrypted {
            // TLS was turned on while this connection was open.
            let text = "HTTPS from now on; connect again\n";
            return Some(plain(StatusCode::BAD_REQUEST, text));
        }
        if config.users.is_empty() {
            return None;
        }
        let authorization = request.headers().get(AUTHORIZATION);
        match self.passwords.check(config, authorization).await {
            Verdict::Welcome => None,
            Verdict::Unknown => {
                counters.unauthorized();
                let answer = plain(StatusCode::UNAUTHORIZED, "name and password, please\n");
                let demand = "Basic realm=\"hostlens\", charset=\"UTF-8\"";
                Some(with(answer, WWW_AUTHENTICATE, demand))
            }
            Verdict::Busy => {
                counters.password_unchecked();
                let text = "too many passwords to check\n";
                let answer = plain(StatusCode::SERVICE_UNAVAILABLE, text);
                Some(with(answer, RETRY_AFTER, "1"))
            }
        }
    }
}

/// Answers one request as far as its sender may ask.
pub(super) async fn answer(app: &App, request: Ask, from: From, progress: &dyn Progress) -> Answer {
    let Some(guard) = app.guard() else {
        return app.answer(request, from.client, progress).await;
    };
    let Some(config) = guard.current().await else {
        progress.refused(true);
        let text = "the web configuration is broken; see the agent's log\n";
        return plain(StatusCode::INTERNAL_SERVER_ERROR, text);
    };
    let refusal = guard.refusal(&config, &request, from, app.counters()).await;
    progress.refused(refusal.is_some());
    let mut answer = match refusal {
        Some(refusal) => refusal,
        None => app.answer(request, from.client, progress).await,
    };
    for (name, value) in &config.headers {
        answer.headers_mut().insert(name, value.clone());
    }
    answer
}
