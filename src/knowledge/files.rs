//! What is known of files: which services lack theirs on healthy machines, which the update stack needs, which driver keys must exist.

use serde::Deserialize;

use super::{read, BuildRange, KnowledgeError};

/// The table `files.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    absent: Vec<AbsentRow>,
    documented: Vec<DocumentedRow>,
    stack: Vec<StackRow>,
    driver: Vec<DriverRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AbsentRow {
    names: Vec<String>,
    builds: BuildRange,
    /// For readers of the table, and its test.
    #[allow(dead_code)]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentedRow {
    name: String,
    builds: BuildRange,
    source: String,
}

/// Files of the update stack.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackRow {
    /// Paths below the Windows folder.
    pub files: Vec<String>,
    builds: BuildRange,
    /// Whether every installation has them.
    pub needed: bool,
    /// Where that comes from.
    pub source: String,
}

/// A driver's key that must exist where a file does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverRow {
    /// The service.
    pub service: String,
    /// The file below the Windows folder that asks for it.
    pub inf: String,
    builds: BuildRange,
    /// Where that comes from.
    pub source: String,
}

impl FileFacts {
    pub(super) fn load() -> Result<FileFacts, KnowledgeError> {
        read("files.toml", include_str!("files.toml"))
    }

    /// Whether Windows of this build ships the key of this service without its file.
    #[must_use]
    pub fn ships_without_file(&self, service: &str, build: u32) -> bool {
        let named =
            |row: &&AbsentRow| row.builds.contains(build) && row.names.iter().any(|n| n.eq_ignore_ascii_case(service));
        self.absent.iter().any(|row| named(&row))
    }

    /// The source, where the missing file of a manual service is a documented cause of failing updates.
    #[must_use]
    pub fn documented_cause(&self, service: &str, build: u32) -> Option<&str> {
        let service = service.to_lowercase();
        let matches = |name: &str| match name.to_lowercase().strip_suffix('*') {
            Some(beginning) => service.starts_with(beginning),
            None => service == name.to_lowercase(),
        };
        self.documented
            .iter()
            .find(|row| row.builds.contains(build) && matches(&row.name))
            .map(|row| row.source.as_str())
    }

    /// The files of the update stack on this build.
    pub fn stack(&self, build: u32) -> impl Iterator<Item = &StackRow> {
        self.stack.iter().filter(move |row| row.builds.contains(build))
    }

    /// The driver keys that must exist on this build.
    pub fn drivers(&self, build: u32) -> impl Iterator<Item = &DriverRow> {
        self.driver.iter().filter(move |row| row.builds.contains(build))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_say_where_they_come_from_and_say_nothing_twice() {
        let facts = FileFacts::load().unwrap();
        let sources = facts.absent.iter().map(|r| &r.source).chain(facts.documented.iter().map(|r| &r.source));
        let sources =
            sources.chain(facts.stack.iter().map(|r| &r.source)).chain(facts.driver.iter().map(|r| &r.source));
        for source in sources {
            assert!(source.len() > 20, "{source}");
        }
        for build in [2600, 3790, 6002, 7601, 9600, 10240, 19045, 26100] {
            let names: Vec<String> = facts
                .absent
                .iter()
                .filter(|r| r.builds.contains(build))
                .flat_map(|r| &r.names)
                .map(|n| n.to_lowercase())
                .collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{build}");
            let files: Vec<String> = facts.stack(build).flat_map(|r| &r.files).map(|f| f.to_lowercase()).collect();
            assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), files.len(), "{build}");
            assert!(files.len() > 10, "{build}");
        }
    }

    #[test]
    fn what_ships_without_a_file_depends_on_the_version() {
        let facts = FileFacts::load().unwrap();
        assert!(facts.ships_without_file("LBRTFDC", 2600) && facts.ships_without_file("changer", 3790));
        assert!(!facts.ships_without_file("Changer", 7601) && !facts.ships_without_file("Beep", 2600));
        assert!(facts.documented_cause("clr_optimization_v4.0.30319_64", 19045).is_some());
        assert!(facts.documented_cause("Spooler", 19045).is_none());
        assert!(facts.drivers(2600).next().is_none() && facts.drivers(19045).count() == 3);
    }
}
