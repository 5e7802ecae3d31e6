//! Access control lists and their entries, binary form.
//!
//! Facts: [MS-DTYP] 2.4.4 and 2.4.5. Entry types that a service descriptor may hold are taken
//! apart; every other one (callback and resource-attribute entries, types to come) is carried as
//! opaque bytes, so that reading and writing a list never changes it.

use super::descriptor::DescriptorError;
use super::sid::Sid;

/// Access allowed.
pub(super) const ALLOW: u8 = 0x00;
/// Access denied.
pub(super) const DENY: u8 = 0x01;
/// Audit (SACL).
pub(super) const AUDIT: u8 = 0x02;
/// Alarm (SACL; reserved by Windows).
pub(super) const ALARM: u8 = 0x03;
/// Object variants of the four above.
pub(super) const ALLOW_OBJECT: u8 = 0x05;
/// See [`ALLOW_OBJECT`].
pub(super) const DENY_OBJECT: u8 = 0x06;
/// See [`ALLOW_OBJECT`].
pub(super) const AUDIT_OBJECT: u8 = 0x07;
/// See [`ALLOW_OBJECT`].
pub(super) const ALARM_OBJECT: u8 = 0x08;
/// Conditional variants: mask, SID, then an expression. Kept opaque, but [`super::judge`] looks at
/// mask and SID.
pub(super) const ALLOW_CALLBACK: u8 = 0x09;
/// See [`ALLOW_CALLBACK`].
pub(super) const DENY_CALLBACK: u8 = 0x0A;
/// Mandatory integrity label (SACL).
pub(super) const LABEL: u8 = 0x11;
/// Scoped policy (SACL).
pub(super) const SCOPED_POLICY: u8 = 0x13;
/// Process trust label (SACL).
pub(super) const TRUST_LABEL: u8 = 0x14;

/// `INHERIT_ONLY_ACE`: the entry does not apply to the object itself.
pub(super) const INHERIT_ONLY: u8 = 0x08;

/// Bytes of an ACL header and of an ACE header.
const ACL_HEADER: usize = 8;
const ACE_HEADER: usize = 4;

/// `ACE_OBJECT_TYPE_PRESENT`.
const HAS_OBJECT: u32 = 1;
/// `ACE_INHERITED_OBJECT_TYPE_PRESENT`.
const HAS_INHERITED: u32 = 2;

/// A GUID in its binary (registry) byte order.
pub type Guid = [u8; 16];

/// What an entry holds after its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AceBody {
    /// Mask and account.
    Simple {
        /// The access mask.
        mask: u32,
        /// Whom it is for.
        sid: Sid,
    },
    /// Mask, up to two object types, account.
    Object {
        /// The access mask.
        mask: u32,
        /// The object, property or property set it is about.
        object: Option<Guid>,
        /// The kind of child that inherits it.
        inherited: Option<Guid>,
        /// Whom it is for.
        sid: Sid,
    },
    /// An entry type that is not interpreted: everything after the four-byte header.
    Opaque(Vec<u8>),
}

/// One access control entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ace {
    /// `AceType`.
    pub(super) ace_type: u8,
    /// `AceFlags`.
    pub(super) flags: u8,
    /// What it says.
    pub(super) body: AceBody,
    /// Bytes after the SID that `AceSize` covers. XP's own descriptor of DcomLaunch has four of
    /// them. They mean nothing in the types that are taken apart, and SDDL cannot hold them.
    pub(super) trailing: Vec<u8>,
}

impl Ace {
    /// An access-allowed entry.
    #[must_use]
    pub fn allow(mask: u32, sid: Sid) -> Ace {
        Ace::simple(ALLOW, mask, sid)
    }

    /// An access-denied entry.
    #[must_use]
    pub fn deny(mask: u32, sid: Sid) -> Ace {
        Ace::simple(DENY, mask, sid)
    }

    fn simple(ace_type: u8, mask: u32, sid: Sid) -> Ace {
        Ace { ace_type, flags: 0, body: AceBody::Simple { mask, sid }, trailing: Vec::new() }
    }

    /// `AceType` as [MS-DTYP] 2.4.4.1 numbers it.
    #[must_use]
    pub fn ace_type(&self) -> u8 {
        self.ace_type
    }

    /// `AceFlags` as [MS-DTYP] 2.4.4.1 numbers them.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// What it says.
    #[must_use]
    pub fn body(&self) -> &AceBody {
        &self.body
    }

