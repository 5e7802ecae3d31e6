//! Volumes as Windows' mount manager has them, with and without letters; and letters that it does not know of.
//!
//! Looks at names, labels and first sectors only: nothing is mounted, unlocked or written. The system's own volume is the one
//! that holds its Windows folder: in WinPE that is the RAM disk X:. Sources: see `windows::calls::volumes`; `FVE_E_LOCKED_VOLUME` in
//! `winerror.h`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_FILE_CORRUPT, ERROR_GEN_FAILURE, ERROR_NOT_READY, ERROR_UNRECOGNIZED_VOLUME,
    FVE_E_LOCKED_VOLUME,
};
use windows_sys::Win32::System::WindowsProgramming::{DRIVE_NO_ROOT_DIR, DRIVE_REMOTE};

use super::bitlocker::{is_bitlocker, unlock_line};
use super::{AttachedState, AttachedVolume};
use crate::windows::calls::volumes as calls;

pub(super) fn volumes() -> io::Result<Vec<AttachedVolume>> {
    let system = System::ask();
    let used = calls::letters();
    let mut known = Vec::new();
    let mut volumes = Vec::new();
    for name in calls::names()? {
        let mount_points = calls::mount_points(&name).unwrap_or_default();
        known.extend(mount_points.iter().filter_map(|mount_point| letter(mount_point)));
        volumes.push(one(&name, mount_points, &system, &used));
    }
    // A RAM disk, or what another driver gave a letter without telling the mount manager.
    for letter in used.iter().filter(|letter| !known.contains(letter)) {
        let root = OsString::from(format!(r"{letter}:\"));
        if is_device_of_this_machine(*letter, &root) {
            volumes.push(one(&root, vec![root.clone()], &system, &used));
        }
    }
    Ok(volumes)
}

/// Not a network drive, and no folder that `subst` gave a letter.
fn is_device_of_this_machine(letter: char, root: &OsStr) -> bool {
    let is_folder = calls::device_of_letter(&format!("{letter}:"))
        .is_ok_and(|device| device.to_string_lossy().starts_with(r"\??\"));
    !is_folder && !matches!(calls::drive_type(root), DRIVE_REMOTE | DRIVE_NO_ROOT_DIR)
}

/// The volume that this system was started from, by its letter and by its name.
struct System {
    mount_point: Option<OsString>,
    name: Option<OsString>,
}

impl System {
    fn ask() -> System {
        let folder = calls::system_windows_directory().ok();
        let mount_point = folder.and_then(|folder| calls::mount_point_of(Path::new(&folder)).ok());
        let name = mount_point.as_ref().and_then(|mount_point| calls::name_at(mount_point).ok());
        System { mount_point, name }
    }

    fn is(&self, name: &OsStr, mount_points: &[OsString]) -> bool {
        let same = |other: &Option<OsString>, this: &OsStr| {
            other.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(this))
        };
        same(&self.name, name) || mount_points.iter().any(|mount_point| same(&self.mount_point, mount_point))
    }
}

/// The letter of a mount point that is one: `D:\`.
fn letter(mount_point: &OsStr) -> Option<char> {
    match mount_point.to_str()?.as_bytes() {
        [letter, b':', b'\\'] => Some(char::from(letter.to_ascii_uppercase())),
        _ => None,
    }
}

fn one(name: &OsStr, mut mount_points: Vec<OsString>, system: &System, used: &[char]) -> AttachedVolume {
    let is_system = system.is(name, &mount_points);
    // Letters before folders.
    mount_points.sort_by_key(|mount_point| letter(mount_point).is_none());
    let first = mount_points.first().and_then(|mount_point| letter(mount_point));
    let path: PathBuf = mount_points.first().map_or_else(|| name.into(), PathBuf::from);
    let shown = |text: &OsString| text.to_string_lossy().into_owned();
    let mut also: Vec<String> = mount_points.iter().skip(1).map(shown).collect();
    if path.as_os_str() != name {
        also.push(name.to_string_lossy().into_owned());
    }
    let information = calls::information(name);
    let (label, file_system) = match &information {
        Ok((label, file_system)) => (Some(shown(label)), Some(shown(file_system))),
        Err(_) => (None, None),
    };
    let state = match &information {
        _ if is_system => AttachedState::RunningSystem,
        Ok(_) => AttachedState::Readable,
        Err(error) if is_locked(name, error) => {
            AttachedState::Locked { unlock: unlock_line(first, &name.to_string_lossy(), used) }
        }
        Err(error) => AttachedState::Unreadable { why: why(error) },
    };
    let size = calls::file_system_size(name).or_else(|_| calls::device_size(name)).ok();
    AttachedVolume {
        path,
        also,
        label: label.filter(|label| !label.is_empty()),
        file_system: file_system.filter(|file_system| !file_system.is_empty()),
        size,
        state,
    }
}

fn code(error: &io::Error) -> u32 {
    error.raw_os_error().unwrap_or(0) as u32
}

/// BitLocker says so, or its header is where a file system should be and none could be mounted.
fn is_locked(name: &OsStr, error: &io::Error) -> bool {
    code(error) == FVE_E_LOCKED_VOLUME as u32
        || match calls::first_sectors(name) {
            Ok(sectors) => is_bitlocker(&sectors),
            Err(error) => code(&error) == FVE_E_LOCKED_VOLUME as u32,
        }
}

fn why(error: &io::Error) -> String {
    match code(error) {
        ERROR_NOT_READY => "no medium is in the drive".into(),
        ERROR_UNRECOGNIZED_VOLUME => {
            "no file system that this system knows is on it (RAW): empty, damaged, encrypted by another program, or of another system".into()
        }
        ERROR_FILE_CORRUPT => "its file system is damaged; look at it with chkdsk".into(),
        ERROR_GEN_FAILURE => "the device does not work".into(),
        ERROR_ACCESS_DENIED => "only an administrator may look at it".into(),
        _ => error.to_string(),
    }
}

/// The volume that holds `path`, in the words of [`volumes`]; `None` where it is not among them.
pub(super) fn volume_of(path: &Path) -> Option<AttachedVolume> {
    let mount_point = calls::mount_point_of(path).ok()?;
    let is = |name: &OsStr| name.eq_ignore_ascii_case(&mount_point);
    volumes().ok()?.into_iter().find(|v| is(v.path.as_os_str()) || v.also.iter().any(|name| is(name.as_ref())))
}
