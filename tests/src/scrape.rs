//! What a host tells a scraper, read strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::{Error, Result};
use crate::http;

/// One page in the OpenMetrics text format.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    /// By its name, without `_total`.
    pub families: BTreeMap<String, Family>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    pub help: String,
    /// By name and labels.
    pub samples: BTreeMap<Series, f64>,
}

/// A sample's name, and its labels by name.
pub type Series = (String, BTreeMap<String, String>);

// === impl Scrape ===

impl Scrape {
    /// Of the admin socket.
    pub fn of(admin_socket: &Path) -> Result<Self> {
        let answer = http::send(admin_socket, &http::request("GET", "/metrics", &[], b""))?;
        match (answer.status, answer.header("Content-Type")) {
            (200, Some("application/openmetrics-text; version=1.0.0; charset=utf-8")) => Self::parse(&answer.text()),
            other => Err(Error::Unexpected(format!("{other:?}: {}", answer.text()))),
        }
    }

    pub fn parse(page: &str) -> Result<Self> {
        let bad = |line: &str| Error::Unexpected(format!("not a line of metrics: `{line}`"));
        let body = page.strip_suffix("# EOF\n").ok_or_else(|| bad("the page has no end"))?;
        let mut scrape = Self::default();
        let mut current = String::new();
        for line in body.lines() {
            let comment = line.strip_prefix("# ").and_then(|rest| {
                let (word, rest) = rest.split_once(' ')?;
                let (name, text) = rest.split_once(' ')?;
                Some((word, name, text))
            });
            match comment {
                Some((word, name, text)) => {
                    let is_new = current != name;
                    if is_new && scrape.families.contains_key(name) {
                        return Err(Error::Unexpected(format!("`{name}` is there twice")));
                    }
                    name.clone_into(&mut current);
                    let family = scrape.families.entry(name.to_owned()).or_default();
                    match word {
                        "HELP" => text.clone_into(&mut family.help),
                        "TYPE" => text.clone_into(&mut family.kind),
                        "UNIT" if name.ends_with(text) => {}
                        _ => return Err(bad(line)),
                    }
                }
                None => {
                    let (series, value) = sample(line).ok_or_else(|| bad(line))?;
                    let family = scrape.families.get_mut(&current).ok_or_else(|| bad(line))?;
                    if !series.0.starts_with(&current) || family.samples.insert(series, value).is_some() {
                        return Err(Error::Unexpected(format!("`{line}` is there twice, or in another's place")));
                    }
                }
            }
        }
        Ok(scrape)
    }

    /// The sum of all samples with this name and at least these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |(series, given): &Series| {
            series == name && labels.iter().all(|(key, value)| given.get(*key).is_some_and(|given| given == value))
        };
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.filter(|(series, _)| has(series)).map(|(_, value)| value).sum()
    }

    /// The names of samples that a query can ask for.
    pub fn names(&self) -> BTreeSet<String> {
        let of = |(name, family): (&String, &Family)| match family.kind.as_str() {
            "counter" => vec![format!("{name}_total")],
            "histogram" => ["bucket", "count", "sum"].map(|suffix| format!("{name}_{suffix}")).to_vec(),
            _ => vec![name.clone()],
        };
        self.families.iter().flat_map(of).collect()
    }

    /// The labels that samples of a family have, `le` left out.
    pub fn labels(&self, family: &str) -> BTreeSet<String> {
        let samples = self.families.get(family).into_iter().flat_map(|family| family.samples.keys());
        samples.flat_map(|(_, labels)| labels.keys().filter(|label| *label != "le").cloned()).collect()
    }
}

fn sample(line: &str) -> Option<(Series, f64)> {
    let (name, value) = line.rsplit_once(' ')?;
    let (name, labels) = match name.split_once('{') {
        Some((name, labels)) => (name, pairs(labels.strip_suffix('}')?)?),
        None => (name, BTreeMap::new()),
    };
    Some(((name.to_owned(), labels), value.parse().ok()?))
}

/// `a="b",c="d"`. Nothing that is a label here has a quote in it.
fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once("=\"")?;
        Some((name.trim_start_matches(',').to_owned(), value.to_owned()))
    };
    text.split_terminator('"').collect::<Vec<_>>().chunks(2).map(|parts| pair(&parts.join("\""))).collect()
}
