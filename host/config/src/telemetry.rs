//! `[metrics]` and `[traces]` of `portcullis.toml`.

use std::net::SocketAddr;

use portcullis_telemetry::otlp::{BadEndpoint, Endpoint};
use toml::de::DeValue;

use crate::reader::Table;
use crate::setting::Setting;

/// Where metrics are to be had besides the admin socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// None serves them at the admin socket only.
    pub listen: Option<SocketAddr>,
}

/// What is traced, and who is told.
#[derive(Clone, Debug, PartialEq)]
pub struct TracesConfig {
    pub endpoint: Endpoint,
    /// The part of decisions that are traced, from 0 to 1.
    pub sample: f64,
}

/// A number from 0 to 1.
struct Part(f64);

const DEFAULT_SAMPLE: f64 = 0.1;

pub(crate) fn metrics(table: &mut Table<'_, '_, '_>) -> MetricsConfig {
    MetricsConfig { listen: table.get("listen") }
}

pub(crate) fn traces(table: &mut Table<'_, '_, '_>) -> Option<TracesConfig> {
    let sample = table.get::<Part>("sample").map_or(DEFAULT_SAMPLE, |part| part.0);
    Some(TracesConfig { endpoint: endpoint(table)?, sample })
}

/// A collector's address, which must be there.
pub(crate) fn endpoint(table: &mut Table<'_, '_, '_>) -> Option<Endpoint> {
    let is_there = table.line_of("endpoint").is_some();
    let endpoint = table.get("endpoint");
    if !is_there {
        let what = format!("`{}` is missing", table.full("endpoint"));
        table.problem(table.line(), what, Endpoint::EXPECTED);
    }
    endpoint
}

impl Setting for Endpoint {
    const EXPECTED: &str =
        "expected the URL of a collector, such as \"http://127.0.0.1:4318/v1/traces\" or \"…/v1/logs\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map_err(|problem| match problem {
            // Nobody is to read it in a log.
            BadEndpoint::Credentials => "holds a user or a password, which is not sent".to_owned(),
            BadEndpoint::NotAUrl | BadEndpoint::NotHttp => format!("is `{text}`, {problem}"),
        })
    }
}

impl Setting for Part {
    const EXPECTED: &str = "expected a number from 0 to 1, such as 0.1";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let number = if let DeValue::Float(float) = value {
            float.as_str().replace('_', "").parse::<f64>().map_err(|error| error.to_string())?
        } else {
            i64::read(value)? as f64
        };
        if (0.0..=1.0).contains(&number) { Ok(Self(number)) } else { Err(format!("is {number}")) }
    }
}
