//! The security descriptor itself, self-relative binary form.
//!
//! Facts: [MS-DTYP] 2.4.6. Windows writes the parts in the order SACL, DACL, owner, group right
//! after the 20-byte header (measured: every service descriptor in the hives of XP, 7 and 10).

use thiserror::Error;

use super::acl::Acl;
use super::sid::Sid;

/// Length of the header in bytes.
const HEADER: usize = 20;

/// `SE_DACL_PRESENT`.
pub(super) const DACL_PRESENT: u16 = 0x0004;
/// `SE_SACL_PRESENT`.
pub(super) const SACL_PRESENT: u16 = 0x0010;
/// `SE_DACL_AUTO_INHERIT_REQ`.
pub(super) const DACL_AR: u16 = 0x0100;
/// `SE_SACL_AUTO_INHERIT_REQ`.
pub(super) const SACL_AR: u16 = 0x0200;
/// `SE_DACL_AUTO_INHERITED`.
pub(super) const DACL_AI: u16 = 0x0400;
/// `SE_SACL_AUTO_INHERITED`.
pub(super) const SACL_AI: u16 = 0x0800;
/// `SE_DACL_PROTECTED`.
pub(super) const DACL_P: u16 = 0x1000;
/// `SE_SACL_PROTECTED`.
pub(super) const SACL_P: u16 = 0x2000;
/// `SE_SELF_RELATIVE`.
pub(super) const SELF_RELATIVE: u16 = 0x8000;
/// All control bits that are about the DACL, `SE_DACL_DEFAULTED` included.
pub(super) const DACL_BITS: u16 = DACL_PRESENT | 0x0008 | DACL_AR | DACL_AI | DACL_P;

/// Why bytes are not a security descriptor. Offsets are from the start of the descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptorError {
    /// A part ends too early.
    #[error("{what} at offset {offset:#x} is cut off: {found} bytes found, {needed} needed")]
    Truncated {
        /// Which part.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A part has a revision that Windows does not know.
    #[error("{what} at offset {offset:#x} has revision {found}, which is not one of Windows'")]
    Revision {
        /// Which part.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// The revision found.
        found: u8,
    },
    /// A SID with too many sub-authorities.
    #[error("SID with {found} sub-authorities at offset {offset:#x}, at most 15 expected")]
    SubAuthorities {
        /// Where the count is.
        offset: usize,
        /// The count.
        found: u8,
    },
    /// The control word does not say self-relative.
    #[error("control word {found:#06x} at offset 0x2, bit 0x8000 (self-relative) expected")]
    NotSelfRelative {
        /// The control word.
        found: u16,
    },
    /// A part's offset points into the header or past the end.
    #[error("{what} offset {found:#x} at offset {offset:#x} points outside, 0x14 to {len:#x} expected")]
    Offset {
        /// Which part.
        what: &'static str,
        /// Where the offset is stored.
        offset: usize,
        /// The offset found.
        found: u32,
        /// Length of the descriptor.
        len: usize,
    },
}

/// A DACL or SACL slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AclSlot {
    /// Not there: the control word says so.
    #[default]
    Absent,
    /// Said to be there, but without a list. As a DACL this lets everybody do everything.
    Null,
    /// A list, possibly empty. As a DACL an empty one lets nobody do anything.
    Present(Acl),
}

impl AclSlot {
    /// The list, if there is one.
    #[must_use]
    pub fn acl(&self) -> Option<&Acl> {
        match self {
            AclSlot::Present(acl) => Some(acl),
            AclSlot::Absent | AclSlot::Null => None,
        }
    }
}

/// A security descriptor, revision 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// The control word as found, without the bits that the fields below decide (present,
    /// self-relative).
    pub(super) control: u16,
    /// `Sbz1`: the resource manager's control byte, normally 0.
    pub(super) sbz1: u8,
    /// The owner.
    pub(super) owner: Option<Sid>,
    /// The primary group.
    pub(super) group: Option<Sid>,
    /// The discretionary list: who may do what.
    pub(super) dacl: AclSlot,
    /// The system list: what is audited, and the integrity label.
    pub(super) sacl: AclSlot,
}

