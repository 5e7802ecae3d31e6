//! coldmend mends a Windows installation that is not running.
//!
//! Data flows one way, one module per stage:
//!
//! ```text
//! target ──► volume ──► evidence ──► findings ──► plan ──► transaction ──► verified volume
//!                                     (checks)   (remedies)
//! ```
//!
//! * [`target`]: from what the user typed to a volume and the Windows folder on it.
//! * [`volume`]: the only module that touches a file system.
//! * [`attached`]: the volumes of this machine; [`scan`]: what is on them.
//! * [`evidence`]: hives (read through `nt-hive`) and files, read-only.
//! * [`mod@reference`]: a healthy Windows, or one of its hives, to compare with.
//! * [`logs`]: what Windows' own logs say failed.
//! * [`knowledge`]: facts about Windows, as data; [`security`]: descriptors and SDDL.
//! * [`checks`]: evidence against knowledge; makes [`findings`].
//! * [`verdict`]: findings put together into causes, ranked, with what can be done about each.
//! * [`updates`]: what is installed, for `coldmend updates`.
//! * [`remedies`]: from findings to a [`plan`].
//! * [`safety`]: what is refused before anything is written.
//! * [`transaction`]: the only thing that writes; journal, backups, verification, undo.
//! * [`hivefile`] and [`regfile`]: a hive on its own, and the `.reg` format, for `coldmend hive`.
//! * [`cli`] and [`ui`]: the command line and the terminal.

pub mod attached;
pub mod checks;
pub mod cli;
pub mod error;
pub mod evidence;
pub mod findings;
pub mod hivefile;
pub mod knowledge;
pub mod logs;
pub mod plan;
pub mod reference;
pub mod regfile;
pub mod remedies;
pub mod safety;
pub mod scan;
pub mod security;
pub mod target;
pub mod transaction;
pub mod ui;
pub mod updates;
pub mod verdict;
pub mod volume;
#[cfg(windows)]
pub mod windows;
