//! Windows' time stamp: 100-nanosecond ticks since 1601-01-01 UTC (MS-DTYP 2.3.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Ticks between 1601-01-01 and 1970-01-01.
const UNIX_EPOCH_TICKS: u64 = 116_444_736_000_000_000;

/// A point in time: 100 ns ticks since 1601-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileTime(pub u64);

impl FileTime {
    /// The system clock's present time. In WinPE that clock may be wrong; edits never move a time backwards.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Whole seconds since 1970-01-01 UTC (negative before).
    pub fn unix_seconds(self) -> i64 {
        let ticks = i128::from(self.0).saturating_sub(i128::from(UNIX_EPOCH_TICKS));
        i64::try_from(ticks.div_euclid(10_000_000)).unwrap_or(i64::MAX)
    }
}

impl From<SystemTime> for FileTime {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let ticks = u64::try_from(since.as_nanos() / 100).unwrap_or(u64::MAX);
        Self(ticks.saturating_add(UNIX_EPOCH_TICKS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_epochs_agree() {
        assert_eq!(FileTime::from(UNIX_EPOCH).0, UNIX_EPOCH_TICKS);
        assert_eq!(FileTime(UNIX_EPOCH_TICKS).unix_seconds(), 0);
        assert_eq!(FileTime(0).unix_seconds(), -11_644_473_600);
    }
}
