//! Windows registry hives, offline: read, checked, recovered from their logs, edited in place, and committed the way Windows itself commits them.
//!
//! The crate opens no files: it takes bytes, and writes through [`Storage`]. It knows the regf format in versions 1.3 to 1.6 (NT 4 to 11), both formats of
//! transaction logs, and the rules that Windows' loader enforces. What it reads is treated as hostile: arithmetic is checked, memory and time are bounded by the
//! size of the input, and nothing panics.
//!
//! # The way of an edit
//!
//! ```
//! use coldmend_hives::{Commit, FileTime, Hive, HiveError, LogFiles, LogRegime, LogStorages, MemoryStorage, NewHive};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = FileTime(133_500_000_000_000_000);
//! let mut primary = MemoryStorage(Hive::create(&NewHive::default(), now)?.bytes().to_vec());
//! let logs = LogFiles { log1: Some(Vec::new()), log2: Some(Vec::new()), ..LogFiles::default() };
//!
//! // A dirty hive is recovered first: Hive::recover, then RecoveryCommit.
//! let mut hive = Hive::open(primary.0.clone())?;
//! assert!(hive.verify().is_sound()); // The whole check, once.
//! hive.create_key("ControlSet001\\Services\\wuauserv", now)?;
//! hive.set_value("ControlSet001\\Services\\wuauserv", "Start", 4, &3u32.to_le_bytes(), now)?;
//!
//! // Checks what the edits changed, and decides what is written where.
//! let commit = Commit::prepare(hive, &logs, LogRegime::Log12HvLe, now)?;
//! let (mut log1, mut log2) = (MemoryStorage::default(), MemoryStorage::default());
//! let mut storages = LogStorages { log1: Some(&mut log1), log2: Some(&mut log2), ..LogStorages::default() };
//! commit.execute(&mut primary, &mut storages)?;
//! assert_eq!(primary.0, commit.after());
//!
//! // Go on with it: the next commit costs by its own changes, not by the size of the hive.
//! let hive = commit.into_hive();
//! assert!(!hive.is_changed());
//! let key = hive.find_key("controlset001\\SERVICES\\wuauserv")?.ok_or("gone")?;
//! assert_eq!(*key.value("start")?.ok_or("gone")?.data()?, 3u32.to_le_bytes());
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - **All or nothing.** An edit that fails changes nothing in memory; a commit that is cut is completed by Windows at its next start, from its own log, or by
//!   [`Commit::finish`] or [`Commit::take_back`], whichever comes first.
//! - **No stale log.** Sequence numbers are chosen above every one in hive and logs.
//! - **Small writes.** Only 4 KiB pages that change are written, and edits change as few as they can.
//! - **Nothing unchecked.** [`Commit::prepare`] refuses a hive that is not sound after the edit. After [`Hive::verify`] it looks at what was changed since, which is held against
//!   the whole check in tests; without it, or where a change can't be explained, it runs the whole check (on up to four processors).
//!
//! # Memory
//!
//! The file once; while the check runs a sixteenth of it, a tenth on four processors, and after [`Hive::verify`] a twentieth at most; the old bytes of the pages that edits change. A recovery needs the logs besides, and keeps sums
//! in the place of old bytes.
//!
//! # Limits
//!
//! - Key names with one of 339 characters whose upper case differs between Windows before and since Vista are read, but not created.
//! - Symbolic links are not followed; `CurrentControlSet` does not exist in a file and is the caller's to resolve through `Select`.
//! - Layered (differencing) keys of containers are read as they are, and never edited.
//! - Kernel transactions (`.blf`, `.regtrans-ms`) are not looked at.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

mod allocator;
mod base_block;
mod big_data;
mod bitset;
mod bytes;
mod check;
mod commit;
mod create;
mod descriptor;
mod edit;
mod error;
mod fault;
mod filetime;
mod hive;
mod image;
mod key_node;
mod key_ref;
mod key_value;
mod log_dirt;
mod log_file;
mod log_hvle;
mod marvin;
mod name;
mod recover;
mod security;
mod storage;
mod subkey_list;
mod upcase;
mod value_ref;
mod view;

pub use base_block::{BaseBlock, FileType};
pub use check::{check_bytes, CheckReport, CheckStats, KEPT_MAX};
pub use commit::{Commit, CommitReport, DiskState, LogRegime, LogStorages, RecoveryCommit};
pub use create::NewHive;
pub use error::{CommitError, HiveError};
pub use fault::{Effect, Fault, Rule};
pub use filetime::FileTime;
pub use hive::Hive;
pub use key_ref::{KeyRef, Walk};
pub use log_file::{inspect_log, LogFiles, LogFormat, LogInfo, LogSlot};
pub use recover::{Recovered, RecoveryReport};
pub use storage::{MemoryStorage, Storage};
pub use value_ref::ValueRef;
