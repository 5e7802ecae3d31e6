//! From what the user typed to a volume and the Windows folder on it.
//!
//! A target is a mounted volume's root (or any folder that holds one), or its Windows folder; on Windows also a volume without
//! a letter, and a VHD or VHDX file, which is attached as long as the target lives. Installations are found by content (a folder
//! with `System32\config`), never by name or letter, and names are matched as NTFS does, without case.
//!
//! Images are told by content in `format.rs`; a new format is a variant there, and the volume that reads it stands beside `volume/host`.

pub mod format;
#[cfg(windows)]
mod image;
pub mod layout;
mod place;

use std::path::{Path, PathBuf};

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::safety::rights::{refuse_without, Access, Place, Rights};
use crate::volume::escape::escape_text;
use crate::volume::{hostpath, HostVolume, Kind, VolPath, Volume};

/// A volume with one Windows installation chosen on it.
pub struct Target {
    /// What the user typed.
    pub given: PathBuf,
    /// What it is, as far as an administrator's rights go.
    pub place: Place,
    /// The volume.
    pub volume: HostVolume,
    /// The Windows folder on it, in its real spelling.
    pub windows: VolPath,
    /// The disk image that it lies on, where the target is one.
    pub image: Option<Image>,
    /// Keeps the image attached; dropped last, when nothing of the volume is open any more.
    #[cfg(windows)]
    _attached: Option<image::Attached>,
}

/// A disk image as a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The image file, with its full path.
    pub file: PathBuf,
    /// Its format.
    pub format: format::Format,
    /// The partition with the Windows, counted from 1; `None` where the volume is the whole disk.
    pub partition: Option<u32>,
}

/// Which installation, where there are several.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// The Windows folder on the volume.
    pub windows: Option<&'a str>,
    /// The partition of a disk image.
    pub partition: Option<u32>,
}

impl Target {
    /// Finds the installation that `given` means. With [`Access::Write`] it refuses what this process may not write, before
    /// anything is touched.
    ///
    /// # Errors
    /// Nothing there, no Windows, or several and none chosen.
    pub fn resolve(given: &Path, choice: Choice<'_>, access: Access) -> Result<Target> {
        let meant = hostpath::as_meant(given);
        let target = Self::resolve_meant(&meant, choice, access)?;
        // As it was typed, unless the shell left a quote in it.
        let quoted = given.as_os_str().as_encoded_bytes().ends_with(b"\"") && meant != given;
        Ok(Target { given: if quoted { meant } else { given.to_path_buf() }, ..target })
    }

    fn resolve_meant(path: &Path, choice: Choice<'_>, access: Access) -> Result<Target> {
        let shown = escape_text(path.as_os_str());
        if !is_folder(path)? {
            #[cfg(windows)]
            if let Some(target) = image::target(path, choice, access)? {
                return Ok(target);
            }
            return Err(not_mounted(path));
        }
        if let Some(number) = choice.partition {
            return Err(Failure::usage(format!(
                "--partition {number} chooses on a disk image, and the target {shown} is a mounted volume"
            ))
            .hint("Leave --partition out, or name the image."));
        }
        let place = place::of(path);
        refuse_without(Rights::current(), place, access, path)?;
        if choice.windows.is_none() {
            if let Some(target) = Self::from_windows_folder(path, place)? {
                return Ok(target);
            }
        }
        let volume = HostVolume::open(path).doing(|| format!("opening the volume {shown}"))?;
        let windows = match choice.windows {
            Some(chosen) => chosen_folder(&volume, path, chosen)?,
            None => only_installation(&volume, path)?,
        };
        Ok(Self::folder(path, place, volume, windows))
    }

    fn folder(given: &Path, place: Place, volume: HostVolume, windows: VolPath) -> Target {
        Target {
            given: given.to_path_buf(),
            place,
            volume,
            windows,
            image: None,
            #[cfg(windows)]
            _attached: None,
        }
    }

    /// `given` as the Windows folder itself: then the volume is its parent.
    fn from_windows_folder(given: &Path, place: Place) -> Result<Option<Target>> {
        let full = hostpath::real(given)
            .map_err(|e| Failure::from_error(FailureKind::Unreadable, e))
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
        Ok(Some(Self::folder(given, place, volume, VolPath::root().child(name)?)))
    }

    /// What the target is, in reports.
    pub fn kind(&self) -> &'static str {
        self.image.as_ref().map_or("directory", |image| image.format.as_str())
    }

    /// Where on this machine a file of the installation is, such as `System32\config\SYSTEM`: for asking the system about it, never
    /// for opening it.
    pub fn host_path(&self, parts: &[&str]) -> PathBuf {
        let mut path = self.volume.host_path().to_path_buf();
        path.extend(self.windows.components());
        path.extend(parts);
        path
    }
}

fn is_folder(path: &Path) -> Result<bool> {
    Ok(std::fs::metadata(path).map_err(|e| cant_open(path, e))?.is_dir())
}

fn not_mounted(path: &Path) -> Failure {
    let shown = escape_text(path.as_os_str());
    Failure::usage(format!("the target {shown} is a file, and this version works on mounted volumes only"))
        .hint("Mount the image or device first, and name the mount point.")
}

/// Every installation that `given` means: all on the volume, or the Windows folder that it is itself. May be empty.
///
/// # Errors
/// Nothing there, not a folder, or not readable.
pub fn find_all(given: &Path) -> Result<(HostVolume, Vec<VolPath>)> {
    let path = hostpath::as_meant(given);
    if !is_folder(&path)? {
        return Err(not_mounted(&path));
    }
    if let Some(Target { volume, windows, .. }) = Target::from_windows_folder(&path, place::of(&path))? {
        return Ok((volume, vec![windows]));
    }
    let volume = HostVolume::open(&path).doing(|| format!("opening the volume {}", given.display()))?;
    let found = installations(&volume)?;
    Ok((volume, found))
}

fn cant_open(path: &Path, error: std::io::Error) -> Failure {
    #[cfg(windows)]
    if let Some(failure) = image::explain(path) {
        return failure;
    }
    Failure::from_error(FailureKind::Unreadable, error)
        .context(format!("opening the target {}", path.display()))
        .hint("Name a mounted Windows volume's root, or its Windows folder.")
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
        _ => Err(several(&found, given)),
    }
}

fn several(found: &[VolPath], given: &Path) -> Failure {
    let list: Vec<String> = found.iter().map(VolPath::display_escaped).collect();
    Failure::usage(format!("there are {} Windows folders on {}: {}", list.len(), given.display(), list.join(", ")))
        .hint(format!(
            "Choose one with --windows, for example: --windows {:?}",
            list.first().map_or("Windows", String::as_str)
        ))
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
