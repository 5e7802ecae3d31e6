//! The privileges with which files of SYSTEM and TrustedInstaller are read, written and renamed without touching their
//! owners or access control lists: enabled once, at the start, where this process holds them.
//!
//! An administrator's full token holds all of them, and so does everything in WinPE. A token without them is not an error here: what
//! needs them is decided in `safety`. Source: Microsoft's "Privilege Constants", and `FILE_FLAG_BACKUP_SEMANTICS` in `CreateFile`.

use std::sync::OnceLock;

use super::calls::token;

/// Which of the privileges are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Privileges {
    /// `SeBackupPrivilege`: reads every file.
    pub backup: bool,
    /// `SeRestorePrivilege`: writes and renames every file.
    pub restore: bool,
    /// `SeTakeOwnershipPrivilege`.
    pub take_ownership: bool,
    /// `SeSecurityPrivilege`: reads and writes audit lists.
    pub security: bool,
}

/// Enables them at the first call, and says at every call which are.
pub fn enabled() -> Privileges {
    static ENABLED: OnceLock<Privileges> = OnceLock::new();
    // What can't be asked is not held: then it is said that an administrator's rights are missing, and nothing is touched.
    let enable = |name| token::enable_privilege(name).unwrap_or(false);
    *ENABLED.get_or_init(|| Privileges {
        backup: enable("SeBackupPrivilege"),
        restore: enable("SeRestorePrivilege"),
        take_ownership: enable("SeTakeOwnershipPrivilege"),
        security: enable("SeSecurityPrivilege"),
    })
}
