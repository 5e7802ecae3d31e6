//! The header page of an ESE database (DataStore.edb, catdb, qmgr.db): is it one, and how was it closed.
//!
//! Format facts: the public descriptions of the Extensible Storage Engine's file header: an XOR checksum at 0 (older
//! formats) or an ECC checksum (newer ones), the signature 0x89ABCDEF at 4, the state at 0x34.

/// How a database was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EseState {
    /// 1: just created.
    JustCreated,
    /// 2: not shut down cleanly; its logs have to be replayed.
    Dirty,
    /// 3: clean.
    Clean,
    /// 4: being converted.
    BeingConverted,
    /// 5: forced into a state by a repair tool.
    ForceDetach,
    /// Anything else.
    Unknown(u32),
}

/// What the first bytes of a database say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EseHeader {
    /// A database.
    Database(EseState),
    /// Zero-length.
    Empty,
    /// Something that is not an ESE database.
    NotEse {
        /// The four bytes where the signature belongs (offset 4), or fewer.
        found: Vec<u8>,
    },
}

/// The bytes that [`EseHeader::read`] wants from the start of the file.
pub const HEADER_BYTES: usize = 0x38;

impl EseHeader {
    /// Reads the start of a file (at least [`HEADER_BYTES`] where the file is that long).
    pub fn read(head: &[u8]) -> EseHeader {
        if head.is_empty() {
            return EseHeader::Empty;
        }
        let dword =
            |at: usize| -> Option<u32> { head.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes) };
        match (dword(4), dword(0x34)) {
            (Some(0x89AB_CDEF), Some(state)) => EseHeader::Database(match state {
                1 => EseState::JustCreated,
                2 => EseState::Dirty,
                3 => EseState::Clean,
                4 => EseState::BeingConverted,
                5 => EseState::ForceDetach,
                other => EseState::Unknown(other),
            }),
            _ => EseHeader::NotEse { found: head.get(4..head.len().min(8)).unwrap_or_default().to_vec() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(state: u32) -> Vec<u8> {
        let mut bytes = vec![0u8; 4096];
        bytes[4..8].copy_from_slice(&0x89AB_CDEFu32.to_le_bytes());
        bytes[0x34..0x38].copy_from_slice(&state.to_le_bytes());
        bytes
    }

    #[test]
    fn states_are_told_apart() {
        assert_eq!(EseHeader::read(&header(3)), EseHeader::Database(EseState::Clean));
        assert_eq!(EseHeader::read(&header(2)), EseHeader::Database(EseState::Dirty));
        assert_eq!(EseHeader::read(&header(77)), EseHeader::Database(EseState::Unknown(77)));
    }

    #[test]
    fn what_is_no_database_is_said_so() {
        assert_eq!(EseHeader::read(&[]), EseHeader::Empty);
        assert_eq!(EseHeader::read(&[1, 2, 3]), EseHeader::NotEse { found: vec![] });
        assert_eq!(EseHeader::read(&[0u8; 4096]), EseHeader::NotEse { found: vec![0; 4] });
        assert_eq!(EseHeader::read(&header(3)[..0x36]), EseHeader::NotEse { found: vec![0xef, 0xcd, 0xab, 0x89] });
    }
}
