//! From SDDL to a descriptor.
//!
//! Grammar: [MS-DTYP] 2.5.1.1. As in Windows the sections may stand in any order, each at most once,
//! and letters may be of either case. Refused, with the place: conditional and resource-attribute
//! entries (a service never has them), and aliases that only the running machine or its domain could
//! resolve. The extension for entries that are not taken apart is described in [`super::sddl_print`].

use thiserror::Error;

use super::acl::{Ace, AceBody, Acl, Guid};
use super::descriptor::{self as bits, AclSlot, Descriptor};
use super::rights::{LABEL_RIGHTS, RIGHTS, SETS};
use super::sddl_print::{ACE_FLAGS, ACE_TYPES, NO_ACCESS_CONTROL};
use super::sid::Sid;

/// The longest string that is looked at, in characters: two lists of 64 KiB, spelled out.
const MAX_CHARS: usize = 1 << 20;

/// A string that is not SDDL, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("character {position}: found {found}, expected {expected}")]
pub struct SddlError {
    /// The place in characters, counted from 1. One more than the length at the end of the string.
    pub position: usize,
    /// What stands there, quoted, or "the end".
    pub found: String,
    /// What would be right there.
    pub expected: String,
}

/// Part of the string: its characters, and the place of the first, counted from 0.
#[derive(Clone, Copy)]
struct Field<'a> {
    chars: &'a [char],
    start: usize,
}

impl Field<'_> {
    fn text(&self) -> String {
        self.chars.iter().collect()
    }

    fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    fn error(&self, expected: impl Into<String>) -> SddlError {
        SddlError {
            position: self.start + 1,
            found: if self.is_empty() { "nothing".to_owned() } else { format!("`{}`", self.text()) },
            expected: expected.into(),
        }
    }

    /// The two characters at `at`, or the one that is left.
    fn pair(&self, at: usize) -> Field<'_> {
        let end = (at + 2).min(self.chars.len());
        Field { chars: &self.chars[at..end], start: self.start + at }
    }
}

