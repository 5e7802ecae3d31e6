//! Services that updating leans on and that are not this tool's business to set: what follows when one is disabled or gone.
//!
//! The facts are in `helpers.toml`; each row says where it comes from. Relies on nothing of the volume.

use serde::Deserialize;

use super::{read, BuildRange, KnowledgeError, Product, ProductType, StartType, Trust};

/// The table `helpers.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HelperFile {
    helper: Vec<HelperRow>,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelperWeight {
    /// A document names it as the cause of an error.
    Suspect,
    /// Worth knowing.
    Note,
}

/// A service on some builds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelperRow {
    /// The service's name.
    pub name: String,
    builds: BuildRange,
    product: Product,
    /// How Windows starts it.
    pub start: StartType,
    /// What its missing key is; `None`: nothing is said.
    pub missing: Option<HelperWeight>,
    /// What it is that it is disabled; `None`: nothing is said.
    pub disabled: Option<HelperWeight>,
    /// What either is on a machine whose updates somebody manages, where that differs.
    pub managed: Option<HelperWeight>,
    /// What follows, for people.
    pub effect: String,
    /// For readers of the table, and its test.
    #[allow(dead_code)]
    trust: Trust,
    /// Where that comes from.
    pub source: String,
}

pub(super) fn load() -> Result<Vec<HelperRow>, KnowledgeError> {
    let file: HelperFile = read("helpers.toml", include_str!("helpers.toml"))?;
    Ok(file.helper)
}

impl HelperRow {
    /// Whether the row is about this Windows.
    #[must_use]
    pub fn applies_to(&self, build: u32, product: ProductType) -> bool {
        self.builds.contains(build) && self.product.covers(product)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::knowledge::Knowledge;

    #[test]
    fn each_service_has_one_row_for_a_build_and_is_not_an_update_service() {
        let rows = load().unwrap();
        for (build, product) in Knowledge::builtin().known_builds() {
            let names: Vec<&str> =
                rows.iter().filter(|r| r.applies_to(build, product)).map(|r| r.name.as_str()).collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{build}: {names:?}");
            assert!(names.contains(&"Schedule") && names.contains(&"W32Time"), "{build}: {names:?}");
        }
        for row in &rows {
            assert!(row.missing.is_some() || row.disabled.is_some(), "{} says nothing", row.name);
            assert!(row.source.len() > 15 && row.effect.len() > 15, "{}", row.name);
            assert!(row.start != StartType::Disabled, "{}", row.name);
            let known = Knowledge::builtin().services();
            assert!(!known.iter().any(|s| s.eq_ignore_ascii_case(&row.name)), "{} has a table of its own", row.name);
        }
    }
}
