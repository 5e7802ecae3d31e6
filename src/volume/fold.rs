//! Comparing names as NTFS does: without regard to case, one UTF-16 unit at a time.
//!
//! NTFS maps every UTF-16 unit of a name through the volume's `$UpCase` table before it compares.
//! The table is written when a volume is formatted; Windows Vista and every later version, and
//! `mkntfs`, write the same one. It is Unicode's simple upper-case mapping of the basic plane with
//! two kinds of difference, both held here as data and compared unit by unit with the `$UpCase` of
//! a freshly made NTFS volume in the tests:
//!
//! * letters that Unicode maps (or came to map later) and `$UpCase` leaves alone: the table `UNMAPPED`;
//!   among them the dotless i and the long s, which must not turn into `I` and `S`;
//! * Greek letters with iota, which Rust's full mapping takes apart and `$UpCase` maps one to one.
//!
//! XP's table is smaller (fewer rare scripts); the names this tool looks for are ASCII, so the
//! difference can only show in whether two exotic names count as the same.

use std::ffi::OsStr;

/// Ranges of units that Unicode maps to upper case and `$UpCase` does not (units between that have
/// no upper case are included). Source: `$UpCase` as written by mkntfs of ntfs-3g 2022.10.3.
const UNMAPPED: &[(u16, u16)] = &[
    (0x00b5, 0x00b5),
    (0x0131, 0x0131),
    (0x017f, 0x017f),
    (0x019b, 0x019b),
    (0x01c5, 0x01c5),
    (0x01c8, 0x01c8),
    (0x01cb, 0x01cb),
    (0x01f2, 0x01f2),
    (0x023f, 0x0240),
    (0x0252, 0x0252),
    (0x025c, 0x025c),
    (0x0261, 0x0261),
    (0x0264, 0x0266),
    (0x026a, 0x026a),
    (0x026c, 0x026c),
    (0x0282, 0x0282),
    (0x0287, 0x0287),
    (0x029d, 0x029e),
    (0x0345, 0x0345),
    (0x03c2, 0x03c2),
    (0x03d0, 0x03d1),
    (0x03d5, 0x03d6),
    (0x03f0, 0x03f1),
    (0x03f3, 0x03f5),
    (0x0525, 0x052f),
    (0x10d0, 0x10fa),
    (0x10fd, 0x10ff),
    (0x13f8, 0x13fd),
    (0x1c80, 0x1c8a),
    (0x1d8e, 0x1d8e),
    (0x1e9b, 0x1e9b),
    (0x1fbe, 0x1fbe),
    (0x2c5f, 0x2c5f),
    (0x2cec, 0x2cee),
    (0x2cf3, 0x2cf3),
    (0x2d27, 0x2d27),
    (0x2d2d, 0x2d2d),
    (0xa661, 0xa661),
    (0xa699, 0xa69b),
    (0xa791, 0xa794),
    (0xa797, 0xa7a9),
    (0xa7b5, 0xa7c3),
    (0xa7c8, 0xa7ca),
    (0xa7cd, 0xa7db),
    (0xa7f6, 0xa7f6),
    (0xab53, 0xab53),
    (0xab70, 0xabbf),
];

/// The upper case of one UTF-16 unit, as `$UpCase` has it. Surrogates map to themselves.
#[must_use]
pub fn upcase_unit(unit: u16) -> u16 {
    if unit < 0x80 {
        return match unit {
            0x61..=0x7a => unit - 0x20,
            _ => unit,
        };
    }
    match unit {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => return unit + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => return unit + 9,
        _ => {}
    }
    let at = UNMAPPED.partition_point(|&(_, last)| last < unit);
    if UNMAPPED.get(at).is_some_and(|&(first, _)| first <= unit) {
        return unit;
    }
    let Some(c) = char::from_u32(u32::from(unit)) else {
        return unit; // a surrogate
    };
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        // A mapping to several characters is no mapping at all to NTFS.
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(unit),
        _ => unit,
    }
}

/// A name in the form in which two names are compared: equal keys, same name to NTFS.
///
/// Made for comparing and hashing only; it is not a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FoldedName(Vec<u8>);

impl FoldedName {
    /// Folds `name`. Parts that are not valid Unicode (a host file system may hold any bytes, NTFS
    /// unpaired surrogates) are compared as they are.
    #[must_use]
    pub fn new(name: &OsStr) -> Self {
        let bytes = name.as_encoded_bytes();
        if bytes.is_ascii() {
            return FoldedName(bytes.to_ascii_uppercase());
        }
        let mut folded = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let upper = u16::try_from(u32::from(c))
                    .ok()
                    .and_then(|unit| char::from_u32(u32::from(upcase_unit(unit))))
                    .unwrap_or(c);
                folded.extend_from_slice(upper.encode_utf8(&mut [0; 4]).as_bytes());
            }
            folded.extend_from_slice(chunk.invalid());
        }
        FoldedName(folded)
    }
}

/// Whether NTFS takes the two names for the same.
#[must_use]
pub fn same_name(a: &OsStr, b: &OsStr) -> bool {
    a == b || FoldedName::new(a) == FoldedName::new(b)
}
