//! Durations, counted in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where buckets end, in microseconds: what a call waits for.
pub const OF_CALLS: &[u64] = &[
    25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000,
];
/// Of what happens beside calls: compiling, publishing, writing to the disk.
pub const OF_WORK: &[u64] = &[
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];

/// Counts durations; no lock, and no allocation.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is longer than all.
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

/// A histogram, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// In seconds.
    pub sum: f64,
    pub count: u64,
    /// Where each bucket ends, in seconds, and what is in it and in no smaller one; the last ends nowhere.
    pub buckets: Vec<(f64, u64)>,
}

// === impl Histogram ===

impl Histogram {
    /// Empty, with buckets that end at these microseconds, in ascending order.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Self { bounds, counts, nanoseconds: AtomicU64::default() }
    }

    /// Adds one duration.
    pub fn observe(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // A bucket holds what ends exactly at its bound.
        let bucket = self.bounds.partition_point(|bound| bound.saturating_mul(1_000) < nanoseconds);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// All that was added until now.
    pub fn read(&self) -> Buckets {
        let ends = self.bounds.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<_> = ends.zip(self.counts.iter().map(|count| count.load(Ordering::Relaxed))).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        Buckets { sum: self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9, count, buckets }
    }
}

// === impl Buckets ===

impl Buckets {
    /// What so many percent took at most: in a straight line from where a bucket begins to where it ends, as Prometheus's
    /// `histogram_quantile` has it. What is longer than all bounds counts as the largest of them; zero where there is nothing.
    pub fn quantile(&self, percent: u64) -> Duration {
        let rank = (self.count * percent).div_ceil(100);
        let (mut before, mut begins) = (0, 0.0);
        for (end, count) in &self.buckets {
            if *count > 0 && before + count >= rank {
                let part = (rank - before) as f64 / *count as f64;
                let ends = if end.is_finite() { *end } else { begins };
                return Duration::from_secs_f64(begins + (ends - begins) * part);
            }
            (before, begins) = (before + count, if end.is_finite() { *end } else { begins });
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        for (bounds, nanoseconds, end) in [
            (OF_CALLS, 0, 0.000_025),
            (OF_CALLS, 25_000, 0.000_025),
            (OF_CALLS, 25_001, 0.000_05),
            (OF_CALLS, 5_000_000_000, 5.0),
            (OF_CALLS, 5_000_000_001, f64::INFINITY),
            (OF_WORK, 1_000_000, 0.001),
            (OF_WORK, 60_000_000_000, f64::INFINITY),
        ] {
            let histogram = Histogram::new(bounds);
            histogram.observe(Duration::from_nanos(nanoseconds));
            let read = histogram.read();
            let found: Vec<_> = read.buckets.iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(found, [&(end, 1)], "{nanoseconds}");
            assert_eq!((read.count, read.sum), (1, nanoseconds as f64 / 1e9), "{nanoseconds}");
        }
        assert!([OF_CALLS, OF_WORK].iter().all(|bounds| bounds.is_sorted()));
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_rank() {
        let histogram = Histogram::new(OF_CALLS);
        assert_eq!(histogram.read().quantile(50), Duration::ZERO);
        for _ in 0..98 {
            histogram.observe(Duration::from_micros(90));
        }
        (0..2).for_each(|_| histogram.observe(Duration::from_secs(60)));
        let read = histogram.read();
        // The 50th of 98 between 50 and 100 µs; what is longer than all bounds is told as the largest.
        assert_eq!(read.quantile(50).as_micros(), 50 + 50 * 50 / 98);
        assert_eq!(read.quantile(98), Duration::from_micros(100));
        assert_eq!(read.quantile(99), Duration::from_secs(5));
    }
}