    /// The access mask, of the entry types that are taken apart.
    #[must_use]
    pub fn mask(&self) -> Option<u32> {
        match &self.body {
            AceBody::Simple { mask, .. } | AceBody::Object { mask, .. } => Some(*mask),
            AceBody::Opaque(_) => None,
        }
    }

    /// The account, of the entry types that are taken apart.
    #[must_use]
    pub fn sid(&self) -> Option<&Sid> {
        match &self.body {
            AceBody::Simple { sid, .. } | AceBody::Object { sid, .. } => Some(sid),
            AceBody::Opaque(_) => None,
        }
    }

    /// Mask and account also of conditional entries, whose condition is not looked at.
    pub(super) fn mask_and_sid(&self) -> Option<(u32, Sid)> {
        match &self.body {
            AceBody::Simple { mask, sid } | AceBody::Object { mask, sid, .. } => Some((*mask, sid.clone())),
            AceBody::Opaque(bytes) if matches!(self.ace_type, ALLOW_CALLBACK | DENY_CALLBACK) => {
                let mask = u32::from_le_bytes(*bytes.first_chunk()?);
                Some((mask, Sid::parse(bytes.get(4..)?, 0).ok()?))
            }
            AceBody::Opaque(_) => None,
        }
    }

    /// Whether this entry type is taken apart, and if so whether it is an object entry.
    pub(super) fn layout(ace_type: u8) -> Option<bool> {
        match ace_type {
            ALLOW | DENY | AUDIT | ALARM | LABEL | SCOPED_POLICY | TRUST_LABEL => Some(false),
            ALLOW_OBJECT | DENY_OBJECT | AUDIT_OBJECT | ALARM_OBJECT => Some(true),
            _ => None,
        }
    }

    /// Reads an entry out of exactly its own bytes, which lie at `offset` of the descriptor.
    pub(super) fn parse(bytes: &[u8], offset: usize) -> Result<Ace, DescriptorError> {
        let head: &[u8; ACE_HEADER] = bytes.first_chunk().ok_or(DescriptorError::Truncated {
            what: "ACE",
            offset,
            needed: ACE_HEADER,
            found: bytes.len(),
        })?;
        let (ace_type, flags) = (head[0], head[1]);
        let body = &bytes[ACE_HEADER..];
        let opaque = |body: &[u8]| Ace { ace_type, flags, body: AceBody::Opaque(body.to_vec()), trailing: Vec::new() };
        let Some(is_object) = Ace::layout(ace_type) else {
            return Ok(opaque(body));
        };
        let at = offset + ACE_HEADER;
        let truncated =
            |needed: usize| DescriptorError::Truncated { what: "ACE", offset: at, needed, found: body.len() };
        let mask = u32::from_le_bytes(*body.first_chunk().ok_or_else(|| truncated(4))?);
        if !is_object {
            let sid = Sid::parse(&body[4..], at + 4)?;
            let used = 4 + sid.len_bytes();
            return Ok(Ace { ace_type, flags, trailing: body[used..].to_vec(), body: AceBody::Simple { mask, sid } });
        }
        let present = u32::from_le_bytes(*body.get(4..).and_then(|b| b.first_chunk()).ok_or_else(|| truncated(8))?);
        if present & !(HAS_OBJECT | HAS_INHERITED) != 0 {
            // Flags that this program does not know: it cannot say where the SID begins.
            return Ok(opaque(body));
        }
        let mut used = 8;
        let mut guid = |wanted: u32| -> Result<Option<Guid>, DescriptorError> {
            if present & wanted == 0 {
                return Ok(None);
            }
            let found = *body.get(used..).and_then(|b| b.first_chunk::<16>()).ok_or_else(|| truncated(used + 16))?;
            used += 16;
            Ok(Some(found))
        };
        let object = guid(HAS_OBJECT)?;
        let inherited = guid(HAS_INHERITED)?;
        let sid = Sid::parse(&body[used..], at + used)?;
        used += sid.len_bytes();
        Ok(Ace {
            ace_type,
            flags,
            trailing: body[used..].to_vec(),
            body: AceBody::Object { mask, object, inherited, sid },
        })
    }

