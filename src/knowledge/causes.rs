//! Which findings have one cause (`causes.toml`), and what has to be done about it with Windows' own tools (`advice.toml`).

use serde::Deserialize;

use super::{read, BuildRange, KnowledgeError, LogObjectKind};

/// A cause.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseRow {
    /// Its id.
    pub id: String,
    /// What is wrong, in plain words.
    pub title: String,
    /// The checks whose findings it explains.
    pub checks: Vec<String>,
    /// The things that logs name and that belong here.
    #[serde(default)]
    pub objects: Vec<LogObjectKind>,
    /// Whether every subject is a cause of its own.
    #[serde(default)]
    pub each: bool,
    /// Ids of the advice.
    #[serde(default)]
    pub elsewhere: Vec<String>,
}

/// A line for one of Windows' own tools.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdviceRow {
    /// Its id; several rows may share one, for different builds.
    pub id: String,
    /// The builds for which it works, both included.
    pub builds: BuildRange,
    /// What it does.
    pub what: String,
    /// The line, with places for the drive and the folder.
    pub command: String,
    /// Where it is typed.
    #[serde(rename = "where")]
    pub place: String,
    /// What it needs.
    pub needs: Option<String>,
    /// The checks that ask for it; all of its cause if empty.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Where that comes from.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CauseFile {
    cause: Vec<CauseRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdviceFile {
    advice: Vec<AdviceRow>,
}

/// Causes and advice.
#[derive(Debug)]
pub struct CauseTable {
    /// The causes; of those equally well shown the first is told first.
    pub causes: Vec<CauseRow>,
    /// The advice.
    pub advice: Vec<AdviceRow>,
}

impl CauseTable {
    pub(super) fn load() -> Result<CauseTable, KnowledgeError> {
        let causes: CauseFile = read("causes.toml", include_str!("causes.toml"))?;
        let advice: AdviceFile = read("advice.toml", include_str!("advice.toml"))?;
        Ok(CauseTable { causes: causes.cause, advice: advice.advice })
    }

    /// The row of a check, by its place in the list.
    #[must_use]
    pub fn of_check(&self, check: &str) -> Option<usize> {
        self.causes.iter().position(|row| row.checks.iter().any(|c| c == check))
    }

    /// The row of what a log names.
    #[must_use]
    pub fn of_object(&self, object: LogObjectKind) -> Option<usize> {
        self.causes.iter().position(|row| row.objects.contains(&object))
    }
}
