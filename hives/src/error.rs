//! The errors of this crate.

use std::io;

use thiserror::Error;

use crate::fault::Fault;

/// Why a hive could not be read, recovered or edited.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HiveError {
    /// A structure that is needed is not as the format demands.
    #[error("the hive is damaged: {0}")]
    Damaged(Fault),
    /// The hive was not closed properly: its logs have to be replayed first ([`crate::Hive::recover`]).
    #[error(
        "the hive is dirty: sequence numbers {primary_sequence} and {secondary_sequence}, base block checksum {}",
        if *checksum_valid { "right" } else { "wrong" }
    )]
    Dirty {
        /// First sequence number of the base block.
        primary_sequence: u32,
        /// Second sequence number of the base block.
        secondary_sequence: u32,
        /// Whether the base block's checksum is right.
        checksum_valid: bool,
    },
    /// The hive is dirty and none of its logs can be applied.
    #[error("the hive is dirty and can not be recovered from its logs: {reason}")]
    NotRecoverable {
        /// What is wrong with each log.
        reason: String,
    },
    /// The structural check found faults; nothing was written.
    #[error("the structural check found {} faults, the first at {}", .0.len(), first(.0))]
    CheckFailed(
        /// The faults.
        Vec<Fault>,
    ),
    /// The key does not exist.
    #[error("there is no key \"{path}\"")]
    KeyNotFound {
        /// Path from the root.
        path: String,
    },
    /// The value does not exist.
    #[error("there is no value \"{name}\" in key \"{key}\"")]
    ValueNotFound {
        /// Path of the key from the root.
        key: String,
        /// Name of the value; empty for the default value.
        name: String,
    },
    /// A key or value of that name exists already.
    #[error("\"{name}\" exists already in key \"{key}\"")]
    Exists {
        /// Path of the key from the root.
        key: String,
        /// The name that is taken.
        name: String,
    },
    /// The name is too long, empty, or has characters that are not allowed there.
    #[error("\"{name}\" can not be a name: {reason}")]
    InvalidName {
        /// The name as given.
        name: String,
        /// Which limit it breaks.
        reason: &'static str,
    },
    /// The bytes are not a valid self-relative security descriptor.
    #[error("the security descriptor is not valid: {reason}")]
    InvalidDescriptor {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key may not be edited that way.
    #[error("key \"{path}\" is not edited: {reason}")]
    Refused {
        /// Path of the key from the root.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// The data or the hive would grow past a limit of the format.
    #[error("{what} would be {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What would be too large.
        what: &'static str,
        /// The size asked for, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Hive and logs leave no sequence number that is safe to use.
    #[error("no safe sequence number: hive {hive}, highest in the logs {logs}")]
    SequenceExhausted {
        /// The hive's higher sequence number.
        hive: u32,
        /// The highest sequence number in the logs.
        logs: u32,
    },
}

fn first(faults: &[Fault]) -> String {
    faults.first().map(ToString::to_string).unwrap_or_default()
}

/// Why a commit stopped. After any of these nothing more was written.
#[derive(Debug, Error)]
pub enum CommitError {
    /// Reading, writing or flushing failed.
    #[error("{step} failed")]
    Io {
        /// What was being done.
        step: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file on disk is not what the commit was prepared for; nothing was written.
    #[error("the file is not in the state the commit was prepared for: at offset {offset:#x}")]
    Foreign {
        /// Where the first difference lies.
        offset: u64,
    },
}
