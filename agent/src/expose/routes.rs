//! What each path answers.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, StatusCode,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, ORIGIN, USER_AGENT, VARY},
};

use super::{
    Format, LatestSnapshot, Limits, ListenAddress, Scrapers, ServerOptions,
    asker::{Asker, Client},
    cache::Cache,
    connection::{Answer, Ask, Progress},
    counters::Counters,
    exposure,
    guard::Guard,
    page, reload, response_time, status,
};
use crate::{clock::Moment, config::LiveConfig, request::ResponseRequest};

const PLAIN: &str = "text/plain; charset=utf-8";

/// A path and what it is for; the index page lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Index,
    Metrics,
    Status,
    Ready,
    Health,
    Reload,
    ResponseTime,
}

impl Endpoint {
    pub(super) const ALL: [Self; 7] = [
        Self::Index,
        Self::Metrics,
        Self::Status,
        Self::Ready,
        Self::Health,
        Self::Reload,
        Self::ResponseTime,
    ];

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Index => "/",
            Self::Metrics => "/metrics",
            Self::Status => "/status",
            Self::Ready => "/readyz",
            Self::Health => "/healthz",
            Self::Reload => "/-/reload",
            Self::ResponseTime => "/api/response-time",
        }
    }

    pub(super) const fn purpose(self) -> &'static str {
        match self {
            Self::Index => "this page",
            Self::Metrics => {
                "metrics for Prometheus: OpenMetrics, text or protobuf with native histograms"
            }
            Self::Status => "sources, programs, budgets, costs and losses as JSON",
            Self::Ready => "200 once the first cycle is done",
            Self::Health => "200 while the agent answers",
            Self::Reload => "POST from this host: reads the configuration file again",
            Self::ResponseTime => {
                "POST from this host, with ?for=10m: watches times to first byte for so long"
            }
        }
    }

    pub(super) fn methods(self) -> &'static [Method] {
        match self {
            Self::Reload | Self::ResponseTime => &[Method::POST],
            _ => &[Method::GET, Method::HEAD],
        }
    }
}

/// Everything a request may need.
pub(super) struct App {
    store: Arc<dyn LatestSnapshot>,
    cache: Cache,
    scrapers: Arc<Scrapers>,
    counters: Arc<Counters>,
    limits: Limits,
    config: Option<LiveConfig>,
    response: ResponseRequest,
    addresses: Vec<ListenAddress>,
    guard: Option<Guard>,
}

impl App {
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new(
        store: Arc<dyn LatestSnapshot>,
        scrapers: Arc<Scrapers>,
        counters: Arc<Counters>,
        options: ServerOptions,
        addresses: Vec<ListenAddress>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            cache: Cache::new(Arc::clone(&store), Arc::clone(&counters)),
            store,
            scrapers,
            counters,
            limits: options.limits,
            config: options.config,
            response: options.response,
            addresses,
            guard: options.web.map(Guard::new).transpose()?,
        })
    }

    pub(super) fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    pub(super) fn guard(&self) -> Option<&Guard> {
        self.guard.as_ref()
    }

    pub(super) fn scrapers(&self) -> &Arc<Scrapers> {
        &self.scrapers
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers one request of a client that may ask.
    pub(super) async fn answer(
        &self,
        request: Ask,
        client: Client,
        progress: &dyn Progress,
    ) -> Answer {
        let target = request
            .uri()
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if target > self.limits.target_bytes {
            return plain(StatusCode::URI_TOO_LONG, "request target too long\n");
        }
        if request.headers().len() > self.limits.headers {
            let text = "too many headers\n";
            return plain(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text);
        }
        let path = request.uri().path();
        let Some(endpoint) = Endpoint::ALL.into_iter().find(|known| known.path() == path) else {
            return plain(StatusCode::NOT_FOUND, "no such path; / lists them\n");
        };
        if !endpoint.methods().contains(request.method()) {
            let allowed: Vec<&str> = endpoint.methods().iter().map(Method::as_str).collect();
            let answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            return with(answer, ALLOW, &allowed.join(", "));
        }
        let asker = Asker {
            client,
            from_page: request.headers().contains_key(ORIGIN),
        };
        match endpoint {
            Endpoint::Metrics => self.metrics(&request, client, progress).await,
            Endpoint::Reload => reload::answer(self.config.clone(), asker).await,
            Endpoint::ResponseTime => {
                let (query, latest) = (request.uri().query(), self.store.latest());
                response_time::answer(&self.response, query, asker, latest.as_deref())
            }
            Endpoint::Health => plain(StatusCode::OK, "ok\n"),
            Endpoint::Ready if self.store.latest().is_some() => plain(StatusCode::OK, "ready\n"),
            Endpoint::Ready => not_ready(),
            Endpoint::Status => {
                let snapshot = self.store.latest();
                let now = Moment::now();
                let scrapers = self.scrapers.list(now);
                let server = self.counters.stats();
                let exposure = exposure::json(&self.addresses, self.guard(), &server);
                let json = status::json(snapshot.as_deref(), &server, exposure, &scrapers, now);
                body(StatusCode::OK, "application/json", json)
            }
            Endpoint::Index => {
                let page = page::html(self.store.latest().as_deref());
                let answer = body(StatusCode::OK, "text/html; charset=utf-8", page);
                let name = HeaderName::from_static("content-security-policy");
                with(
                    answer,
                    name,
                    "default-src 'none'; style-src 'unsafe-inline'",
                )
            }
        }
    }

    async fn metrics(&self, request: &Ask, client: Client, progress: &dyn Progress) -> Answer {
        let header = |name: HeaderName| -> String {
            let values = request.headers().get_all(name).iter();
            let values: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            values.join(",")
        };
        let format = Format::negotiate(&header(ACCEPT));
        let exposition = match self.cache.get(format).await {
            Ok(Some(exposition)) => exposition,
            Ok(None) => return not_ready(),
            Err(error) => return internal(&error),
        };
        // A HEAD request carries no values that a scraper could have seen.
        if request.method() == Method::GET {
            self.counters.scraped(format);
            let scrapers = Arc::clone(&self.scrapers);
            let (user_agent, sequence) = (header(USER_AGENT), exposition.sequence);
            progress.when_delivered(Box::new(move || {
                scrapers.served(client.address(), &user_agent, sequence, Moment::now());
            }));
        }
        let answer = body(StatusCode::OK, format.content_type(), exposition.body);
        with(answer, VARY, "Accept")
    }
}

fn not_ready() -> Answer {
    let text = "the first cycle is not done yet\n";
    plain(StatusCode::SERVICE_UNAVAILABLE, text)
}

fn internal(error: &anyhow::Error) -> Answer {
    tracing::error!("{error:#}");
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal error; see the agent's log\n",
    )
}

pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    body(status, PLAIN, text)
}

fn body(status: StatusCode, content_type: &str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(bytes.into()));
    *answer.status_mut() = status;
    let answer = with(answer, CONTENT_TYPE, content_type);
    let answer = with(answer, CACHE_CONTROL, "no-store");
    with(
        answer,
        HeaderName::from_static("x-content-type-options"),
        "nosniff",
    )
}

pub(super) fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    // All values are ours and printable; one that were not would be left out.
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
    answer
}
