//! Whether a service's descriptor is broken, and what it is mended to.
//!
//! The rule is that of the design (section 5): broken is what has no or an empty DACL, denies
//! SYSTEM, Administrators or the service's own account something, or leaves SYSTEM (its own entries
//! and those of Administrators together, whose member it is) or Administrators without query
//! configuration, query status or start. Less than full control is normal: Windows' own defaults
//! give SYSTEM on RpcSs no more than that. Bytes that are no descriptor at all are the caller's case
//! ([`Descriptor::parse`] says why).

use std::fmt;

use super::account::service_sid;
use super::acl::{self, Ace};
use super::descriptor::{AclSlot, Descriptor, DACL_BITS};
use super::rights::{describe_rights, map_generic, QUERY_CONFIG, QUERY_STATUS, START};
use super::sid::Sid;
use crate::knowledge::Knowledge;

/// What SYSTEM and Administrators must have.
const NEEDED: u32 = QUERY_CONFIG | QUERY_STATUS | START;

/// A way in which a service's descriptor is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DescriptorFault {
    /// No DACL, or one that is said to be there and is not: everybody may do everything.
    NoDacl,
    /// An empty DACL: nobody may do anything.
    EmptyDacl,
    /// An entry denies an account that the service cannot do without.
    Denies {
        /// The account in the entry. Everyone and Authenticated Users count: SYSTEM is one of them.
        who: Sid,
        /// What is denied, an access mask.
        rights: u32,
    },
    /// An account is left without a right that it needs.
    Lacks {
        /// SYSTEM or Administrators.
        who: Sid,
        /// What is missing, an access mask.
        rights: u32,
    },
}

impl fmt::Display for DescriptorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DescriptorFault::NoDacl => write!(f, "no DACL: everybody may do everything"),
            DescriptorFault::EmptyDacl => write!(f, "empty DACL: nobody may do anything"),
            DescriptorFault::Denies { who, rights } => {
                write!(f, "{} is denied: {}", account_name(who), describe_rights(*rights))
            }
            DescriptorFault::Lacks { who, rights } => {
                write!(f, "{} lacks: {}", account_name(who), describe_rights(*rights))
            }
        }
    }
}

/// An account in words, where it is the same on every machine; its SID otherwise.
#[must_use]
pub fn account_name(sid: &Sid) -> String {
    match sid.alias() {
        Some("SY") => "SYSTEM".to_owned(),
        Some("BA") => "Administrators".to_owned(),
        Some("LS") => "LOCAL SERVICE".to_owned(),
        Some("NS") => "NETWORK SERVICE".to_owned(),
        Some("WD") => "Everyone".to_owned(),
        Some("AU") => "Authenticated Users".to_owned(),
        Some("IU") => "INTERACTIVE".to_owned(),
        Some("SU") => "SERVICE".to_owned(),
        Some("BU") => "Users".to_owned(),
        Some("BG") => "Guests".to_owned(),
        Some("PU") => "Power Users".to_owned(),
        Some("SO") => "Server Operators".to_owned(),
        Some("AC") => "All Application Packages".to_owned(),
        Some("AN") => "ANONYMOUS LOGON".to_owned(),
        Some("NU") => "NETWORK".to_owned(),
        Some("RC") => "RESTRICTED".to_owned(),
        _ => service_name(sid).map_or_else(|| sid.to_string(), |name| format!("NT SERVICE\\{name}")),
    }
}

/// The service whose own account `sid` is, of those that the tables know.
fn service_name(sid: &Sid) -> Option<&'static str> {
    Knowledge::builtin().services().iter().find(|name| service_sid(name) == *sid).copied()
}

