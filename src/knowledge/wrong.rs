//! Service descriptors that documents recommend and that are wrong.

use serde::Deserialize;

use super::builds::BuildRange;
use super::{read, KnowledgeError};
use crate::security::{Descriptor, Sid};

/// A string that is wrong for some services.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongString {
    /// A name for it.
    pub id: String,
    /// The services that it is wrong for.
    pub services: Vec<String>,
    /// The builds that it is wrong for.
    pub builds: BuildRange,
    /// The string as the document has it.
    pub sddl: String,
    /// The same, read.
    pub descriptor: Descriptor,
    /// What is wrong with it.
    pub why: String,
    /// Who recommends it.
    pub source: String,
}

impl WrongString {
    /// Whether it is wrong for this service (name in any case), on this build if it is known.
    #[must_use]
    pub fn applies_to(&self, service: &str, build: Option<u32>) -> bool {
        build.is_none_or(|build| self.builds.contains(build))
            && self.services.iter().any(|s| s.eq_ignore_ascii_case(service))
    }
}

/// Rights that an account must have from a service's descriptor.
#[derive(Debug, Clone, PartialEq)]
pub struct NeededRight {
    /// The service.
    pub service: String,
    /// The builds.
    pub builds: BuildRange,
    /// The account.
    pub sid: Sid,
    /// The access mask.
    pub rights: u32,
    /// What is wrong without.
    pub why: String,
    /// Where that comes from.
    pub source: String,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongDescriptors {
    /// Strings that are wrong as they stand.
    pub strings: Vec<WrongString>,
    /// Accounts that must not be locked out.
    pub needs: Vec<NeededRight>,
    /// Accounts of ordinary users and rights that none of them may have on any service.
    pub excess_accounts: Vec<Sid>,
    /// See `excess_accounts`; an access mask.
    pub excess_rights: u32,
    /// What is wrong with it.
    pub excess_why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    string: Vec<RawString>,
    need: Vec<RawNeed>,
    excess: RawExcess,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawString {
    id: String,
    services: Vec<String>,
    builds: BuildRange,
    sddl: String,
    why: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNeed {
    service: String,
    builds: BuildRange,
    sid: String,
    rights: u32,
    why: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExcess {
    accounts: Vec<String>,
    rights: u32,
    why: String,
    #[allow(dead_code)]
    source: String,
}

pub(super) fn load() -> Result<WrongDescriptors, KnowledgeError> {
    const TABLE: &str = "wrong-descriptors.toml";
    let file: RawFile = read(TABLE, include_str!("wrong-descriptors.toml"))?;
    let fault = |message: String| KnowledgeError::Row { table: TABLE.to_owned(), message };
    let sid = |text: &str| {
        Sid::from_alias(text).or_else(|| Sid::from_text(text)).ok_or_else(|| fault(format!("`{text}` is no SID")))
    };
    let strings = file
        .string
        .into_iter()
        .map(|raw| {
            Ok(WrongString {
                descriptor: Descriptor::from_sddl(&raw.sddl).map_err(|e| fault(format!("{}: {e}", raw.id)))?,
                id: raw.id,
                services: raw.services,
                builds: raw.builds,
                sddl: raw.sddl,
                why: raw.why,
                source: raw.source,
            })
        })
        .collect::<Result<Vec<_>, KnowledgeError>>()?;
    let needs = file
        .need
        .into_iter()
        .map(|raw| {
            Ok(NeededRight {
                service: raw.service,
                builds: raw.builds,
                sid: sid(&raw.sid)?,
                rights: raw.rights,
                why: raw.why,
                source: raw.source,
            })
        })
        .collect::<Result<Vec<_>, KnowledgeError>>()?;
    let excess_accounts =
        file.excess.accounts.iter().map(|text| sid(text)).collect::<Result<Vec<_>, KnowledgeError>>()?;
    Ok(WrongDescriptors {
        strings,
        needs,
        excess_accounts,
        excess_rights: file.excess.rights,
        excess_why: file.excess.why,
    })
}
