//! Security identifiers, and the two-letter names that SDDL has for some of them.
//!
//! Facts: [MS-DTYP] 2.4.2 (layout), 2.5.1.1 (`sid-token`) and the SDDL SID strings of the Windows
//! SDK. Only aliases that mean the same SID on every machine are here; those that need the domain's
//! or the machine's own SID (`DA`, `LA`, …) cannot be resolved in an installation that is not running.

use std::fmt;

use super::descriptor::DescriptorError;

/// The most sub-authorities that a SID may have (`SID_MAX_SUB_AUTHORITIES`).
const MAX_SUB_AUTHORITIES: usize = 15;

/// Alias, identifier authority, sub-authorities.
type Alias = (&'static str, u64, &'static [u32]);

/// The aliases with a fixed meaning. The first of two aliases for one SID is the one printed.
const ALIASES: &[Alias] = &[
    ("WD", 1, &[0]),
    ("CO", 3, &[0]),
    ("CG", 3, &[1]),
    ("OW", 3, &[4]),
    ("NU", 5, &[2]),
    ("IU", 5, &[4]),
    ("SU", 5, &[6]),
    ("AN", 5, &[7]),
    ("ED", 5, &[9]),
    ("PS", 5, &[10]),
    ("AU", 5, &[11]),
    ("RC", 5, &[12]),
    ("SY", 5, &[18]),
    ("LS", 5, &[19]),
    ("NS", 5, &[20]),
    ("WR", 5, &[33]),
    ("UD", 5, &[84, 0, 0, 0, 0, 0]),
    ("BA", 5, &[32, 544]),
    ("BU", 5, &[32, 545]),
    ("BG", 5, &[32, 546]),
    ("PU", 5, &[32, 547]),
    ("AO", 5, &[32, 548]),
    ("SO", 5, &[32, 549]),
    ("PO", 5, &[32, 550]),
    ("BO", 5, &[32, 551]),
    ("RE", 5, &[32, 552]),
    ("RU", 5, &[32, 554]),
    ("RD", 5, &[32, 555]),
    ("NO", 5, &[32, 556]),
    ("MU", 5, &[32, 558]),
    ("LU", 5, &[32, 559]),
    ("IS", 5, &[32, 568]),
    ("CY", 5, &[32, 569]),
    ("ER", 5, &[32, 573]),
    ("CD", 5, &[32, 574]),
    ("RA", 5, &[32, 575]),
    ("ES", 5, &[32, 576]),
    ("MS", 5, &[32, 577]),
    ("HA", 5, &[32, 578]),
    ("AA", 5, &[32, 579]),
    ("RM", 5, &[32, 580]),
    ("HO", 5, &[32, 584]),
    ("AC", 15, &[2, 1]),
    ("LW", 16, &[4096]),
    ("ME", 16, &[8192]),
    ("MP", 16, &[8448]),
    ("HI", 16, &[12288]),
    ("SI", 16, &[16384]),
    ("AS", 18, &[1]),
    ("SS", 18, &[2]),
];

/// Aliases that stand for an account of the machine or its domain: legal SDDL, but not resolvable
/// without the running system.
const RELATIVE_ALIASES: &[&str] =
    &["DA", "DG", "DU", "DD", "DC", "CA", "SA", "EA", "PA", "LA", "LG", "RS", "RO", "CN", "AP", "KA", "EK"];

/// A security identifier, revision 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid {
    /// The identifier authority, 48 bits.
    authority: u64,
    /// Sub-authorities, at most 15.
    sub: Vec<u32>,
}

impl Sid {
    /// A SID out of its numbers; `None` when the authority needs more than 48 bits or there are
    /// more than 15 sub-authorities.
    #[must_use]
    pub fn new(authority: u64, sub: &[u32]) -> Option<Sid> {
        (authority < 1 << 48 && sub.len() <= MAX_SUB_AUTHORITIES).then(|| Sid { authority, sub: sub.to_vec() })
    }

    fn known(authority: u64, sub: &[u32]) -> Sid {
        Sid { authority, sub: sub.to_vec() }
    }

    /// `S-1-1-0`, Everyone.
    #[must_use]
    pub fn everyone() -> Sid {
        Sid::known(1, &[0])
    }

    /// `S-1-5-11`, Authenticated Users.
    #[must_use]
    pub fn authenticated_users() -> Sid {
        Sid::known(5, &[11])
    }

