//! What can go wrong with a volume.
//!
//! `Display` says what was being done, to what, and why it failed; [`VolumeError::hint`] what to
//! do about it; [`VolumeError::kind`] which sort of failure it is, for exit statuses.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::escape::{escape_name, escape_text};
use super::path::{BadPath, VolPath};
use super::Kind;

/// What was being done when something went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)] // each says itself what it is
pub enum Doing {
    Listing,
    LookingFor,
    Reading,
    OpeningForWriting,
    CreatingFolder,
    Protecting,
    CreatingFile,
    Appending,
    Renaming { to: VolPath },
    RemovingFile,
    RemovingFolder,
    Flushing,
    AskingFreeSpace,
    AskingMount,
    Writing,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Listing => "listing the folder",
            Doing::LookingFor => "looking for",
            Doing::Reading => "reading",
            Doing::OpeningForWriting => "opening for writing",
            Doing::CreatingFolder => "creating the folder",
            Doing::Protecting => "restricting the folder to administrators:",
            Doing::CreatingFile => "creating the file",
            Doing::Appending => "appending to",
            Doing::Renaming { .. } => "renaming",
            Doing::RemovingFile => "removing the file",
            Doing::RemovingFolder => "removing the empty folder",
            Doing::Flushing => "flushing to disk",
            Doing::AskingFreeSpace => "asking for the free space at",
            Doing::AskingMount => "asking how it is mounted:",
            Doing::Writing => "writing to",
        })
    }
}

/// "renaming A to B", "reading A".
fn act(doing: &Doing, path: &VolPath) -> String {
    match doing {
        Doing::Renaming { to } => format!("{doing} {path} to {to}"),
        _ => format!("{doing} {path}"),
    }
}

fn name_list(names: &[OsString]) -> String {
    let names: Vec<String> = names.iter().map(|n| escape_name(n)).collect();
    names.join(", ")
}

/// The kind of a failure; on Windows with those numbers told apart that the standard library (of some version) does not.
pub(crate) fn io_kind(e: &io::Error) -> io::ErrorKind {
    if cfg!(windows) {
        if let Some(kind) = e.raw_os_error().and_then(windows_kind) {
            return kind;
        }
    }
    e.kind()
}

/// What a number of `GetLastError` means, for those that matter here.
fn windows_kind(code: i32) -> Option<io::ErrorKind> {
    Some(match code {
        // ERROR_WRITE_PROTECT
        19 => io::ErrorKind::ReadOnlyFilesystem,
        // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_BUSY, ERROR_DELETE_PENDING, ERROR_USER_MAPPED_FILE
        32 | 33 | 170 | 303 | 1224 => io::ErrorKind::ResourceBusy,
        // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
        39 | 112 => io::ErrorKind::StorageFull,
        // ERROR_FILE_EXISTS, ERROR_ALREADY_EXISTS
        80 | 183 => io::ErrorKind::AlreadyExists,
        // ERROR_DIR_NOT_EMPTY
        145 => io::ErrorKind::DirectoryNotEmpty,
        _ => return None,
    })
}

/// The system's own reason, kept comparable (an [`io::Error`] is not).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    /// The portable kind.
    pub kind: io::ErrorKind,
    /// The system's number (errno, or GetLastError on Windows), if it was the system.
    pub code: Option<i32>,
    /// The system's text.
    pub text: String,
}

impl From<io::Error> for Cause {
    fn from(e: io::Error) -> Self {
        Cause { kind: io_kind(&e), code: e.raw_os_error(), text: e.to_string() }
    }
}

/// The sort of a failure, for the caller's exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// It is not there.
    NotFound,
    /// It can't be read: a failing disk, something else than a file, too large.
    Unreadable,
    /// Going on would be unsafe: a link on the path, ambiguous names, another file system.
    Refused,
    /// The volume is full.
    Full,
    /// The volume is mounted read-only.
    ReadOnly,
    /// The system does not allow it, or somebody else has it open.
    Denied,
    /// Something of that name is there already.
    Exists,
    /// Any other failure, while writing or asking the system.
    Io,
}

/// A failure of an operation on a [`super::Volume`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // fields: what was done (`doing`), to what (`path`), and what the message says
pub enum VolumeError {
    /// The volume itself (a folder on this machine) can't be opened.
    #[error("opening {} as a volume: {cause}", escape_text(.host.as_os_str()))]
    Open { host: PathBuf, cause: Cause },

