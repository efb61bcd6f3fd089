//! How many lines a tenant's policies may write into the operator's log in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counts lines, anew each second. One number holds both the second and the count, so that no lock is needed.
#[derive(Debug)]
pub struct LineBudget {
    most: u32,
    start: Instant,
    /// The second in the upper half, the lines taken in it in the lower.
    taken: AtomicU64,
}

impl LineBudget {
    pub fn new(most: u32) -> Self {
        Self { most, start: Instant::now(), taken: AtomicU64::new(0) }
    }

    /// Takes so many lines; gives how many of them may be written.
    pub fn take(&self, lines: u32) -> u32 {
        self.take_at(self.start.elapsed().as_secs(), lines)
    }

    fn take_at(&self, second: u64, lines: u32) -> u32 {
        let mut granted = 0;
        let _ = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            let used = if taken >> 32 == second { taken & u64::from(u32::MAX) } else { 0 };
            granted = lines.min(u64::from(self.most).saturating_sub(used).try_into().unwrap_or(u32::MAX));
            Some(second << 32 | (used + u64::from(granted)))
        });
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_the_second() {
        let budget = LineBudget::new(10);
        let taken = [(0, 4), (0, 4), (0, 4), (0, 1), (1, 20), (1, 1), (7, 3)].map(|(at, n)| budget.take_at(at, n));
        assert_eq!(taken, [4, 4, 2, 0, 10, 0, 3]);
        assert_eq!(LineBudget::new(0).take(1), 0);
    }
}
