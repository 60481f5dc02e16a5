//! A strict reader of the Prometheus text format: what it accepts, Prometheus accepts, and it
//! refuses what Prometheus would silently take, such as a series given twice.

use std::collections::{BTreeMap, BTreeSet};

/// Labels of a series, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// One line of an exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name with its suffix (`_bucket`, `_sum`, `_count`).
    pub name: String,
    /// Labels.
    pub labels: Labels,
    /// Value.
    pub value: f64,
}

impl Sample {
    /// The value of a label; empty if absent, as Prometheus sees it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Whether all these labels have these values; an empty value asks for absence.
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(name, value)| self.label(name) == *value)
    }
}

/// A whole exposition.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// Types by family name.
    pub types: BTreeMap<String, String>,
    /// All samples in order.
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// Reads an exposition in text format 0.0.4.
    ///
    /// # Errors
    /// The first line that breaks the format or one of its rules (help and type before samples,
    /// families in one piece, no series twice, counters ending in `_total`, buckets cumulative).
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            reader
                .line(line)
                .map_err(|reason| format!("{reason}: {line}"))?;
        }
        reader.scrape.check_histograms()?;
        Ok(reader.scrape)
    }

    /// Samples of this name that have all these labels.
    pub fn series(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        self.samples
            .iter()
            .filter(|sample| sample.name == name && sample.has(labels))
            .collect()
    }

    /// Sum over these samples; 0 if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let series = self.series(name, labels);
        series.iter().map(|sample| sample.value).sum()
    }

    /// The value of the one sample that matches.
    ///
    /// # Errors
    /// When none or several match.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64, String> {
        match self.series(name, labels).as_slice() {
            [one] => Ok(one.value),
            [] => Err(format!("no {name}{labels:?}")),
            many => Err(format!("several {name}{labels:?}: {many:?}")),
        }
    }

    /// All series of counters, histograms included, by name and labels.
    pub fn counters(&self) -> BTreeMap<(String, Labels), f64> {
        self.samples
            .iter()
            .filter(|sample| {
                let kind = self.types.get(&sample.name).map(String::as_str);
                kind == Some("counter") || self.histogram_of(&sample.name).is_some()
            })
            .map(|sample| ((sample.name.clone(), sample.labels.clone()), sample.value))
            .collect()
    }

    fn histogram_of<'a>(&self, name: &'a str) -> Option<&'a str> {
        ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|family| {
                self.types
                    .get(*family)
                    .is_some_and(|kind| kind == "histogram")
            })
    }

    fn check_histograms(&self) -> Result<(), String> {
        let mut last: BTreeMap<(&str, Labels), (f64, f64)> = BTreeMap::new();
        for sample in &self.samples {
            let Some(family) = sample.name.strip_suffix("_bucket") else {
                continue;
            };
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").ok_or("a bucket without le")?;
            let bound = number(&bound)?;
            let series = (family, labels);
            if let Some((below, count)) = last.get(&series)
                && (bound <= *below || sample.value < *count)
            {
                return Err(format!("buckets not ascending: {sample:?}"));
            }
            last.insert(series, (bound, sample.value));
        }
        for ((family, labels), (bound, count)) in last {
            let pairs: Vec<(&str, &str)> = labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let name = format!("{family}_count");
            let series = self.series(&name, &pairs);
            let own = series.iter().find(|sample| sample.labels == labels);
            let total = own.map(|sample| sample.value);
            if bound != f64::INFINITY || total != Some(count) {
                return Err(format!(
                    "{family}{labels:?}: le {bound} has {count}, count {total:?}"
                ));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Reader {
    scrape: Scrape,
    family: String,
    helped: BTreeSet<String>,
    seen: BTreeSet<(String, Labels)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or("help without text")?;
            if help.is_empty() || !self.helped.insert(name.to_owned()) {
                return Err("empty or repeated help".to_owned());
            }
            self.family = name.to_owned();
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("type without kind")?;
            let total = name.ends_with("_total");
            match kind {
                "counter" if !total => return Err("counter without _total".to_owned()),
                "gauge" | "histogram" if total => return Err("_total on no counter".to_owned()),
                "counter" | "gauge" | "histogram" => {}
                _ => return Err("unknown type".to_owned()),
            }
            if name != self.family {
                return Err("type without help before it".to_owned());
            }
            let before = self.scrape.types.insert(name.to_owned(), kind.to_owned());
            return match before {
                Some(_) => Err("repeated type".to_owned()),
                None => Ok(()),
            };
        }
        if line.starts_with('#') {
            return Err("unknown comment".to_owned());
        }
        let sample = sample(line)?;
        let family = self.scrape.histogram_of(&sample.name);
        if family.unwrap_or(&sample.name) != self.family {
            return Err(format!("sample outside its family {}", self.family));
        }
        if !self.scrape.types.contains_key(&self.family) {
            return Err("sample before its type".to_owned());
        }
        let series = (sample.name.clone(), sample.labels.clone());
        if !self.seen.insert(series) {
            return Err("series given twice".to_owned());
        }
        self.scrape.samples.push(sample);
        Ok(())
    }
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("bad name".to_owned());
    }
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (key, after) = rest.split_once("=\"").ok_or("bad label")?;
            let (value, after) = quoted(after)?;
            if value.is_empty() {
                return Err(format!("empty label {key}"));
            }
            if labels.insert(key.to_owned(), value).is_some() {
                return Err(format!("label {key} twice"));
            }
            rest = after.strip_prefix(',').unwrap_or(after);
        }
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: number(value)?,
    })
}

/// The text up to the closing quote, unescaped, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                _ => return Err("bad escape".to_owned()),
            },
            c => value.push(c),
        }
    }
    Err("label without closing quote".to_owned())
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        "NaN" => Ok(f64::NAN),
        _ => text.parse().map_err(|_| format!("bad number {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total Things.\n# TYPE a_total counter\n\
        a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 3\na_total{x=\"2\"} 4e2\n\
        # HELP h Times.\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\n\
        h_sum 1.5\nh_count 2\n";

    #[test]
    fn reads_a_good_exposition() {
        let scrape = Scrape::parse(GOOD).unwrap();
        assert_eq!(scrape.sum("a_total", &[]), 403.0);
        assert_eq!(scrape.value("a_total", &[("x", "1")]), Ok(3.0));
        assert_eq!(scrape.samples[0].label("y"), "q\"\\\n");
        assert!(scrape.value("a_total", &[]).is_err());
        assert_eq!(scrape.counters().len(), 6);
    }

    #[test]
    fn refuses_bad_ones() {
        for (from, to) in [
            (
                "a_total{x=\"2\"} 4e2",
                "a_total{y=\"q\\\"\\\\\\n\",x=\"1\"} 4",
            ),
            ("# TYPE a_total counter\n", ""),
            ("h_count 2", "h_count 3"),
            ("h_bucket{le=\"0.5\"} 1", "h_bucket{le=\"0.5\"} 9"),
            ("x=\"2\"", "x=\"\""),
            ("h_sum 1.5", "a_total{x=\"3\"} 1"),
            (" 3\n", " three\n"),
        ] {
            let bad = GOOD.replace(from, to);
            assert_ne!(bad, GOOD);
            assert!(Scrape::parse(&bad).is_err(), "accepted: {bad}");
        }
    }
}
