//! Days: of dates as the registry writes them, of FILETIMEs, and of today.

/// Days between 1601-01-01 and 1970-01-01.
const EPOCH_1601: i64 = 134_774;
const TICKS_PER_DAY: u64 = 24 * 60 * 60 * 10_000_000;

/// The day of a date such as `2051-12-31T10:00:00Z`, counted from 1970; `None` for anything else.
pub(super) fn days_of(text: &str) -> Option<i64> {
    let date = text.trim().split(['T', ' ']).next()?;
    let mut parts = date.split('-');
    let mut number = |digits: usize| {
        let part = parts.next()?;
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// The day of a FILETIME, counted from 1970.
pub(super) fn days_of_filetime(time: u64) -> i64 {
    i64::try_from(time / TICKS_PER_DAY).unwrap_or(i64::MAX).saturating_sub(EPOCH_1601)
}

/// The first day of a year, counted from 1970.
pub(super) fn first_day_of(year: u32) -> i64 {
    days_from_civil(i64::from(year), 1, 1)
}

/// Today by this computer's clock, which may be wrong.
pub(super) fn today() -> i64 {
    days_of_filetime(crate::evidence::now().0)
}

/// Days from 1970-01-01 in the Gregorian calendar; the year is one of four digits.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1970-01-01T23:59:59Z", 0),
            ("1969-12-31", -1),
            ("2000-02-29T00:00:00Z", 11_016),
            ("2000-03-01 00:00:00", 11_017),
            ("2026-11-25T01:00:00Z", 20_782),
            ("2051-12-31T10:00:00Z", 29_949),
        ] {
            assert_eq!(days_of(text), Some(days), "{text}");
        }
        for text in [
            "",
            "T",
            "2051",
            "2051-13-01",
            "2051-00-10",
            "2051-1-1",
            "+051-01-01",
            "2051-01-01-01",
            "99999-01-01",
            "ab-cd-ef",
        ] {
            assert_eq!(days_of(text), None, "{text}");
        }
        assert_eq!(days_of_filetime(116_444_736_000_000_000), 0);
        assert_eq!(days_of_filetime(0), -134_774);
        assert_eq!(first_day_of(2000), 10_957);
        let _ = days_of_filetime(u64::MAX);
    }
}
