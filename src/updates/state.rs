//! What `CurrentState` of a package means: `knowledge/package-states.toml`.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize, Serializer};

// Rows of the table that decisions name.
const STAGED: u32 = 0x40;
const SUPERSEDED: u32 = 0x50;
const INSTALLED: u32 = 0x70;

/// A state, as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageState {
    /// One of the servicing stack's.
    Servicing(u32),
    /// Listed as installed, by a Windows without component-based servicing.
    Installed,
    /// `CurrentState` is not there, or no number.
    Unknown,
}

#[derive(Deserialize)]
struct Table {
    state: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    number: u32,
    name: String,
    #[serde(rename = "source")]
    _source: String,
}

fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        // A table that does not parse fails a test; here it would be no words for numbers.
        toml::from_str::<Table>(include_str!("../knowledge/package-states.toml")).map(|t| t.state).unwrap_or_default()
    })
}

impl PackageState {
    /// The word for it: `installed`, `superseded`, `install-pending`…, or `state 0x…` where there is none.
    pub fn name(&self) -> String {
        match self {
            PackageState::Installed => "installed".into(),
            PackageState::Unknown => "unknown".into(),
            PackageState::Servicing(number) => rows()
                .iter()
                .find(|row| row.number == *number)
                .map_or_else(|| format!("state {number:#x}"), |row| row.name.clone()),
        }
    }

    /// Whether it is installed.
    pub fn is_installed(&self) -> bool {
        *self == PackageState::Installed || *self == PackageState::Servicing(INSTALLED)
    }

    /// Whether the package's own files belong on the disk: from staged on, and until something newer takes its place.
    pub fn has_files(&self) -> bool {
        matches!(self, PackageState::Servicing(number) if *number >= STAGED && *number != SUPERSEDED)
    }

    /// Whether something is still to be done: it was begun, and waits for a restart.
    pub fn is_pending(&self) -> bool {
        self.name().ends_with("-pending")
    }
}

impl Serialize for PackageState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let table: Table = toml::from_str(include_str!("../knowledge/package-states.toml")).unwrap();
        assert!(table.state.is_sorted_by(|a, b| a.number < b.number), "a number twice, or out of order");
        assert!(table.state.iter().all(|row| !row._source.is_empty() && !row.name.is_empty()));
        assert_eq!(PackageState::Servicing(112).name(), "installed");
        assert_eq!(PackageState::Servicing(80).name(), "superseded");
        assert_eq!(PackageState::Servicing(7).name(), "state 0x7");
        let named = [STAGED, SUPERSEDED, INSTALLED].map(|number| PackageState::Servicing(number).name());
        assert_eq!(named, ["staged", "superseded", "installed"]);
        assert!(PackageState::Servicing(96).is_pending() && !PackageState::Servicing(112).is_pending());
    }
}
