//! One policy value: as it is in force in SOFTWARE, and as `Registry.pol` will set it again.
//!
//! Relies on [`super::gathered::Gathered`]. That a value which is only deleted in the registry comes back at the next policy refresh
//! follows from how local group policy works ([MS-GPREG]); so both places are evidence.

use super::gathered::Gathered;
use super::{software, software_place};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Severity};
use crate::plan::RegValue;

/// A value that is set in at least one of the two places.
pub(super) struct Setting {
    key: String,
    name: String,
    /// In SOFTWARE.
    pub(super) registry: Option<RegValue>,
    /// In a policy file, with the file's place.
    pub(super) file: Option<(String, RegValue)>,
}

impl Setting {
    /// Reads a machine's setting; `key` is below SOFTWARE. `None` where it is set nowhere.
    pub(super) fn read(context: &Context<'_>, gathered: &Gathered, key: &str, name: &str) -> Result<Option<Setting>> {
        let registry = software(context, key, name)?;
        let file = gathered.in_policy_file(key, name);
        Ok((registry.is_some() || file.is_some()).then(|| Setting {
            key: key.into(),
            name: name.into(),
            registry,
            file,
        }))
    }

    /// What is in force: the registry's value, else the file's.
    pub(super) fn value(&self) -> Option<&RegValue> {
        self.registry.as_ref().or(self.file.as_ref().map(|(_, value)| value))
    }

    /// What `judge` says of the value in force; where that is sound, what it says of the value that the policy file sets again.
    pub(super) fn judged<T>(&self, judge: impl Fn(&RegValue) -> Option<T>) -> Option<Judged<T>> {
        if let Some(what) = self.registry.as_ref().and_then(&judge) {
            return Some(Judged { what, in_force: true });
        }
        let what = self.file.as_ref().and_then(|(_, value)| judge(value))?;
        Some(Judged { what, in_force: false })
    }

    /// Both places.
    pub(super) fn evidence(&self, expected: &str) -> Vec<Evidence> {
        let mut all = Vec::new();
        if self.registry.is_some() || self.file.is_none() {
            all.push(Evidence::new(software_place(&self.key, &self.name), shown(self.registry.as_ref()), expected));
        }
        if let Some((place, value)) = &self.file {
            let found = format!("{}\\{} = {}", self.key, self.name, shown(Some(value)));
            all.push(Evidence::new(place.clone(), found, format!("{expected}; it is set again from here")));
        }
        all
    }
}

/// A judgement, and whether it is about what is in force now.
pub(super) struct Judged<T> {
    pub(super) what: T,
    pub(super) in_force: bool,
}

impl<T> Judged<T> {
    /// A problem that is not in force yet is a suspect.
    pub(super) fn severity(&self, base: Severity) -> Severity {
        if self.in_force {
            base
        } else {
            base.max(Severity::Suspect)
        }
    }

    /// The title, with what is to be said of a value that is only in the policy file.
    pub(super) fn title(&self, title: impl Into<String>) -> String {
        let title = title.into();
        if self.in_force {
            title
        } else {
            format!("{title} (not in force now; the policy file sets it again)")
        }
    }
}
