//! Times as logs write them: local time of the machine, without a zone.
//!
//! The forms: `2017-12-06 15:30:46` (CBS, DISM, Setup), the same with a tab (WindowsUpdate.log), `2016/10/05 11:37:14.273`
//! (SetupAPI, later WindowsUpdate.log). They are only compared with each other, and roughly with the clock of the registry.

use std::fmt;

/// A time in a log, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl LogTime {
    /// The time that `text` begins with.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<LogTime> {
        let text: &[u8; 19] = text.first_chunk()?;
        let [y0, y1, y2, y3, s0, o0, o1, s1, d0, d1, b, h0, h1, c0, m0, m1, c1, t0, t1] = *text;
        if !(matches!((s0, s1), (b'-', b'-') | (b'/', b'/')) && matches!(b, b' ' | b'\t' | b'T'))
            || c0 != b':'
            || c1 != b':'
        {
            return None;
        }
        let digit = |c: u8| c.is_ascii_digit().then(|| c - b'0');
        let two = |a: u8, b: u8| Some(digit(a)? * 10 + digit(b)?);
        let time = LogTime {
            year: u16::from(two(y0, y1)?) * 100 + u16::from(two(y2, y3)?),
            month: two(o0, o1)?,
            day: two(d0, d1)?,
            hour: two(h0, h1)?,
            minute: two(m0, m1)?,
            second: two(t0, t1)?,
        };
        let whole = (1..=12).contains(&time.month) && (1..=31).contains(&time.day);
        (whole && time.hour < 24 && time.minute < 60 && time.second < 61).then_some(time)
    }

    /// Seconds since 1970, as if the local time were universal time.
    #[must_use]
    pub fn seconds(self) -> i64 {
        // Days of the civil calendar, counted from a March, so that the leap day is the last.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * 86_400 + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogTime { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn forms() {
        for text in ["2017-12-06 15:30:46, Info", "2017/12/06 15:30:46.123", "2017-12-06\t15:30:46:123"] {
            assert_eq!(LogTime::parse(text.as_bytes()).unwrap().to_string(), "2017-12-06 15:30:46");
        }
        for text in [
            "",
            "2017-12-06",
            "2017-13-06 15:30:46",
            "2017-12-06 25:30:46",
            "x017-12-06 15:30:46",
            "2017-12/06 15:30:46",
        ] {
            assert_eq!(LogTime::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn seconds() {
        let seconds = |text: &str| LogTime::parse(text.as_bytes()).unwrap().seconds();
        assert_eq!(seconds("1970-01-01 00:00:00"), 0);
        assert_eq!(seconds("2000-02-29 12:00:01"), 951_825_601);
        assert_eq!(seconds("2024-03-01 00:00:00"), 1_709_251_200);
        assert!(seconds("0000-01-01 00:00:00") < 0);
    }
}