impl Descriptor {
    /// Reads the self-relative binary form. Bytes that belong to no part are ignored, as Windows
    /// ignores them.
    ///
    /// # Errors
    /// [`DescriptorError`], with the offset, when any part is cut off or malformed.
    pub fn parse(bytes: &[u8]) -> Result<Descriptor, DescriptorError> {
        let head: &[u8; HEADER] = bytes.first_chunk().ok_or(DescriptorError::Truncated {
            what: "security descriptor",
            offset: 0,
            needed: HEADER,
            found: bytes.len(),
        })?;
        if head[0] != 1 {
            return Err(DescriptorError::Revision { what: "security descriptor", offset: 0, found: head[0] });
        }
        let control = u16::from_le_bytes([head[2], head[3]]);
        if control & SELF_RELATIVE == 0 {
            return Err(DescriptorError::NotSelfRelative { found: control });
        }
        // The part whose offset is stored at `at`; offset 0 means that there is none.
        let part = |what: &'static str, at: usize| -> Result<Option<(usize, &[u8])>, DescriptorError> {
            let stored = u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            if stored == 0 {
                return Ok(None);
            }
            let start = usize::try_from(stored).unwrap_or(usize::MAX);
            match bytes.get(start..) {
                Some(rest) if start >= HEADER && !rest.is_empty() => Ok(Some((start, rest))),
                _ => Err(DescriptorError::Offset { what, offset: at, found: stored, len: bytes.len() }),
            }
        };
        let sid = |what, at| -> Result<Option<Sid>, DescriptorError> {
            part(what, at)?.map(|(start, rest)| Sid::parse(rest, start)).transpose()
        };
        let acl = |what, at, present: u16| -> Result<AclSlot, DescriptorError> {
            if control & present == 0 {
                return Ok(AclSlot::Absent);
            }
            Ok(match part(what, at)? {
                None => AclSlot::Null,
                Some((start, rest)) => AclSlot::Present(Acl::parse(rest, start)?),
            })
        };
        Ok(Descriptor {
            control: control & !(SELF_RELATIVE | DACL_PRESENT | SACL_PRESENT),
            sbz1: head[1],
            owner: sid("owner", 4)?,
            group: sid("group", 8)?,
            sacl: acl("SACL", 12, SACL_PRESENT)?,
            dacl: acl("DACL", 16, DACL_PRESENT)?,
        })
    }

    /// The self-relative binary form, with the parts in the order in which Windows writes them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0u8; HEADER];
        out[0] = 1;
        out[1] = self.sbz1;
        out[2..4].copy_from_slice(&self.control().to_le_bytes());
        let mut append = |at: usize, bytes: Option<Vec<u8>>| {
            let Some(bytes) = bytes else { return };
            // Two lists of at most 64 KiB and two SIDs: far below 32 bits.
            let offset = u32::try_from(out.len()).unwrap_or(u32::MAX);
            out[at..at + 4].copy_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&bytes);
        };
        append(12, self.sacl.acl().map(Acl::to_bytes));
        append(16, self.dacl.acl().map(Acl::to_bytes));
        append(4, self.owner.as_ref().map(Sid::to_bytes));
        append(8, self.group.as_ref().map(Sid::to_bytes));
        out
    }

    /// The control word as [`Descriptor::to_bytes`] writes it.
    #[must_use]
    pub fn control(&self) -> u16 {
        let mut control = self.control | SELF_RELATIVE;
        if self.dacl != AclSlot::Absent {
            control |= DACL_PRESENT;
        }
        if self.sacl != AclSlot::Absent {
            control |= SACL_PRESENT;
        }
        control
    }

    /// The owner.
    #[must_use]
    pub fn owner(&self) -> Option<&Sid> {
        self.owner.as_ref()
    }

    /// The primary group.
    #[must_use]
    pub fn group(&self) -> Option<&Sid> {
        self.group.as_ref()
    }

    /// The discretionary list.
    #[must_use]
    pub fn dacl(&self) -> &AclSlot {
        &self.dacl
    }

    /// The system list.
    #[must_use]
    pub fn sacl(&self) -> &AclSlot {
        &self.sacl
    }

    /// Whether two descriptors grant, deny and audit the same: equal but for control bits and
    /// padding that have no meaning for a service.
    #[must_use]
    pub fn same_meaning(&self, other: &Descriptor) -> bool {
        self.owner == other.owner
            && self.group == other.group
            && same_acl(&self.dacl, &other.dacl)
            && same_acl(&self.sacl, &other.sacl)
    }

    /// Whether the discretionary lists are the same, entry by entry.
    #[must_use]
    pub fn same_dacl(&self, other: &Descriptor) -> bool {
        same_acl(&self.dacl, &other.dacl)
    }
}

fn same_acl(a: &AclSlot, b: &AclSlot) -> bool {
    match (a, b) {
        (AclSlot::Present(a), AclSlot::Present(b)) => {
            a.aces.len() == b.aces.len()
                && a.aces
                    .iter()
                    .zip(&b.aces)
                    .all(|(a, b)| a.ace_type == b.ace_type && a.flags == b.flags && a.body == b.body)
        }
        (a, b) => a == b,
    }
}