    /// There is nothing of that name.
    #[error("{}: {missing} does not exist", act(.doing, .path))]
    NotFound {
        doing: Doing,
        path: VolPath,
        /// The first part of the path that is not there.
        missing: VolPath,
    },

    /// A part of the path that should be a folder is something else.
    #[error("{}: {at} is not a folder but {found}", act(.doing, .path))]
    NotADirectory { doing: Doing, path: VolPath, at: VolPath, found: Kind },

    /// Something else than a regular file.
    #[error("{}: it is not a file but {found}", act(.doing, .path))]
    NotAFile { doing: Doing, path: VolPath, found: Kind },

    /// Something else than the link that was expected.
    #[error("{}: it is not a link but {found}", act(.doing, .path))]
    NotALink { doing: Doing, path: VolPath, found: Kind },

    /// A symbolic link, junction or other reparse point stands on the path.
    #[error("{}: {link} is a symbolic link or junction, which may lead out of the volume", act(.doing, .path))]
    LinkOnPath { doing: Doing, path: VolPath, link: VolPath },

    /// Another file system is mounted on a part of the path.
    #[error("{}: another file system is mounted at {at}, which is not part of this volume", act(.doing, .path))]
    OtherFileSystem { doing: Doing, path: VolPath, at: VolPath },

    /// Several entries differ only in case; Windows would see only one of them.
    #[error("{}: several names in {folder} differ only in case ({})", act(.doing, .path), name_list(.names))]
    Ambiguous { doing: Doing, path: VolPath, folder: VolPath, names: Vec<OsString> },

    /// A file longer than the caller's limit.
    #[error("{}: it is {len} bytes long, more than the {limit} that are believable here", act(.doing, .path))]
    TooLarge { doing: Doing, path: VolPath, len: u64, limit: u64 },

    /// A folder with more entries than [`super::MAX_ENTRIES`].
    #[error("{}: it has more than {limit} entries", act(.doing, .path))]
    TooManyEntries { doing: Doing, path: VolPath, limit: usize },

    /// The file has further names (hard links) that may lie outside the volume.
    #[error("{}: the file has {links} names (hard links); writing to it would change it under all of them, wherever they are", act(.doing, .path))]
    HardLinked { doing: Doing, path: VolPath, links: u64 },

    /// The name is taken; nothing is ever overwritten.
    #[error("{}: {existing} exists already", act(.doing, .path))]
    Exists { doing: Doing, path: VolPath, existing: VolPath },

    /// A folder would be moved into itself.
    #[error("{}: a folder can't be moved into itself", act(.doing, .path))]
    IntoItself { doing: Doing, path: VolPath },

    /// Asked of the volume's root, which has no name and no folder above it.
    #[error("{}: not possible with the root of the volume", act(.doing, .path))]
    IsRoot { doing: Doing, path: VolPath },

    /// A folder that should be empty is not.
    #[error("{}: it is not empty", act(.doing, .path))]
    NotEmpty { doing: Doing, path: VolPath },

    /// Somebody has the file open or locked.
    #[error("{}: it is in use by another program", act(.doing, .path))]
    Locked { doing: Doing, path: VolPath },

    /// The system does not allow it.
    #[error("{}: {cause}", act(.doing, .path))]
    Denied { doing: Doing, path: VolPath, cause: Cause },

    /// The volume is mounted read-only.
    #[error("{}: the volume is mounted read-only", act(.doing, .path))]
    ReadOnly { doing: Doing, path: VolPath },

    /// No room left.
    #[error("{}: the volume is full", act(.doing, .path))]
    Full { doing: Doing, path: VolPath },

    /// A rename returned without an error, and the volume does not look like it.
    #[error("{}: afterwards {found}", act(.doing, .path))]
    NotAsExpected {
        doing: Doing,
        path: VolPath,
        /// What was seen instead.
        found: String,
    },