impl Descriptor {
    /// Reads SDDL.
    ///
    /// # Errors
    /// [`SddlError`]: the place of the fault, what stands there, what was expected.
    pub fn from_sddl(text: &str) -> Result<Descriptor, SddlError> {
        let chars: Vec<char> = text.chars().take(MAX_CHARS + 1).collect();
        if chars.len() > MAX_CHARS {
            return Err(SddlError {
                position: MAX_CHARS + 1,
                found: "more".to_owned(),
                expected: "the end: a descriptor is shorter".to_owned(),
            });
        }
        Parser { chars: &chars, at: 0 }.descriptor()
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn error(&self, expected: impl Into<String>) -> SddlError {
        SddlError {
            position: self.at + 1,
            found: self.peek(0).map_or_else(|| "the end".to_owned(), |c| format!("`{c}`")),
            expected: expected.into(),
        }
    }

    fn skip_blanks(&mut self) {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes `word` if it stands here, in any case.
    fn take(&mut self, word: &str) -> bool {
        let matches =
            word.chars().enumerate().all(|(i, c)| self.peek(i).is_some_and(|found| found.eq_ignore_ascii_case(&c)));
        if matches {
            self.at += word.chars().count();
        }
        matches
    }

    fn descriptor(mut self) -> Result<Descriptor, SddlError> {
        let mut out = Descriptor::default();
        let mut seen: Vec<char> = Vec::new();
        loop {
            self.skip_blanks();
            let Some(letter) = self.peek(0) else { break };
            let section = letter.to_ascii_uppercase();
            if !matches!(section, 'O' | 'G' | 'D' | 'S') {
                return Err(self.error(if seen.is_empty() {
                    "`O:`, `G:`, `D:` or `S:`"
                } else {
                    "`(`, `O:`, `G:`, `D:`, `S:` or the end"
                }));
            }
            if seen.contains(&section) {
                return Err(self.error(format!("`{section}:` only once")));
            }
            seen.push(section);
            self.at += 1;
            if self.peek(0) != Some(':') {
                return Err(self.error("`:`"));
            }
            self.at += 1;
            match section {
                'O' => out.owner = Some(self.section_sid()?),
                'G' => out.group = Some(self.section_sid()?),
                'D' => {
                    let (slot, control) = self.list([bits::DACL_P, bits::DACL_AR, bits::DACL_AI])?;
                    out.dacl = slot;
                    out.control |= control;
                }
                _ => {
                    let (slot, control) = self.list([bits::SACL_P, bits::SACL_AR, bits::SACL_AI])?;
                    out.sacl = slot;
                    out.control |= control;
                }
            }
        }
        if seen.is_empty() {
            return Err(self.error("`O:`, `G:`, `D:` or `S:`"));
        }
        Ok(out)
    }

    /// The SID of an owner or group, which nothing but the next section ends.
    fn section_sid(&mut self) -> Result<Sid, SddlError> {
        let start = self.at;
        let mut end = start;
        if self.peek(0).is_some_and(|c| c.eq_ignore_ascii_case(&'s')) && self.peek(1) == Some('-') {
            end += 1;
            // Only an authority may be hexadecimal, so a `D` here begins the next section.
            while let Some(c) = self.chars.get(end) {
                let in_hex = self.chars[start..end]
                    .iter()
                    .rev()
                    .take_while(|c| **c != '-')
                    .any(|c| c.eq_ignore_ascii_case(&'x'));
                let continues = c.is_ascii_digit()
                    || *c == '-'
                    || c.eq_ignore_ascii_case(&'x')
                    || (in_hex && c.is_ascii_hexdigit());
                if !continues {
                    break;
                }
                end += 1;
            }
        } else {
            end = (start + 2).min(self.chars.len());
        }
        self.at = end;
        sid(Field { chars: &self.chars[start..end], start })
    }

    /// Flags and entries of a list.
    fn list(&mut self, flags: [u16; 3]) -> Result<(AclSlot, u16), SddlError> {
        let mut control = 0;
        let mut null = false;
        loop {
            let start = self.at;
            let mut fresh = |bit: u16| {
                let is_new = control & bit == 0;
                control |= bit;
                is_new
            };
            let ok = if self.take(NO_ACCESS_CONTROL) {
                !std::mem::replace(&mut null, true)
            } else if self.take("P") {
                fresh(flags[0])
            } else if self.take("AR") {
                fresh(flags[1])
            } else if self.take("AI") {
                fresh(flags[2])
            } else {
                break;
            };
            if !ok {
                self.at = start;
                return Err(self.error("each flag of a list only once"));
            }
        }
        self.skip_blanks();
        let first = self.at;
        let mut aces = Vec::new();
        while self.peek(0) == Some('(') {
            aces.push(self.ace()?);
            self.skip_blanks();
        }
        // Whatever follows must begin a section; said here, where the alternatives are known.
        let section = self.peek(0).is_none_or(|c| matches!(c.to_ascii_uppercase(), 'O' | 'G' | 'D' | 'S'));
        if !section {
            return Err(self.error(if aces.is_empty() {
                "`P`, `AI`, `AR`, `(`, the next section or the end"
            } else {
                "`(`, the next section or the end"
            }));
        }
        if null {
            if !aces.is_empty() {
                self.at = first;
                return Err(self.error("no entry after `NO_ACCESS_CONTROL`"));
            }
            return Ok((AclSlot::Null, control));
        }
        let acl = Acl::from_aces(aces).ok_or_else(|| SddlError {
            position: first + 1,
            found: "more than 65535 bytes of entries".to_owned(),
            expected: "a list that fits its 16-bit size".to_owned(),
        })?;
        Ok((AclSlot::Present(acl), control))
    }

    /// One entry, from its `(` to its `)`.
    fn ace(&mut self) -> Result<Ace, SddlError> {
        self.at += 1;
        let mut fields: Vec<Field<'a>> = Vec::with_capacity(6);
        let mut start = self.at;
        loop {
            match self.peek(0) {
                Some(end @ (';' | ')')) => {
                    fields.push(Field { chars: &self.chars[start..self.at], start });
                    if end == ')' {
                        break;
                    }
                    if fields.len() == 6 {
                        return Err(self.error(
                            "`)`: an entry has six fields (conditions and attributes are not \
                             supported)",
                        ));
                    }
                    self.at += 1;
                    start = self.at;
                }
                Some('(') => return Err(self.error("`;` or `)`")),
                Some(_) => self.at += 1,
                None => return Err(self.error("`)`")),
            }
        }
        let &[kind, flags, rights, object, inherited, account] = fields.as_slice() else {
            return Err(self.error(format!(
                "`;`: an entry has six fields (type;flags;rights;object;inherited object;account), \
                 this one has {}",
                fields.len()
            )));
        };
        self.at += 1;
        if kind.text().to_ascii_lowercase().starts_with("0x") {
            return opaque_ace(kind, flags, rights, [object, inherited, account]);
        }
        let name = kind.text();
        let ace_type = ACE_TYPES
            .iter()
            .find(|(text, _)| text.eq_ignore_ascii_case(&name))
            .map(|(_, value)| *value)
            .ok_or_else(|| kind.error("a type: A, D, AU, AL, OA, OD, OU, OL, ML, SP or TL"))?;
        let is_object = Ace::layout(ace_type) == Some(true);
        let guid = |field: Field<'_>| -> Result<Option<Guid>, SddlError> {
            if field.is_empty() {
                Ok(None)
            } else if !is_object {
                Err(field.error("nothing: only object entries (OA, OD, OU, OL) have this field"))
            } else {
                parse_guid(&field.text()).map(Some).ok_or_else(|| field.error("a GUID or nothing"))
            }
        };
        let flags = ace_flags(flags)?;
        let mask = mask(rights, ace_type == super::acl::LABEL)?;
        let (object, inherited) = (guid(object)?, guid(inherited)?);
        let sid = sid(account)?;
        Ok(Ace {
            ace_type,
            flags,
            body: if is_object {
                AceBody::Object { mask, object, inherited, sid }
            } else {
                AceBody::Simple { mask, sid }
            },
            trailing: Vec::new(),
        })
    }
}

fn ace_flags(field: Field<'_>) -> Result<u8, SddlError> {
    let mut out = 0;
    for at in (0..field.chars.len()).step_by(2) {
        let pair = field.pair(at);
        let name = pair.text();
        out |= ACE_FLAGS
            .iter()
            .find(|(text, _)| text.eq_ignore_ascii_case(&name))
            .map(|(_, bit)| *bit)
            .ok_or_else(|| pair.error("a flag: OI, CI, NP, IO, ID, CR, SA or FA"))?;
    }
    Ok(out)
}

fn mask(field: Field<'_>, label: bool) -> Result<u32, SddlError> {
    let text = field.text();
    if text.is_empty() {
        return Err(field.error("rights: letter pairs such as CCLCRP, or 0x and hexadecimal digits"));
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let parsed = match hex {
            Some(digits) if digits.chars().all(|c| c.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok(),
            // A leading zero would be octal to Windows: nobody means that.
            None if text == "0" || !text.starts_with('0') => text.parse().ok(),
            _ => None,
        };
        return parsed.ok_or_else(|| field.error("a 32-bit number, 0x and hexadecimal digits"));
    }
    let mut out = 0;
    for at in (0..field.chars.len()).step_by(2) {
        let pair = field.pair(at);
        let name = pair.text();
        let of = |table: &[(&str, u32)]| {
            table.iter().find(|(text, _)| text.eq_ignore_ascii_case(&name)).map(|(_, bits)| *bits)
        };
        let found = RIGHTS
            .iter()
            .find(|(text, _, _)| text.eq_ignore_ascii_case(&name))
            .map(|(_, bits, _)| *bits)
            .or_else(|| of(SETS))
            .or_else(|| if label { of(LABEL_RIGHTS) } else { None });
        out |= found.ok_or_else(|| {
            pair.error(if label {
                "a right: NW, NR or NX"
            } else {
                "a right: CC, DC, LC, SW, RP, WP, DT, LO, CR, SD, RC, WD, WO, GA, GR, GW, GX, or \
                 FA, FR, FW, FX, KA, KR, KW, KX"
            })
        })?;
    }
    Ok(out)
}

fn sid(field: Field<'_>) -> Result<Sid, SddlError> {
    let text = field.text();
    if let Some(sid) = Sid::from_alias(&text).or_else(|| Sid::from_text(&text)) {
        return Ok(sid);
    }
    Err(field.error(if Sid::is_relative_alias(&text) {
        "an account that is the same on every machine: this alias belongs to a domain or to one \
         machine, so give its SID (S-1-…)"
    } else {
        "an account: a two-letter alias such as SY or BA, or a SID (S-1-…)"
    }))
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, without or with braces.
fn parse_guid(text: &str) -> Option<Guid> {
    let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
    let parts: Vec<&str> = inner.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    if lengths != [8, 4, 4, 4, 12] {
        return None;
    }
    let digits = parts.concat();
    let big = u128::from_str_radix(&digits, 16).ok()?;
    if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut out = big.to_be_bytes();
    out[0..4].reverse();
    out[4..6].reverse();
    out[6..8].reverse();
    Some(out)
}

/// `(0xTT;0xFF;0xBODY;;;)`, see [`super::sddl_print`].
fn opaque_ace(kind: Field<'_>, flags: Field<'_>, body: Field<'_>, empty: [Field<'_>; 3]) -> Result<Ace, SddlError> {
    let bytes = |field: Field<'_>, what: &str| -> Result<Vec<u8>, SddlError> {
        let text = field.text().to_ascii_lowercase();
        let digits = text.strip_prefix("0x").filter(|d| d.len() % 2 == 0 && d.chars().all(|c| c.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(|| field.error(format!("0x and {what}")))?;
        (0..digits.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).map_err(|_| field.error(format!("0x and {what}"))))
            .collect()
    };
    let one = |field: Field<'_>| match bytes(field, "two hexadecimal digits")?.as_slice() {
        [byte] => Ok(*byte),
        _ => Err(field.error("0x and two hexadecimal digits")),
    };
    let (ace_type, flags) = (one(kind)?, one(flags)?);
    let data = bytes(body, "the entry's bytes, two hexadecimal digits each")?;
    for field in empty {
        if !field.is_empty() {
            return Err(field.error("nothing: the bytes hold everything"));
        }
    }
    let mut raw = vec![ace_type, flags, 0, 0];
    raw.extend_from_slice(&data);
    if raw.len() > usize::from(u16::MAX) {
        return Err(body.error("an entry of at most 65535 bytes"));
    }
    Ace::parse(&raw, 0).map_err(|e| body.error(format!("the bytes of such an entry ({e})")))
}
