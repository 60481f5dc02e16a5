//! Which format a scraper wants.

/// An exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4: the default.
    Text,
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
    /// Prometheus protobuf, delimited, with native histograms.
    Protobuf,
}

impl Format {
    /// All formats, in the order of [`Format::index`].
    pub const ALL: [Self; 3] = [Self::Text, Self::OpenMetrics, Self::Protobuf];

    /// Position in [`Format::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The value of the label `format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::OpenMetrics => "openmetrics",
            Self::Protobuf => "protobuf",
        }
    }

    /// The header `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The format the header `Accept` likes best; the first of equals. Text 0.0.4 if it names
    /// none of ours: a scraper is better served with something than with an error.
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (Self::Text, 0.0);
        for range in accept.split(',') {
            if let Some((format, quality)) = parse(range)
                && quality > best.1
            {
                best = (format, quality);
            }
        }
        best.0
    }
}

/// Format and quality of one media range; `None` if it is none of ours.
fn parse(range: &str) -> Option<(Format, f64)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (mut version, mut proto, mut encoding) = (None, None, None);
    let mut quality = 1.0;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "version" => version = Some(value),
            "proto" => proto = Some(value),
            "encoding" => encoding = Some(value),
            "q" => quality = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?,
            _ => {}
        }
    }
    let format = match media.as_str() {
        "*/*" | "text/*" => Format::Text,
        "text/plain" if matches!(version, None | Some("0.0.4")) => Format::Text,
        "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
            Format::OpenMetrics
        }
        "application/vnd.google.protobuf"
            if proto == Some("io.prometheus.client.MetricFamily")
                && encoding == Some("delimited") =>
        {
            Format::Protobuf
        }
        _ => return None,
    };
    Some((format, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, format: Format) {
        assert_eq!(Format::negotiate(accept), format, "{accept}");
    }

    #[test]
    fn what_scrapers_send() {
        // Prometheus 2.42, without and with native histograms.
        check(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        );
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::Protobuf,
        );
        // Prometheus 3.
        check(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            Format::OpenMetrics,
        );
        // curl, a browser, nothing.
        check("*/*", Format::Text);
        check(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Format::Text,
        );
        check("", Format::Text);
    }

    #[test]
    fn qualities_decide_then_order() {
        let protobuf = Format::Protobuf.content_type();
        check(
            "text/plain;q=0.4, application/openmetrics-text;q=0.5",
            Format::OpenMetrics,
        );
        check("text/plain, application/openmetrics-text", Format::Text);
        check(
            "application/openmetrics-text, text/plain",
            Format::OpenMetrics,
        );
        check(
            "application/openmetrics-text;q=0, text/plain;q=0.1",
            Format::Text,
        );
        check(
            &format!("{protobuf};q=0.2, text/plain;q=0.1"),
            Format::Protobuf,
        );
        check(
            "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.9",
            Format::OpenMetrics,
        );
    }

    #[test]
    fn what_we_do_not_speak_is_passed_over() {
        check("application/openmetrics-text;version=0.0.1", Format::Text);
        check(
            "text/plain;version=1.0.0, application/openmetrics-text;q=0.1",
            Format::OpenMetrics,
        );
        check(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            Format::Text,
        );
        check("application/openmetrics-text;q=2, ;;;=,,q", Format::Text);
        check("application/openmetrics-text;q=nan", Format::Text);
    }
}
