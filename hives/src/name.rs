//! Names of keys and values: one byte or two per character, compared by upper-cased UTF-16 units.
//!
//! "Compressed" names hold one byte per character, each byte being the UTF-16 unit of that value
//! (Latin-1); the others are UTF-16, little-endian, and may hold unpaired surrogates.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::upcase::{upcase, upcase_xp};

/// A name as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'h> {
    bytes: &'h [u8],
    compressed: bool,
}

impl<'h> Name<'h> {
    pub(crate) fn new(bytes: &'h [u8], compressed: bool) -> Self {
        Self { bytes, compressed }
    }

    /// The UTF-16 code units. An odd last byte of a wide name is ignored.
    pub(crate) fn units(self) -> impl Iterator<Item = u16> + 'h {
        let (narrow, wide): (&[u8], &[u8]) = if self.compressed { (self.bytes, &[]) } else { (&[], self.bytes) };
        let wide = wide.chunks_exact(2).filter_map(|c| c.first_chunk::<2>().copied().map(u16::from_le_bytes));
        narrow.iter().map(|&b| u16::from(b)).chain(wide)
    }

    /// Whether it has one byte per character (Latin-1).
    pub(crate) fn is_narrow(self) -> bool {
        self.compressed
    }

    /// Length in UTF-16 units.
    pub(crate) fn len(self) -> usize {
        if self.compressed {
            self.bytes.len()
        } else {
            self.bytes.len() / 2
        }
    }

    /// The name as text; unpaired surrogates become U+FFFD. Without a copy where it is ASCII, as nearly all are.
    pub(crate) fn text(self) -> Cow<'h, str> {
        if !self.compressed {
            let text = char::decode_utf16(self.units()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
            return Cow::Owned(text.collect());
        }
        match std::str::from_utf8(self.bytes) {
            Ok(text) if text.is_ascii() => Cow::Borrowed(text),
            _ => Cow::Owned(self.bytes.iter().map(|&b| char::from(b)).collect()),
        }
    }

    /// As [`Name::text`], owned.
    pub(crate) fn to_text(self) -> String {
        self.text().into_owned()
    }

    /// Order of two names in a subkey list.
    pub(crate) fn compare(self, other: Name<'_>) -> Ordering {
        if self.compressed && other.compressed {
            for (&a, &b) in self.bytes.iter().zip(other.bytes) {
                if a != b {
                    let order = upcase(u16::from(a)).cmp(&upcase(u16::from(b)));
                    if order != Ordering::Equal {
                        return order;
                    }
                }
            }
            return self.bytes.len().cmp(&other.bytes.len());
        }
        self.units().map(upcase).cmp(other.units().map(upcase))
    }

    /// Order of two names in a hive of Windows before Vista.
    pub(crate) fn compare_xp(self, other: Name<'_>) -> Ordering {
        self.units().map(upcase_xp).cmp(other.units().map(upcase_xp))
    }

    /// Order of this name and one that is upper-cased already.
    pub(crate) fn compare_upper(self, upper: &[u16]) -> Ordering {
        self.units().map(upcase).cmp(upper.iter().copied())
    }

    /// Whether this is the name that is given upper-cased.
    pub(crate) fn is(self, upper: &[u16]) -> bool {
        self.len() == upper.len() && self.compare_upper(upper) == Ordering::Equal
    }

    /// The hash that an `lh` list holds.
    pub(crate) fn hash(self) -> u32 {
        self.units().fold(0, |h, u| hash_step(h, upcase(u)))
    }

    /// The hash in a hive of Windows before Vista.
    pub(crate) fn hash_xp(self) -> u32 {
        self.units().fold(0, |h, u| hash_step(h, upcase_xp(u)))
    }

    /// The hint that an `lf` list holds: the first four characters, or zero when one of them does not fit in a byte.
    pub(crate) fn hint(self) -> [u8; 4] {
        let mut hint = [0; 4];
        for (slot, unit) in hint.iter_mut().zip(self.units()) {
            match u8::try_from(unit) {
                Ok(byte) => *slot = byte,
                Err(_) => return [0; 4],
            }
        }
        hint
    }
}

fn hash_step(hash: u32, unit: u16) -> u32 {
    hash.wrapping_mul(37).wrapping_add(u32::from(unit))
}

/// The hash of a name that is upper-cased already.
pub(crate) fn hash_upper(upper: &[u16]) -> u32 {
    upper.iter().fold(0, |h, &u| hash_step(h, u))
}

/// The upper-cased UTF-16 units of a text.
pub(crate) fn upper_units(text: &str) -> Vec<u16> {
    text.encode_utf16().map(upcase).collect()
}

/// A text as it is stored: bytes, and whether they are compressed (every unit below 256).
pub(crate) fn encode(text: &str) -> (Vec<u8>, bool) {
    let narrow: Option<Vec<u8>> = text.encode_utf16().map(|u| u8::try_from(u).ok()).collect();
    match narrow {
        Some(bytes) => (bytes, true),
        None => (text.encode_utf16().flat_map(u16::to_le_bytes).collect(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_case_and_shorter_first() {
        let n = |b| Name::new(b, true);
        assert_eq!(n(b"abc").compare(n(b"ABC")), Ordering::Equal);
        assert_eq!(n(b"ab").compare(n(b"ABC")), Ordering::Less);
        assert_eq!(n(b"a_").compare(n(b"aB")), Ordering::Greater);
        let wide = Name::new(b"A\0B\0", false);
        assert_eq!(wide.compare(n(b"ab")), Ordering::Equal);
        assert!(wide.is(&upper_units("aB")));
    }

    #[test]
    fn hash_of_a_known_key() {
        // "Select" in an lh list of any SYSTEM hive: computed by hand with h*37+c.
        let mut h = 0u32;
        for c in "SELECT".bytes() {
            h = h.wrapping_mul(37).wrapping_add(u32::from(c));
        }
        assert_eq!(Name::new(b"Select", true).hash(), h);
        assert_eq!(hash_upper(&upper_units("select")), h);
    }

    #[test]
    fn hints() {
        assert_eq!(Name::new(b"Abcdef", true).hint(), *b"Abcd");
        assert_eq!(Name::new(b"Ab", true).hint(), *b"Ab\0\0");
        assert_eq!(Name::new(&[0x41, 0, 0, 1], false).hint(), [0; 4]);
    }

    #[test]
    fn encoding_is_narrow_where_it_can_be() {
        assert_eq!(encode("ä"), (vec![0xE4], true));
        assert_eq!(encode("A\u{100}"), (vec![0x41, 0, 0, 1], false));
    }
}
