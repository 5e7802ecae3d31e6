//! What is wrong in a hive, where, and what Windows would do about it.

use std::fmt;

/// The rule of the structural check that a fault breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Base block fields, checksum, sequence numbers, file length.
    V1,
    /// Hive bins and the cells that tile them.
    V2,
    /// Every reference leads to the start of an allocated cell, and only one leads there.
    V3,
    /// The root key node.
    V4,
    /// Key nodes: signature, size, name, parent, class.
    V5,
    /// Subkey lists: signature, size, counts, order, hashes and hints.
    V6,
    /// Value lists, values and their data.
    V7,
    /// Security cells: ring, reference counts, descriptors.
    V8,
    /// Depth and cycles.
    V9,
    /// Cells that nothing refers to.
    V10,
    /// Bytes outside the planned edit changed.
    V11,
}

/// What Windows does when it loads a hive with such a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Nothing: Windows lives with it. Only notes have this effect.
    Tolerated,
    /// The hive is not loaded (SYSTEM: no boot).
    RefuseHive,
    /// The hive is replayed from its logs, or not loaded when that fails.
    Replay,
    /// The bin is replaced by an empty one: everything in it is lost.
    ReplaceBin,
    /// The key and everything under it is dropped.
    DropSubtree,
    /// All subkeys of the key are dropped.
    DropSubkeys,
    /// All values of the key are dropped.
    DropValues,
    /// The value is dropped.
    DropValue,
    /// The key's class name is lost.
    DropClass,
    /// The security of the whole hive is reset.
    ResetSecurity,
    /// The key is there, but a search does not find it.
    Invisible,
    /// Readers may fail or cut data short.
    Misread,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tolerated => "Windows tolerates it",
            Self::RefuseHive => "Windows refuses the hive",
            Self::Replay => "Windows replays the logs, or refuses the hive",
            Self::ReplaceBin => "Windows replaces the bin by an empty one",
            Self::DropSubtree => "Windows drops the key and everything under it",
            Self::DropSubkeys => "Windows drops all subkeys of the key",
            Self::DropValues => "Windows drops all values of the key",
            Self::DropValue => "Windows drops the value",
            Self::DropClass => "Windows drops the class name",
            Self::ResetSecurity => "Windows resets the security of the whole hive",
            Self::Invisible => "Windows does not find the key",
            Self::Misread => "readers may fail or cut data short",
        })
    }
}

/// One deviation from the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule it breaks.
    pub rule: Rule,
    /// Absolute offset in the file, in bytes, of the field or structure.
    pub offset: u64,
    /// What was found there, in words, with numbers.
    pub found: String,
    /// What should be there.
    pub expected: String,
    /// What Windows does about it.
    pub effect: Effect,
    /// The key concerned (path from the root, single backslashes; empty for the root), where known. Of a path of more than 512 units only the end, behind "…".
    pub path: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {:#x}: found {}, expected {}", self.offset, self.found, self.expected)?;
        if let Some(path) = &self.path {
            write!(f, ", in key \"{path}\"")?;
        }
        write!(f, " ({:?}: {})", self.rule, self.effect)
    }
}