    /// A name that can't be part of a path came from the volume or the caller.
    #[error(transparent)]
    BadPath(#[from] BadPath),

    /// Anything else that the system reports while reading.
    #[error("{}: {cause}", act(.doing, .path))]
    Unreadable { doing: Doing, path: VolPath, cause: Cause },

    /// Anything else that the system reports while writing.
    #[error("{}: {cause}", act(.doing, .path))]
    Io { doing: Doing, path: VolPath, cause: Cause },
}

impl VolumeError {
    /// Sorts a failure that the system reported.
    pub(crate) fn from_io(doing: Doing, path: &VolPath, e: io::Error) -> Self {
        let path = path.clone();
        match io_kind(&e) {
            io::ErrorKind::NotFound => VolumeError::NotFound { doing, missing: path.clone(), path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                VolumeError::Full { doing, path }
            }
            io::ErrorKind::ReadOnlyFilesystem => VolumeError::ReadOnly { doing, path },
            io::ErrorKind::AlreadyExists => VolumeError::Exists {
                existing: match &doing {
                    Doing::Renaming { to } => to.clone(),
                    _ => path.clone(),
                },
                doing,
                path,
            },
            io::ErrorKind::DirectoryNotEmpty => VolumeError::NotEmpty { doing, path },
            io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy | io::ErrorKind::WouldBlock => {
                VolumeError::Locked { doing, path }
            }
            io::ErrorKind::PermissionDenied => VolumeError::Denied { doing, path, cause: e.into() },
            _ => match doing {
                Doing::Listing | Doing::LookingFor | Doing::Reading => {
                    VolumeError::Unreadable { doing, path, cause: e.into() }
                }
                _ => VolumeError::Io { doing, path, cause: e.into() },
            },
        }
    }

    /// Tells an error about a place of another volume as one of this: `base` there is `here`.
    /// Errors of finding the way are about what was `wanted`, the others about the thing itself.
    pub(crate) fn retell(mut self, now: &Doing, wanted: &VolPath, base: &VolPath, here: &VolPath) -> Self {
        let place = |path: &mut VolPath| *path = path.moved(base, here);
        match &mut self {
            VolumeError::NotFound { doing, path, missing: at }
            | VolumeError::NotADirectory { doing, path, at, .. }
            | VolumeError::LinkOnPath { doing, path, link: at }
            | VolumeError::OtherFileSystem { doing, path, at }
            | VolumeError::Ambiguous { doing, path, folder: at, .. } => {
                *doing = now.clone();
                *path = wanted.clone();
                place(at);
            }
            VolumeError::Exists { doing, path, existing } => {
                *doing = now.clone();
                place(path);
                place(existing);
            }
            VolumeError::NotAFile { doing, path, .. }
            | VolumeError::NotALink { doing, path, .. }
            | VolumeError::TooLarge { doing, path, .. }
            | VolumeError::TooManyEntries { doing, path, .. }
            | VolumeError::HardLinked { doing, path, .. }
            | VolumeError::IntoItself { doing, path }
            | VolumeError::IsRoot { doing, path }
            | VolumeError::NotEmpty { doing, path }
            | VolumeError::Locked { doing, path }
            | VolumeError::Denied { doing, path, .. }
            | VolumeError::ReadOnly { doing, path }
            | VolumeError::Full { doing, path }
            | VolumeError::NotAsExpected { doing, path, .. }
            | VolumeError::Unreadable { doing, path, .. }
            | VolumeError::Io { doing, path, .. } => {
                *doing = now.clone();
                place(path);
            }
            VolumeError::Open { .. } | VolumeError::BadPath(_) => {}
        }
        self
    }

