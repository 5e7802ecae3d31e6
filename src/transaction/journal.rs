//! The journal of a transaction: one JSON line per step in `journal.jsonl`, each flushed before the next step.
//!
//! A line that a power cut has torn is the last one, and is ignored: what it announced has not begun, or is found
//! by looking at the volume itself. Nothing is decided by the journal alone.

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Kind, Result};
use crate::plan::HiveName;
use crate::volume::{VolPath, Volume};

/// Whether a step is about to happen or has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// About to be done.
    Intended,
    /// Done and flushed.
    Done,
    /// Taken back.
    TakenBack,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Line {
    /// A file was copied into `backup`.
    Backup {
        /// Its name there.
        file: String,
        /// SHA-256, lower-case hex.
        sha256: String,
        /// Bytes.
        size: u64,
    },
    /// All backups are there; from here on Windows' own files are written.
    Begin,
    /// A hive is committed.
    Hive {
        /// Which.
        hive: HiveName,
        /// How far.
        state: StepState,
    },
    /// A change to files or folders.
    Action {
        /// Its place in the plan.
        index: usize,
        /// How far.
        state: StepState,
    },
    /// Everything was read back and is as planned.
    Verified,
    /// The transaction is complete.
    Done,
    /// Everything that was done has been taken back.
    RolledBack {
        /// Why.
        why: String,
    },
    /// Taking back failed as well; the transaction is unfinished.
    Failed {
        /// Why.
        why: String,
    },
}

const LIMIT: u64 = 64 << 20;

/// Appends a line and flushes it.
pub(super) fn append(volume: &dyn Volume, path: &VolPath, line: &Line) -> Result<()> {
    let mut text = serde_json::to_string(line)
        .map_err(|e| Failure::from_error(Kind::Partial, e).context("writing a journal line"))?;
    text.push('\n');
    volume.append(path, text.as_bytes()).map_err(Failure::from)
}

/// Reads a journal: the whole lines up to the first one that can't be understood.
pub(super) fn read(volume: &dyn Volume, path: &VolPath) -> Result<Vec<Line>> {
    if volume.find(path)?.is_none() {
        return Ok(Vec::new());
    }
    let bytes = volume.read(path, LIMIT)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Vec<Line> {
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
    bytes
        .get(..whole)
        .unwrap_or_default()
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map_while(|l| serde_json::from_slice(l).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_ignored() {
        let text =
            b"{\"step\":\"begin\"}\n{\"step\":\"hive\",\"hive\":\"SYSTEM\",\"state\":\"intended\"}\n{\"step\":\"hi";
        assert_eq!(parse(text), [Line::Begin, Line::Hive { hive: HiveName::System, state: StepState::Intended }]);
        assert!(parse(b"\0\0\0\0").is_empty());
        assert_eq!(parse(b"{\"step\":\"begin\"}\n\0\0\n{\"step\":\"done\"}\n"), [Line::Begin]);
    }
}
