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
    });
    Ok(remedies.chain(checks).collect())
}