    /// The sort of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            VolumeError::Open { cause, .. } => match cause.kind {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Unreadable,
            },
            VolumeError::NotFound { .. } => ErrorKind::NotFound,
            VolumeError::NotADirectory { .. }
            | VolumeError::NotAFile { .. }
            | VolumeError::NotALink { .. }
            | VolumeError::TooLarge { .. }
            | VolumeError::TooManyEntries { .. }
            | VolumeError::Unreadable { .. } => ErrorKind::Unreadable,
            VolumeError::LinkOnPath { .. }
            | VolumeError::OtherFileSystem { .. }
            | VolumeError::Ambiguous { .. }
            | VolumeError::HardLinked { .. }
            | VolumeError::IntoItself { .. }
            | VolumeError::IsRoot { .. }
            | VolumeError::Locked { .. }
            | VolumeError::BadPath(_) => ErrorKind::Refused,
            VolumeError::Exists { .. } => ErrorKind::Exists,
            VolumeError::Denied { .. } => ErrorKind::Denied,
            VolumeError::ReadOnly { .. } => ErrorKind::ReadOnly,
            VolumeError::Full { .. } => ErrorKind::Full,
            VolumeError::NotEmpty { .. } | VolumeError::NotAsExpected { .. } | VolumeError::Io { .. } => ErrorKind::Io,
        }
    }

    /// What to do about it, as one sentence without a full stop; `None` where the message says it
    /// all.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            VolumeError::Open { cause, .. } => match cause.kind {
                io::ErrorKind::NotFound => "check the path, and that the volume is mounted",
                io::ErrorKind::PermissionDenied => "run coldmend as administrator (root)",
                _ => "name the folder where the Windows volume is mounted",
            },
            VolumeError::LinkOnPath { .. } => {
                "links are never followed; look where it leads, and if that is meant, put the real folder in its place or name the volume it leads to as the target"
            }
            VolumeError::OtherFileSystem { .. } => {
                "unmount what is mounted there, or name that volume as the target"
            }
            VolumeError::Ambiguous { .. } => {
                "Windows can see only one of them; rename or remove the one that does not belong there"
            }
            VolumeError::HardLinked { .. } => {
                "replace the file by a copy of itself, so that it has one name only"
            }
            VolumeError::NotADirectory { .. }
            | VolumeError::NotAFile { .. }
            | VolumeError::NotALink { .. } => {
                "look what stands in its place; coldmend does not replace it"
            }
            VolumeError::TooLarge { .. } | VolumeError::TooManyEntries { .. } => {
                "this is not what Windows leaves there; look at it by hand"
            }
            VolumeError::Locked { .. } if cfg!(windows) => {
                "if it is a hive, it is most likely loaded (regedit's Load Hive, reg load): unload it there or with reg unload; else close the program that uses it; then try again"
            }
            VolumeError::Locked { .. } => "close the program that uses it, and try again",
            VolumeError::Denied { .. } if cfg!(windows) => {
                "run coldmend as administrator; what is denied even so may be marked read-only, or held by another program"
            }
            VolumeError::Denied { .. } => {
                "run coldmend as administrator (root), and mount the volume so that you may write to it"
            }
            VolumeError::ReadOnly { .. } if cfg!(windows) => {
                "take the write protection away: a switch on the medium, or with diskpart: attributes volume clear readonly"
            }
            VolumeError::ReadOnly { .. } => {
                "mount the volume read-write; ntfs-3g falls back to read-only by itself when Windows is hibernated or was not shut down (Fast Startup)"
            }
            VolumeError::Full { .. } => "make room on the volume, or keep the state elsewhere with --state-dir",
            VolumeError::Unreadable { .. } | VolumeError::Io { .. } | VolumeError::NotAsExpected { .. } => {
                "check the disk and the system's log for errors; copy a failing disk before anything else"
            }
            VolumeError::NotFound { .. }
            | VolumeError::Exists { .. }
            | VolumeError::IntoItself { .. }
            | VolumeError::IsRoot { .. }
            | VolumeError::NotEmpty { .. }
            | VolumeError::BadPath(_) => return None,
        })
    }
}

impl From<VolumeError> for io::Error {
    fn from(e: VolumeError) -> Self {
        let kind = match &e {
            VolumeError::Denied { cause, .. }
            | VolumeError::Unreadable { cause, .. }
            | VolumeError::Io { cause, .. }
            | VolumeError::Open { cause, .. } => cause.kind,
            VolumeError::Full { .. } => io::ErrorKind::StorageFull,
            VolumeError::ReadOnly { .. } => io::ErrorKind::ReadOnlyFilesystem,
            VolumeError::NotFound { .. } => io::ErrorKind::NotFound,
            VolumeError::Exists { .. } => io::ErrorKind::AlreadyExists,
            VolumeError::Locked { .. } => io::ErrorKind::ResourceBusy,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_windows() {
        assert_eq!(windows_kind(32), Some(io::ErrorKind::ResourceBusy));
        assert_eq!(windows_kind(112), Some(io::ErrorKind::StorageFull));
        assert_eq!(windows_kind(19), Some(io::ErrorKind::ReadOnlyFilesystem));
        assert_eq!(windows_kind(183), Some(io::ErrorKind::AlreadyExists));
        assert_eq!(windows_kind(5), None); // as the standard library has it: access denied
    }
}
