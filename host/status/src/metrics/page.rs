//! Writes families of metrics in the OpenMetrics text format.

use std::fmt;

use portcullis_telemetry::metrics::histogram::Histogram;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// What is written of every family, whether or not it has a sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Without the unit, and without `_total`.
    pub(crate) name: &'static str,
    pub(crate) unit: Option<Measure>,
    /// A sentence without its full stop.
    pub(crate) help: &'static str,
}

/// The units that there are here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    Seconds,
    Bytes,
}

pub(crate) type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// A page that is being written.
pub(super) struct Page<'a>(pub(crate) DescriptorEncoder<'a>);

impl Page<'_> {
    pub(crate) fn counters<'s, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'s, N>, u64)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Counter, samples, |encoder, count| {
            encoder.encode_counter::<NoLabelSet, u64, f64>(count, None)
        })
    }

    pub(crate) fn gauges<'s, V: EncodeGaugeValue, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'s, N>, V)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Gauge, samples, |encoder, value| encoder.encode_gauge(value))
    }

    pub(crate) fn histograms<'s, const N: usize>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Labels<'s, N>, &'s Histogram)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Histogram, samples, |encoder, histogram| {
            let read = histogram.read();
            encoder.encode_histogram::<NoLabelSet>(read.sum, read.count, &read.buckets, None)
        })
    }

    /// A counter that is not a whole number.
    pub(crate) fn seconds_counter(&mut self, family: &Family, seconds: Option<f64>) -> fmt::Result {
        let samples = seconds.map(|seconds| ([], seconds));
        self.family(family, MetricType::Counter, samples, |encoder, value| {
            encoder.encode_counter::<NoLabelSet, f64, f64>(value, None)
        })
    }

    fn family<'s, V, const N: usize>(
        &mut self,
        family: &Family,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'s, N>, V)>,
        encode: impl Fn(&mut MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        let unit = family.unit.map(|unit| match unit {
            Measure::Seconds => Unit::Seconds,
            Measure::Bytes => Unit::Bytes,
        });
        let mut encoder = self.0.encode_descriptor(family.name, family.help, unit.as_ref(), kind)?;
        for (labels, value) in samples {
            encode(&mut encoder.encode_family(&labels)?, &value)?;
        }
        Ok(())
    }
}
