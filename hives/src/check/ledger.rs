//! What the check learns about a sound hive and an edit can build on: which cells there are, which of them are in use, and who uses each security cell.

use super::security::Users;
use crate::bitset::BitSet;

/// Free cells by offset and size, in ascending order.
pub(crate) type FreeCells = Vec<(u32, u32)>;

/// The cells of a sound hive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Starts of allocated cells, by offset / 8.
    pub(super) starts: BitSet,
    /// Those of them that something refers to, by offset / 8.
    pub(super) seen: BitSet,
    /// How many keys name each security cell.
    pub(super) users: Users,
    /// The security cells.
    pub(super) ring: Vec<u32>,
    /// Offsets of all bins, ascending.
    pub(super) bins: Vec<u32>,
    /// The free cells when the whole check ran, until the editor takes them; `None` also when there were too many.
    pub(super) free: Option<FreeCells>,
    /// Length of the bins in bytes.
    pub(super) length: u32,
}
