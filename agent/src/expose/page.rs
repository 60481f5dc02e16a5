//! `/`: what is here, for a person with a browser.

use std::fmt::Write;

use super::routes::Endpoint;
use crate::model::Snapshot;

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
        let path = endpoint.path();
        let _ = writeln!(
            page,
            "<tr><td><a href=\"{path}\">{path}</a></td><td>{}</td></tr>",
            endpoint.purpose()
        );
    }
    page.push_str("</table>\n<h2>Sources</h2>\n");
    match snapshot {
        None => page.push_str("<p>The first cycle is not done yet.</p>\n"),
        Some(snapshot) => sources(&mut page, snapshot),
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn sources(page: &mut String, snapshot: &Snapshot) {
    page.push_str("<table>\n<tr><th>signal</th><th>source</th><th>why not better</th></tr>\n");
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
        assert!(html(None).contains("not done yet"));
    }
}
