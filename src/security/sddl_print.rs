//! From a descriptor to SDDL, spelled as `sc sdshow` and
//! `ConvertSecurityDescriptorToStringSecurityDescriptor` spell it.
//!
//! What SDDL cannot hold is left out, as Windows leaves it out: the "defaulted" control bits, the
//! resource manager's byte, padding inside entries and lists. An entry type that is not taken apart
//! is printed as `(0xTT;0xFF;0xBODY;;;)`, type, flags and the bytes after its header. Windows
//! refuses that spelling, [`Descriptor::from_sddl`] reads it back exactly.

use std::fmt::Write as _;

use super::acl::{self, Ace, AceBody, Acl, Guid};
use super::descriptor::{self as bits, AclSlot, Descriptor};
use super::rights::{LABEL_RIGHTS, RIGHTS, SETS};
use super::sid::Sid;

/// Entry types with a name.
pub(super) const ACE_TYPES: &[(&str, u8)] = &[
    ("A", acl::ALLOW),
    ("D", acl::DENY),
    ("AU", acl::AUDIT),
    ("AL", acl::ALARM),
    ("OA", acl::ALLOW_OBJECT),
    ("OD", acl::DENY_OBJECT),
    ("OU", acl::AUDIT_OBJECT),
    ("OL", acl::ALARM_OBJECT),
    ("ML", acl::LABEL),
    ("SP", acl::SCOPED_POLICY),
    ("TL", acl::TRUST_LABEL),
];

/// Entry flags in the order in which Windows prints them.
pub(super) const ACE_FLAGS: &[(&str, u8)] = &[
    ("OI", 0x01),
    ("CI", 0x02),
    ("NP", 0x04),
    ("IO", acl::INHERIT_ONLY),
    ("ID", 0x10),
    ("CR", 0x20),
    ("SA", 0x40),
    ("FA", 0x80),
];

/// What stands for a list that is said to be there and is not.
pub(super) const NO_ACCESS_CONTROL: &str = "NO_ACCESS_CONTROL";

impl Descriptor {
    /// The descriptor as SDDL: owner, group, DACL, SACL, each only if there.
    #[must_use]
    pub fn to_sddl(&self) -> String {
        let mut out = String::new();
        if let Some(owner) = &self.owner {
            let _ = write!(out, "O:{}", owner.to_sddl());
        }
        if let Some(group) = &self.group {
            let _ = write!(out, "G:{}", group.to_sddl());
        }
        let list = |out: &mut String, name: char, slot: &AclSlot, flags: [u16; 3]| {
            if *slot == AclSlot::Absent {
                return;
            }
            let _ = write!(out, "{name}:");
            for (text, bit) in ["P", "AR", "AI"].iter().zip(flags) {
                if self.control & bit != 0 {
                    out.push_str(text);
                }
            }
            match slot {
                AclSlot::Present(acl) => write_acl(out, acl),
                AclSlot::Null | AclSlot::Absent => out.push_str(NO_ACCESS_CONTROL),
            }
        };
        list(&mut out, 'D', &self.dacl, [bits::DACL_P, bits::DACL_AR, bits::DACL_AI]);
        list(&mut out, 'S', &self.sacl, [bits::SACL_P, bits::SACL_AR, bits::SACL_AI]);
        out
    }
}

fn write_acl(out: &mut String, acl: &Acl) {
    for ace in &acl.aces {
        write_ace(out, ace);
    }
}

fn write_ace(out: &mut String, ace: &Ace) {
    let name = ACE_TYPES.iter().find(|(_, value)| *value == ace.ace_type).map(|(name, _)| *name);
    let (mask, object, inherited, sid): (u32, Option<&Guid>, Option<&Guid>, &Sid) = match (&ace.body, name) {
        (AceBody::Simple { mask, sid }, Some(_)) => (*mask, None, None, sid),
        (AceBody::Object { mask, object, inherited, sid }, Some(_)) => {
            (*mask, object.as_ref(), inherited.as_ref(), sid)
        }
        _ => {
            let bytes = ace.to_bytes();
            let _ = write!(out, "({:#04x};{:#04x};0x", ace.ace_type, ace.flags);
            for byte in bytes.get(4..).unwrap_or_default() {
                let _ = write!(out, "{byte:02x}");
            }
            out.push_str(";;;)");
            return;
        }
    };
    let _ = write!(out, "({};", name.unwrap_or_default());
    for (text, bit) in ACE_FLAGS {
        if ace.flags & bit != 0 {
            out.push_str(text);
        }
    }
    out.push(';');
    out.push_str(&mask_to_sddl(mask, ace.ace_type == acl::LABEL));
    out.push(';');
    if let Some(guid) = object {
        out.push_str(&guid_to_text(guid));
    }
    out.push(';');
    if let Some(guid) = inherited {
        out.push_str(&guid_to_text(guid));
    }
    let _ = write!(out, ";{})", sid.to_sddl());
}

/// A mask in letters where letters say all of it, in hexadecimal otherwise.
fn mask_to_sddl(mask: u32, label: bool) -> String {
    let letters = |names: &mut dyn Iterator<Item = (&'static str, u32)>| {
        let mut rest = mask;
        let mut text = String::new();
        for (name, bit) in names {
            if rest & bit != 0 {
                text.push_str(name);
                rest &= !bit;
            }
        }
        (rest == 0 && mask != 0).then_some(text)
    };
    let found = if label {
        letters(&mut LABEL_RIGHTS.iter().copied())
    } else {
        SETS.iter()
            .find(|(_, set)| *set == mask)
            .map(|(name, _)| (*name).to_owned())
            .or_else(|| letters(&mut RIGHTS.iter().map(|(name, bit, _)| (*name, *bit))))
    };
    found.unwrap_or_else(|| format!("{mask:#x}"))
}

/// A GUID as SDDL writes it, without braces.
fn guid_to_text(guid: &Guid) -> String {
    let g = guid;
    format!(
        "{:08x}-{:04x}-{:04x}-{:02x}{:02x}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}",
        u32::from_le_bytes([g[0], g[1], g[2], g[3]]),
        u16::from_le_bytes([g[4], g[5]]),
        u16::from_le_bytes([g[6], g[7]]),
        g[8],
        g[9],
        g[10],
        g[11],
        g[12],
        g[13],
        g[14],
        g[15]
    )
}
