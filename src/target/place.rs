//! What a folder of this machine is, as far as an administrator's rights go: a volume, or only a folder that looks like one.
//!
//! Relies on Windows' `GetVolumePathNameW` and `GetDriveTypeW` there; elsewhere everything is a folder, and the file system decides.
//! The decision is text, and tested on every system.

use std::path::Path;

use crate::safety::rights::Place;

/// What the folder `path` is.
#[cfg(windows)]
pub(super) fn of(path: &Path) -> Place {
    use crate::volume::hostpath;
    use crate::windows::calls::volumes;
    use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOTE;

    let Ok(real) = hostpath::real(path) else { return Place::Folder };
    let Ok(mount_point) = volumes::mount_point_of(&real) else { return Place::Folder };
    let local = volumes::drive_type(&mount_point) != DRIVE_REMOTE;
    let is_windows = real.join("System32").join("config").is_dir();
    judge(&real.to_string_lossy(), &mount_point.to_string_lossy(), local, is_windows)
}

/// What the folder `path` is: on this system always a folder.
#[cfg(not(windows))]
pub(super) fn of(_: &Path) -> Place {
    Place::Folder
}

/// `real` lies on the volume that is mounted at `mount_point`; `is_windows`: it has a `System32\\config`.
#[cfg_attr(not(windows), allow(dead_code))]
fn judge(real: &str, mount_point: &str, local: bool, is_windows: bool) -> Place {
    let bare = |text: &str| text.trim_end_matches('\\').to_lowercase();
    let (real, root) = (bare(real), bare(mount_point));
    let in_root = real.strip_prefix(&root).and_then(|rest| rest.strip_prefix('\\'));
    match in_root {
        _ if !local => Place::Folder,
        _ if real == root => Place::Volume,
        Some(name) if is_windows && !name.contains('\\') => Place::Volume,
        _ => Place::Folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_and_its_windows_folder_are_told_from_other_folders() {
        let volume = r"\\?\Volume{0}\";
        assert_eq!(judge(r"D:\", r"D:\", true, false), Place::Volume);
        assert_eq!(judge(r"d:\Windows", r"D:\", true, true), Place::Volume);
        assert_eq!(judge(volume, volume, true, false), Place::Volume);
        assert_eq!(judge(&format!("{volume}Windows"), volume, true, true), Place::Volume);
        assert_eq!(judge(r"C:\mnt\win", r"C:\mnt\win\", true, false), Place::Volume);
        assert_eq!(judge(r"C:\demo", r"C:\", true, false), Place::Folder);
        assert_eq!(judge(r"C:\demo\Windows", r"C:\", true, true), Place::Folder);
        assert_eq!(judge(r"\\server\share", r"\\server\share\", false, false), Place::Folder);
        assert_eq!(judge(r"C:\mnt\window", r"C:\mnt\win\", true, true), Place::Folder);
    }
}
