//! What `coldmend explain` says about every check and remedy.

use serde::Deserialize;

use super::{read, BuildRange, KnowledgeError};

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplanationKind {
    /// Something that changes the installation.
    Remedy,
    /// Something that is looked at.
    Check,
}

/// The explanation of a check or remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The id, the same in text, JSON, documentation and flags. `update-cache`, `catalog-cache`,
    /// `bits-queue` and `os-upgrade` are a remedy and the check that asks for it, in one.
    pub id: String,
    /// Remedy or check.
    pub kind: ExplanationKind,
    /// A title in plain words.
    pub title: String,
    /// What it does or looks at.
    pub what: String,
    /// Why.
    pub why: String,
    /// On which Windows.
    pub windows: String,
    /// Where the facts come from.
    pub source: String,
    /// For a remedy: whether it runs without being asked for. For a check: `None`.
    pub on_by_default: Option<bool>,
    /// For a check: the id of the remedy that it asks for, if there is one.
    pub remedy: Option<String>,
    /// For a check: the builds to which it applies. `None`: all.
    pub builds: Option<BuildRange>,
    /// For a check: the items of the survey of all that can be looked at offline that it is about.
    pub covers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemedyFile {
    remedy: Vec<RawRemedy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRemedy {
    id: String,
    title: String,
    what: String,
    why: String,
    windows: String,
    source: String,
    on_by_default: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckFile {
    check: Vec<RawCheck>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    id: String,
    title: String,
    what: String,
    why: String,
    windows: String,
    source: String,
    remedy: Option<String>,
    builds: Option<BuildRange>,
    #[serde(default)]
    covers: Vec<String>,
}

/// Reads both tables, remedies first.
pub(super) fn load() -> Result<Vec<Explanation>, KnowledgeError> {
    let remedies: RemedyFile = read("remedies.toml", include_str!("remedies.toml"))?;
    let checks: CheckFile = read("checks.toml", include_str!("checks.toml"))?;
    let remedies = remedies.remedy.into_iter().map(|r| Explanation {
        id: r.id,
        kind: ExplanationKind::Remedy,
        title: r.title,
        what: r.what,
        why: r.why,
        windows: r.windows,
        source: r.source,
        on_by_default: Some(r.on_by_default),
        remedy: None,
        builds: None,
        covers: Vec::new(),
    });
    let checks = checks.check.into_iter().map(|c| Explanation {
        id: c.id,
        kind: ExplanationKind::Check,
        title: c.title,
        what: c.what,
        why: c.why,
        windows: c.windows,
        source: c.source,
        on_by_default: None,
        remedy: c.remedy,
        builds: c.builds,
        covers: c.covers,
    });
    Ok(remedies.chain(checks).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::load;

    /// The items of the survey, by letter and how many there are.
    const ITEMS: [(&str, u32); 6] = [("P", 10), ("S", 14), ("W", 21), ("F", 14), ("Q", 10), ("C", 6)];

    /// The items that no check is about, and why not.
    const LEFT_OUT: [(&str, &str); 6] = [
        (
            "P3",
            "a SYSTEM or SOFTWARE that is none is an error before any check is made: there is nothing to check then",
        ),
        (
            "P5",
            "the mark of a dirty volume is the file system's: it shows in images and devices, not in a mounted folder",
        ),
        ("P7", "a volume that BitLocker has locked shows nothing to check; scanning and opening it say so"),
        ("P9", "the version is no finding: every diagnosis begins with it"),
        ("S11", "LaunchProtected and SvcHostSplitDisable are left as they are, whatever they are"),
        ("Q8", "the transactions of the file system itself are reset by Windows (fsutil), and need it to be told"),
    ];

    #[test]
    fn every_item_of_the_survey_is_covered_or_left_out_for_a_reason() {
        let all: BTreeSet<String> =
            ITEMS.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n}"))).collect();
        let checks = load().unwrap();
        let covered: BTreeSet<String> = checks.iter().flat_map(|check| check.covers.clone()).collect();
        let unknown: Vec<_> = covered.difference(&all).collect();
        assert!(unknown.is_empty(), "no such item: {unknown:?}");
        let left_out: BTreeSet<String> = LEFT_OUT.iter().map(|(item, _)| (*item).to_owned()).collect();
        let missing: Vec<_> = all.difference(&covered).filter(|item| !left_out.contains(*item)).collect();
        assert!(missing.is_empty(), "no check is about {missing:?}");
        let both: Vec<_> = covered.intersection(&left_out).collect();
        assert!(both.is_empty(), "covered after all: {both:?}");
        assert!(LEFT_OUT.iter().all(|(item, why)| all.contains(*item) && why.len() > 30));
    }
}
