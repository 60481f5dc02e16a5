//! `/`: what is here, for a person with a browser.

use std::fmt::Write;

use hyper::Method;

use super::{door, routes::Endpoint};
use crate::model::{Owner, Snapshot};

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>hostlens</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0; }
tr + tr { border-top: 1px solid #8884; }
.degraded { color: #b45309; }
</style>
</head>
<body>
";

/// The page. Before the first cycle it says so.
pub(super) fn html(snapshot: Option<&Snapshot>) -> String {
    let mut page = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<h1>hostlens {}</h1>\n<p>What broke, where, and whose fault was it.</p>\n<table>\n",
        env!("CARGO_PKG_VERSION")
    );
    for endpoint in Endpoint::ALL {
        let (path, purpose) = (endpoint.path(), endpoint.purpose());
        let _ = if endpoint.methods().contains(&Method::GET) {
            writeln!(
                page,
                "<tr><td><a href=\"{path}\">{path}</a></td><td>{purpose}</td></tr>"
            )
        } else {
            writeln!(page, "<tr><td>{path}</td><td>{purpose}</td></tr>")
        };
    }
    page.push_str("</table>\n");
    match snapshot {
        None => page.push_str("<p>The first cycle is not done yet.</p>\n"),
        Some(snapshot) => {
            front_door(&mut page, snapshot);
            sources(&mut page, snapshot);
        }
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// What is wrong at the front door; nothing if nothing is.
fn front_door(page: &mut String, snapshot: &Snapshot) {
    let who = |owner: Option<&Owner>| {
        owner.map_or_else(String::new, |owner| {
            format!("{} ({})", owner.process, owner.user)
        })
    };
    let saturated = door::saturated(snapshot).map(|row| {
        let verdict = row.verdict;
        [
            row.listen,
            who(row.owner),
            verdict.reason.name().to_owned(),
            verdict.netns.to_string(),
            format!(
                "{}. {}.",
                verdict.what.trim_end_matches('.'),
                verdict.advice.trim_end_matches('.')
            ),
        ]
    });
    let columns = [
        "listener",
        "process (user)",
        "reason",
        "netns",
        "what to do",
    ];
    table(page, "Listeners that do not keep up", columns, saturated);
    let refusing = door::refusing(snapshot).map(|row| {
        let gone = row.gone_seconds;
        [
            row.listen,
            who(row.last),
            gone.map_or_else(String::new, |gone| format!("{gone:.0} s")),
            format!("{:.1}", row.rate),
            row.refused.to_string(),
        ]
    });
    let columns = [
        "port",
        "last listener (user)",
        "gone for",
        "per second",
        "refused",
    ];
    table(page, "Ports that refuse", columns, refusing);
    let unresolved = door::unresolved(snapshot).map(|row| {
        [
            row.failed.name.to_string(),
            row.failed.outcome.to_owned(),
            who(row.owner),
            row.resolver,
        ]
    });
    let columns = ["name", "outcome", "process (user)", "resolver"];
    table(page, "Names that failed last", columns, unresolved);
}

/// A table with its heading; nothing without rows.
fn table<const N: usize>(
    page: &mut String,
    heading: &str,
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(page, "<h2>{heading}</h2>\n<table>\n<tr>");
    for column in columns {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>\n");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            page.push_str("<td>");
            escape(page, &cell);
            page.push_str("</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

fn sources(page: &mut String, snapshot: &Snapshot) {
    page.push_str("<h2>Sources</h2>\n<table>\n<tr><th>signal</th><th>source</th><th>why not better</th></tr>\n");
    for source in &snapshot.own.sources {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"degraded\">",
            source.signal, source.source
        );
        escape(page, source.degraded.as_deref().unwrap_or_default());
        page.push_str("</td></tr>\n");
    }
    page.push_str("</table>\n");
}

/// Text as HTML.
fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            _ => page.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture;

    #[test]
    fn reasons_are_text_not_markup() {
        let page = html(Some(&fixture::small()));
        assert!(
            page.contains("no BTF: &quot;&lt;vmlinux&gt;&quot; is missing"),
            "{page}"
        );
        for text in [
            "<td>0.0.0.0:8080</td><td>gunicorn (www-data)</td><td>workers_busy</td><td>4026532201",
            "5 of 5 workers are &lt;busy&gt;. add workers.",
            "<td>0.0.0.0:5672</td><td>beam.smp (rabbitmq)</td><td>42 s</td>",
            "<td>db.&lt;internal&gt;</td><td>NXDOMAIN</td>",
        ] {
            assert!(page.contains(text), "{text} in {page}");
        }
        assert!(html(None).contains("not done yet"));
        let quiet = Snapshot::empty(1, std::time::UNIX_EPOCH);
        assert!(!html(Some(&quiet)).contains("keep up"));
    }
}
