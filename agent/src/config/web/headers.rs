//! `http_server_config.headers`: the few that may be set.

use hyper::header::{HeaderName, HeaderValue};

use super::super::{
    error::Fault,
    node::Entry,
    value::{map, optional, unknown},
};

/// The headers, and their values if there are only some.
const KNOWN: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// Headers that are not blank.
pub(super) fn parse(entry: &Entry) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let mut headers = Vec::new();
    for entry in map(entry)? {
        let known = KNOWN.iter().find(|(name, _)| *name == entry.key);
        let Some((name, values)) = known else {
            let names = KNOWN.map(|(name, _)| name).join(", ");
            return Err(unknown(entry, "in headers", &names));
        };
        let Some(text) = optional(entry)? else {
            continue;
        };
        let line = entry.value.line;
        if !values.is_empty() && !values.contains(&text) {
            return Err(Fault::at(
                line,
                format!("{name} is {text}"),
                format!("write {}", values.join(" or ")),
            ));
        }
        let value = HeaderValue::from_str(text).map_err(|_| {
            Fault::at(
                line,
                format!("{name} holds what no header may"),
                "write it in one line of printable ASCII",
            )
        })?;
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| Fault::at(line, error.to_string(), "leave it out"))?;
        headers.push((name, value));
    }
    Ok(headers)
}