/// Everything that is broken in `descriptor`; nothing when it is healthy. `account` is the SID of
/// the account that the service runs under, where it is known ([`super::account_sid`]).
#[must_use]
pub fn judge(descriptor: &Descriptor, account: Option<&Sid>) -> Vec<DescriptorFault> {
    let acl = match &descriptor.dacl {
        AclSlot::Absent | AclSlot::Null => return vec![DescriptorFault::NoDacl],
        AclSlot::Present(acl) if acl.aces.is_empty() => return vec![DescriptorFault::EmptyDacl],
        AclSlot::Present(acl) => acl,
    };
    let (system, administrators) = (Sid::system(), Sid::administrators());
    let protected = [&system, &administrators, &Sid::everyone(), &Sid::authenticated_users()];
    let mut faults = Vec::new();
    let (mut system_has, mut administrators_have) = (0, 0);
    for ace in &acl.aces {
        // An inherit-only entry does not apply to the service itself.
        if ace.flags & acl::INHERIT_ONLY != 0 {
            continue;
        }
        let Some((mask, sid)) = ace.mask_and_sid() else {
            continue;
        };
        let rights = map_generic(mask);
        if denies(ace) {
            if rights != 0 && (protected.contains(&&sid) || account == Some(&sid)) {
                faults.push(DescriptorFault::Denies { who: sid, rights });
            }
        } else if allows(ace) {
            if sid == system {
                system_has |= rights;
            } else if sid == administrators {
                administrators_have |= rights;
            }
        }
    }
    for (who, has) in [(system, system_has | administrators_have), (administrators, administrators_have)] {
        let rights = NEEDED & !has;
        if rights != 0 {
            faults.push(DescriptorFault::Lacks { who, rights });
        }
    }
    faults
}

fn allows(ace: &Ace) -> bool {
    matches!(ace.ace_type, acl::ALLOW | acl::ALLOW_OBJECT | acl::ALLOW_CALLBACK)
}

fn denies(ace: &Ace) -> bool {
    matches!(ace.ace_type, acl::DENY | acl::DENY_OBJECT | acl::DENY_CALLBACK)
}

/// `descriptor` with its DACL (and the control bits that are about it) replaced by the default's.
/// Owner, group and SACL stay; only an owner or group that is missing is taken from the default.
#[must_use]
pub fn mend(descriptor: &Descriptor, default: &Descriptor) -> Descriptor {
    Descriptor {
        control: (descriptor.control & !DACL_BITS) | (default.control & DACL_BITS),
        sbz1: descriptor.sbz1,
        owner: descriptor.owner.clone().or_else(|| default.owner.clone()),
        group: descriptor.group.clone().or_else(|| default.group.clone()),
        dacl: default.dacl.clone(),
        sacl: descriptor.sacl.clone(),
    }
}

/// Why this descriptor is known to be wrong for this service, in words, or `None`. Wrong is not
/// [broken](judge): such a string works, but takes from the service or its users what Windows gives
/// them, or gives what Windows does not. The facts are in `knowledge/wrong-descriptors.toml`.
/// Without a build, what is wrong on any build counts; see [`known_wrong_on`].
#[must_use]
pub fn known_wrong(service: &str, descriptor: &Descriptor) -> Option<String> {
    wrong(service, None, descriptor)
}

/// As [`known_wrong`], for one build: the string that documents recommend for BITS is XP's own.
#[must_use]
pub fn known_wrong_on(service: &str, build: u32, descriptor: &Descriptor) -> Option<String> {
    wrong(service, Some(build), descriptor)
}

fn wrong(service: &str, build: Option<u32>, descriptor: &Descriptor) -> Option<String> {
    let table = Knowledge::builtin().wrong_descriptors();
    for row in &table.strings {
        if row.applies_to(service, build) && row.descriptor.same_dacl(descriptor) {
            return Some(row.why.clone());
        }
    }
    let has = |sid: &Sid| {
        descriptor.dacl.acl().map_or(0, |acl| {
            acl.aces
                .iter()
                .filter(|ace| ace.flags & acl::INHERIT_ONLY == 0 && allows(ace))
                .filter_map(Ace::mask_and_sid)
                .filter(|(_, who)| who == sid)
                .fold(0, |has, (mask, _)| has | map_generic(mask))
        })
    };
    for row in &table.needs {
        if row.service.eq_ignore_ascii_case(service)
            && build.is_none_or(|build| row.builds.contains(build))
            && row.rights & !has(&row.sid) != 0
        {
            return Some(row.why.clone());
        }
    }
    let excess = table.excess_accounts.iter().find(|sid| has(sid) & table.excess_rights != 0)?;
    // XP's own DcomLaunch gives Power Users this; what Windows ships is not called wrong.
    let shipped = Knowledge::builtin()
        .rows()
        .iter()
        .filter(|row| row.service.eq_ignore_ascii_case(service))
        .filter(|row| build.is_none_or(|build| row.builds.contains(build)))
        .flat_map(|row| row.descriptors.iter().flatten())
        .filter_map(|sddl| Descriptor::from_sddl(sddl).ok())
        .any(|default| default.same_dacl(descriptor));
    (!shipped).then(|| format!("{} ({})", table.excess_why, account_name(excess)))
}