    /// The binary form.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.ace_type, self.flags, 0, 0];
        match &self.body {
            AceBody::Simple { mask, sid } => {
                out.extend_from_slice(&mask.to_le_bytes());
                out.extend_from_slice(&sid.to_bytes());
            }
            AceBody::Object { mask, object, inherited, sid } => {
                out.extend_from_slice(&mask.to_le_bytes());
                let present =
                    if object.is_some() { HAS_OBJECT } else { 0 } | if inherited.is_some() { HAS_INHERITED } else { 0 };
                out.extend_from_slice(&present.to_le_bytes());
                for guid in [object, inherited].into_iter().flatten() {
                    out.extend_from_slice(guid);
                }
                out.extend_from_slice(&sid.to_bytes());
            }
            AceBody::Opaque(body) => out.extend_from_slice(body),
        }
        out.extend_from_slice(&self.trailing);
        // An entry that was read is no longer than its 16-bit size said; one from SDDL is checked
        // by `Acl::from_aces`.
        let size = u16::try_from(out.len()).unwrap_or(u16::MAX);
        out[2..4].copy_from_slice(&size.to_le_bytes());
        out
    }
}

/// An access control list, discretionary or system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// `AclRevision`: 2, or 4 when there are object entries.
    pub(super) revision: u8,
    /// The entries in order.
    pub(super) aces: Vec<Ace>,
    /// Bytes after the last entry that `AclSize` covers; kept, since they are part of the list.
    pub(super) slack: Vec<u8>,
}

impl Acl {
    /// A list of these entries; `None` when it would be longer than the 65535 bytes a list can say.
    #[must_use]
    pub fn from_aces(aces: Vec<Ace>) -> Option<Acl> {
        let mut size = ACL_HEADER;
        for ace in &aces {
            size = size.checked_add(ace.to_bytes().len())?;
            u16::try_from(size).ok()?;
        }
        let object = aces.iter().any(|ace| Ace::layout(ace.ace_type) == Some(true));
        Some(Acl { revision: if object { 4 } else { 2 }, aces, slack: Vec::new() })
    }

    /// The entries in order.
    #[must_use]
    pub fn aces(&self) -> &[Ace] {
        &self.aces
    }

    /// `AclRevision`.
    #[must_use]
    pub fn revision(&self) -> u8 {
        self.revision
    }

    /// Reads a list at the start of `bytes`, which lie at `offset` of the descriptor.
    pub(super) fn parse(bytes: &[u8], offset: usize) -> Result<Acl, DescriptorError> {
        let truncated = |what, offset, needed, found| DescriptorError::Truncated { what, offset, needed, found };
        let head: &[u8; ACL_HEADER] =
            bytes.first_chunk().ok_or_else(|| truncated("ACL", offset, ACL_HEADER, bytes.len()))?;
        let revision = head[0];
        if !(2..=4).contains(&revision) {
            return Err(DescriptorError::Revision { what: "ACL", offset, found: revision });
        }
        let size = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let count = usize::from(u16::from_le_bytes([head[4], head[5]]));
        if size < ACL_HEADER || size > bytes.len() {
            return Err(truncated("ACL", offset, size.max(ACL_HEADER), bytes.len()));
        }
        let mut at = ACL_HEADER;
        let mut aces = Vec::new();
        for _ in 0..count {
            let rest = &bytes[at..size];
            let ace_offset = offset + at;
            let ace_head: &[u8; ACE_HEADER] =
                rest.first_chunk().ok_or_else(|| truncated("ACE", ace_offset, ACE_HEADER, rest.len()))?;
            let ace_size = usize::from(u16::from_le_bytes([ace_head[2], ace_head[3]]));
            if ace_size < ACE_HEADER || ace_size > rest.len() {
                return Err(truncated("ACE", ace_offset, ace_size.max(ACE_HEADER), rest.len()));
            }
            aces.push(Ace::parse(&rest[..ace_size], ace_offset)?);
            at += ace_size;
        }
        Ok(Acl { revision, aces, slack: bytes[at..size].to_vec() })
    }

    /// The binary form.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.revision, 0, 0, 0, 0, 0, 0, 0];
        for ace in &self.aces {
            out.extend_from_slice(&ace.to_bytes());
        }
        out.extend_from_slice(&self.slack);
        // A list that was read is no longer than its own 16-bit size, one that was built was
        // checked in `from_aces`: neither conversion can saturate.
        let size = u16::try_from(out.len()).unwrap_or(u16::MAX);
        let count = u16::try_from(self.aces.len()).unwrap_or(u16::MAX);
        out[2..4].copy_from_slice(&size.to_le_bytes());
        out[4..6].copy_from_slice(&count.to_le_bytes());
        out
    }
}