    /// `S-1-5-18`, SYSTEM.
    #[must_use]
    pub fn system() -> Sid {
        Sid::known(5, &[18])
    }

    /// `S-1-5-19`, LOCAL SERVICE.
    #[must_use]
    pub fn local_service() -> Sid {
        Sid::known(5, &[19])
    }

    /// `S-1-5-20`, NETWORK SERVICE.
    #[must_use]
    pub fn network_service() -> Sid {
        Sid::known(5, &[20])
    }

    /// `S-1-5-32-544`, the built-in Administrators.
    #[must_use]
    pub fn administrators() -> Sid {
        Sid::known(5, &[32, 544])
    }

    /// Reads a SID at the start of `bytes`, which lie at `offset` of the descriptor (for errors).
    /// Returns the SID; its length in bytes is [`Sid::len_bytes`].
    pub(super) fn parse(bytes: &[u8], offset: usize) -> Result<Sid, DescriptorError> {
        let head: &[u8; 8] = bytes.first_chunk().ok_or(DescriptorError::Truncated {
            what: "SID",
            offset,
            needed: 8,
            found: bytes.len(),
        })?;
        if head[0] != 1 {
            return Err(DescriptorError::Revision { what: "SID", offset, found: head[0] });
        }
        let count = usize::from(head[1]);
        if count > MAX_SUB_AUTHORITIES {
            return Err(DescriptorError::SubAuthorities { offset: offset + 1, found: head[1] });
        }
        let needed = 8 + 4 * count;
        let body = bytes.get(8..needed).ok_or(DescriptorError::Truncated {
            what: "SID",
            offset,
            needed,
            found: bytes.len(),
        })?;
        // The identifier authority is the one big-endian number of the format.
        let authority = head[2..].iter().fold(0u64, |acc, byte| acc << 8 | u64::from(*byte));
        let sub = body.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect();
        Ok(Sid { authority, sub })
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len_bytes());
        out.push(1);
        // At most 15 by construction.
        out.push(u8::try_from(self.sub.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&self.authority.to_be_bytes()[2..]);
        for number in &self.sub {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out
    }

    /// Length of the binary form in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        8 + 4 * self.sub.len()
    }

    /// Reads `S-1-…` (an authority above 32 bits is written in hexadecimal). `None` when it is not
    /// exactly that.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Sid> {
        let mut parts = text.split('-');
        if !parts.next()?.eq_ignore_ascii_case("s") || number(parts.next()?)? != 1 {
            return None;
        }
        let authority = number(parts.next()?)?;
        let sub = parts.map(|part| number(part).and_then(|n| u32::try_from(n).ok())).collect::<Option<Vec<u32>>>()?;
        Sid::new(authority, &sub)
    }

    /// The SID of a two-letter SDDL alias with a fixed meaning, in any case.
    #[must_use]
    pub fn from_alias(alias: &str) -> Option<Sid> {
        ALIASES
            .iter()
            .find(|(name, _, _)| name.eq_ignore_ascii_case(alias))
            .map(|(_, authority, sub)| Sid::known(*authority, sub))
    }

    /// Whether `alias` is SDDL for an account of the machine or its domain.
    pub(super) fn is_relative_alias(alias: &str) -> bool {
        RELATIVE_ALIASES.iter().any(|name| name.eq_ignore_ascii_case(alias))
    }

    /// The two-letter SDDL alias, where there is one.
    #[must_use]
    pub fn alias(&self) -> Option<&'static str> {
        ALIASES
            .iter()
            .find(|(_, authority, sub)| *authority == self.authority && *sub == self.sub.as_slice())
            .map(|(name, _, _)| *name)
    }

    /// As SDDL writes it: the alias where there is one, `S-1-…` otherwise.
    #[must_use]
    pub fn to_sddl(&self) -> String {
        self.alias().map_or_else(|| self.to_string(), str::to_owned)
    }
}

/// A decimal number, or a hexadecimal one with `0x`; digits only, no sign.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.get(..2) {
        Some("0x" | "0X") => (&text[2..], 16),
        _ => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.authority > u64::from(u32::MAX) {
            write!(f, "S-1-0x{:012X}", self.authority)?;
        } else {
            write!(f, "S-1-{}", self.authority)?;
        }
        for number in &self.sub {
            write!(f, "-{number}")?;
        }
        Ok(())
    }
}
