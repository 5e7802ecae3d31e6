//! From what the user typed to a volume and the Windows folder on it.
//!
//! A target is a mounted volume's root (or any folder that holds one), or its Windows folder. Installations
//! are found by content (a folder with `System32\config`), never by name or letter, and names are matched as
//! NTFS does, without case.

use std::path::{Path, PathBuf};

use crate::error::{Context, Failure, Result};
use crate::volume::{HostVolume, Kind, VolPath, Volume};

/// A volume with one Windows installation chosen on it.
pub struct Target {
    /// What the user typed.
    pub given: PathBuf,
    /// The volume.
    pub volume: HostVolume,
    /// The Windows folder on it, in its real spelling.
    pub windows: VolPath,
}

impl Target {
    /// Finds the installation that `given` means; `windows` (a path on the volume) chooses among several.
    ///
    /// # Errors
    /// Nothing there, no Windows, or several and none chosen.
    pub fn resolve(given: &Path, windows: Option<&str>) -> Result<Target> {
        refuse_files(given)?;
        if windows.is_none() {
            if let Some(target) = Self::from_windows_folder(given)? {
                return Ok(target);
            }
        }
        let volume = HostVolume::open(given).doing(|| format!("opening the volume {}", given.display()))?;
        let windows = match windows {
            Some(chosen) => chosen_folder(&volume, given, chosen)?,
            None => only_installation(&volume, given)?,
        };
        Ok(Target { given: given.to_path_buf(), volume, windows })
    }

    /// `given` as the Windows folder itself: then the volume is its parent.
    fn from_windows_folder(given: &Path) -> Result<Option<Target>> {
        let full = given
            .canonicalize()
            .map_err(|e| Failure::from_error(crate::error::Kind::Unreadable, e))
            .doing(|| format!("resolving the target {}", given.display()))?;
        let (Some(parent), Some(name)) = (full.parent(), full.file_name()) else { return Ok(None) };
        // A volume's root may itself hold a System32 by accident; a Windows folder is one whose parent can be opened
        // and in which System32\config is found.
        let Ok(inside) = HostVolume::open(&full) else { return Ok(None) };
        match inside.find(&VolPath::literal("System32\\config")) {
            Ok(Some(found)) if found.kind == Kind::Dir => {}
            _ => return Ok(None),
        }
        let volume = HostVolume::open(parent).doing(|| format!("opening the volume {}", parent.display()))?;
        Ok(Some(Target { given: given.to_path_buf(), volume, windows: VolPath::root().child(name)? }))
    }
}

/// A target is a folder so far.
fn refuse_files(given: &Path) -> Result<()> {
    let metadata = std::fs::metadata(given).map_err(|e| {
        Failure::from_error(crate::error::Kind::Unreadable, e)
            .context(format!("opening the target {}", given.display()))
            .hint("Name a mounted Windows volume's root, or its Windows folder.")
    })?;
    if !metadata.is_dir() {
        return Err(Failure::usage(format!(
            "the target {} is a file, and this version works on mounted volumes only",
            given.display()
        ))
        .hint("Mount the image or device first, and name the mount point."));
    }
    Ok(())
}

/// Every installation that `given` means: all on the volume, or the Windows folder that it is itself. May be empty.
///
/// # Errors
/// Nothing there, not a folder, or not readable.
pub fn find_all(given: &Path) -> Result<(HostVolume, Vec<VolPath>)> {
    refuse_files(given)?;
    if let Some(Target { volume, windows, .. }) = Target::from_windows_folder(given)? {
        return Ok((volume, vec![windows]));
    }
    let volume = HostVolume::open(given).doing(|| format!("opening the volume {}", given.display()))?;
    let found = installations(&volume)?;
    Ok((volume, found))
}

fn chosen_folder(volume: &HostVolume, given: &Path, chosen: &str) -> Result<VolPath> {
    let path = VolPath::parse(chosen)
        .map_err(|e| Failure::usage(format!("--windows {chosen:?} is not a path on the volume: {e}")))?;
    match volume.find(&path)? {
        Some(found) if found.kind == Kind::Dir && is_windows_folder(volume, &found.path)? => Ok(found.path),
        Some(_) => Err(Failure::unreadable(format!(
            "{} on {} is not a Windows folder: there is no System32\\config in it",
            path.display_escaped(),
            given.display()
        ))),
        None => Err(Failure::unreadable(format!("there is no {} on {}", path.display_escaped(), given.display()))),
    }
}

fn only_installation(volume: &HostVolume, given: &Path) -> Result<VolPath> {
    let mut found = installations(volume)?;
    match found.len() {
        0 => Err(no_windows(volume, given)?),
        1 => Ok(found.remove(0)),
        _ => {
            let list: Vec<String> = found.iter().map(|p| p.display_escaped().to_string()).collect();
            Err(Failure::usage(format!(
                "there are {} Windows folders on {}: {}",
                list.len(),
                given.display(),
                list.join(", ")
            ))
            .hint(format!("Choose one with --windows, for example: --windows {:?}", list[0])))
        }
    }
}

/// The error for a volume without an installation, with the reason where one can be seen.
///
/// # Errors
/// None that is not the reason itself.
pub fn no_windows(volume: &HostVolume, given: &Path) -> Result<Failure> {
    // A link called Windows, or one on the way to its hives, is worth its own words: following it could leave
    // the volume, so it is never followed.
    let config = VolPath::literal("Windows\\System32\\config");
    let error = match volume.find(&config) {
        Err(error) => Failure::from(error),
        Ok(Some(found)) if found.kind == Kind::Link => Failure::refused(format!(
            "{} on {} is a link, and links are never followed",
            found.path.display_escaped(),
            given.display()
        )),
        _ => Failure::unreadable(format!("no Windows was found on {}", given.display())),
    };
    Ok(error.hint("Name the root of the volume that holds the Windows folder, or that folder itself."))
}

/// Every Windows folder in the volume's root.
///
/// # Errors
/// The root can't be listed.
pub fn installations(volume: &dyn Volume) -> Result<Vec<VolPath>> {
    let mut found = Vec::new();
    for entry in volume.list(&VolPath::root())? {
        if entry.kind != Kind::Dir {
            continue;
        }
        let Ok(path) = VolPath::root().child(&entry.name) else { continue };
        if is_windows_folder(volume, &path)? {
            found.push(path);
        }
    }
    found.sort_by_key(VolPath::encode);
    Ok(found)
}

fn is_windows_folder(volume: &dyn Volume, folder: &VolPath) -> Result<bool> {
    // An installation that an upgrade has put aside (Windows.old\Windows) is one level deeper, and not found here.
    match volume.find(&folder.join("System32\\config")?) {
        Ok(Some(found)) => Ok(found.kind == Kind::Dir),
        Ok(None) => Ok(false),
        // What can't be looked into is no Windows folder for us; `no_windows` says why if nothing else is found.
        Err(_) => Ok(false),
    }
}
