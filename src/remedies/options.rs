//! Which remedies run: `--only`, `--skip`, `--with`, `--reset`, and the options of single remedies.

use crate::error::{Failure, Result};
use crate::security::Descriptor;

use super::{Remedy, REMEDIES};

/// What `--reset` runs finding or not. Descriptors are replaced only when broken, and the rest of a service's
/// configuration only when it deviates.
const RESET: &[&str] = &["services-start", "update-cache", "catalog-cache", "bits-queue"];
/// What `--with` can run without a finding.
const FORCEABLE: &[&str] = &["services-start", "update-cache", "catalog-cache", "bits-queue", "os-upgrade"];

/// The choice of remedies.
#[derive(Debug, Default)]
pub struct Options {
    only: Vec<String>,
    skip: Vec<String>,
    with: Vec<String>,
    reset: bool,
    /// `update-cache`: keep the history.
    pub keep_history: bool,
    /// `services-security`: descriptors to write, by service.
    pub sddl: Vec<(String, Descriptor)>,
}

impl Options {
    /// Reads the flags.
    ///
    /// # Errors
    /// Unknown remedies, and SDDL that is malformed (with the place of the fault).
    pub fn parse(
        only: &[String],
        skip: &[String],
        with: &[String],
        reset: bool,
        keep_history: bool,
        sddl: &[String],
    ) -> Result<Options> {
        for id in only.iter().chain(skip).chain(with) {
            if !REMEDIES.iter().any(|r| r.id == id) {
                let known: Vec<&str> = REMEDIES.iter().map(|r| r.id).collect();
                return Err(Failure::usage(format!("there is no remedy {id:?}"))
                    .hint(format!("The remedies are: {}.", known.join(", "))));
            }
        }
        if let Some(id) = with.iter().find(|id| skip.contains(id)) {
            return Err(Failure::usage(format!("{id} is named by --with and by --skip")));
        }
        let sddl: Vec<(String, Descriptor)> = sddl.iter().map(|text| parse_sddl(text)).collect::<Result<_>>()?;
        for (i, (name, _)) in sddl.iter().enumerate() {
            if sddl.iter().take(i).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(Failure::usage(format!("--sddl is given twice for {name}")));
            }
        }
        Ok(Options { only: only.to_vec(), skip: skip.to_vec(), with: with.to_vec(), reset, keep_history, sddl })
    }

    /// Whether a remedy is considered at all.
    pub(super) fn wants(&self, remedy: &Remedy) -> bool {
        let named = |list: &[String]| list.iter().any(|id| id == remedy.id);
        if named(&self.skip) {
            return false;
        }
        if named(&self.with) || named(&self.only) {
            return true;
        }
        if remedy.id == "services-security" && !self.sddl.is_empty() {
            return true;
        }
        self.only.is_empty() && remedy.default
    }

    /// Whether a remedy runs finding or not.
    pub(super) fn is_forced(&self, id: &str) -> bool {
        let off_by_default = REMEDIES.iter().any(|r| r.id == id && !r.default);
        let named = self.with.iter().any(|w| w == id) || (off_by_default && self.only.iter().any(|o| o == id));
        (named && FORCEABLE.contains(&id)) || (self.reset && RESET.contains(&id))
    }
}

fn parse_sddl(text: &str) -> Result<(String, Descriptor)> {
    let (service, sddl) = text
        .split_once('=')
        .filter(|(service, _)| !service.is_empty() && !service.contains('\\'))
        .ok_or_else(|| Failure::usage(format!("--sddl {text:?} is not of the form SERVICE=SDDL")))?;
    let descriptor = Descriptor::from_sddl(sddl).map_err(|e| {
        Failure::usage(format!("--sddl for {service}: {e}")).hint("Nothing was written. Correct the string.")
    })?;
    Ok((service.to_string(), descriptor))
}
