//! An administrator's rights on Windows: what needs them is refused without them before anything is touched.
//!
//! Without the privileges to back up and restore files, half of a repair can be done: hives that may be written, folders of
//! TrustedInstaller that may not be renamed. So a volume is written only with them. A folder that merely looks like a volume (the demo,
//! a copy) belongs to the user, and needs none; the file system says so if that is wrong. Looking harms nothing and goes on.
//! On other systems the file system alone decides.

use std::path::Path;

use crate::error::{Failure, Result};
use crate::volume::escape::escape_text;

/// What to do about missing rights.
pub const HOW: &str = "Right-click Command Prompt, choose \"Run as administrator\", and run coldmend there. In Windows PE and the recovery environment you always have these rights.";

/// What a command will do with its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Look,
    /// Read and write.
    Write,
}

/// What a target is, as far as rights go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The root of a volume of this machine, or a Windows folder in it.
    Volume,
    /// Any other folder.
    Folder,
    /// A disk image that has to be attached.
    Image,
}

/// What this process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Read every file.
    pub backup: bool,
    /// Write and rename every file.
    pub restore: bool,
}

impl Rights {
    /// Those of this process.
    #[cfg(windows)]
    pub fn current() -> Rights {
        let held = crate::windows::privileges::enabled();
        Rights { backup: held.backup, restore: held.restore }
    }

    /// Those of this process: on this system the file system alone decides.
    #[cfg(not(windows))]
    pub fn current() -> Rights {
        Rights { backup: true, restore: true }
    }

    /// Whether these are an administrator's.
    pub fn are_full(self) -> bool {
        self.backup && self.restore
    }
}

/// Refuses what can't be done, or only by half, with these rights.
///
/// # Errors
/// That refusal (exit status 3); nothing was touched.
pub fn refuse_without(rights: Rights, place: Place, access: Access, target: &Path) -> Result<()> {
    let shown = escape_text(target.as_os_str());
    let why = match (place, access) {
        _ if rights.are_full() => return Ok(()),
        (Place::Image, _) => format!("to attach the disk image {shown}"),
        (Place::Volume, Access::Write) => format!("to change the Windows on {shown}"),
        (Place::Volume, Access::Look) | (Place::Folder, _) => return Ok(()),
    };
    Err(Failure::refused(format!("coldmend needs an administrator's rights {why}; nothing was touched")).hint(HOW))
}

/// What is worth saying before a volume is looked at with these rights.
pub fn remark(rights: Rights, place: Place) -> Option<String> {
    (place == Place::Volume && !rights.are_full()).then(|| {
        format!("This is not run as administrator: what only administrators may read can't be looked at. {HOW}")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FULL: Rights = Rights { backup: true, restore: true };

    #[test]
    fn only_what_would_be_done_by_half_is_refused() {
        let target = Path::new("D:\\");
        let refused = |rights, place, access| refuse_without(rights, place, access, target).is_err();
        for rights in [
            Rights { backup: false, restore: false },
            Rights { backup: true, restore: false },
            Rights { backup: false, restore: true },
        ] {
            assert!(refused(rights, Place::Volume, Access::Write));
            assert!(refused(rights, Place::Image, Access::Write));
            assert!(refused(rights, Place::Image, Access::Look));
            assert!(!refused(rights, Place::Volume, Access::Look));
            assert!(!refused(rights, Place::Folder, Access::Write));
            assert!(!refused(rights, Place::Folder, Access::Look));
            assert!(remark(rights, Place::Volume).is_some());
            assert!(remark(rights, Place::Folder).is_none());
        }
        for place in [Place::Volume, Place::Folder, Place::Image] {
            assert!(!refused(FULL, place, Access::Write) && !refused(FULL, place, Access::Look));
            assert!(remark(FULL, place).is_none());
        }
    }

    #[test]
    fn the_refusal_says_what_to_do() {
        let rights = Rights { backup: false, restore: false };
        let failure = refuse_without(rights, Place::Volume, Access::Write, Path::new("D:\\")).unwrap_err();
        assert_eq!(failure.kind.exit_status(), 3);
        assert!(failure.message().starts_with("coldmend needs an administrator's rights"), "{failure}");
        assert!(failure.hint.unwrap().contains("Run as administrator"));
    }
}
