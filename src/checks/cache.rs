//! What the checks of the three caches share: what stands at a folder's place, and the state of an ESE database.

use crate::error::{Failure, Result};
use crate::evidence::{EseHeader, EseState, ESE_HEADER_BYTES};
use crate::findings::Evidence;
use crate::volume::{Kind, VolPath, Volume};

/// What stands where a cache's folder belongs.
pub(super) enum Place {
    /// Nothing: healthy, Windows makes it.
    Absent,
    /// A folder, in its real spelling.
    Folder(VolPath),
    /// A link to a folder on this volume, or to a place that can't be seen from here.
    Elsewhere(VolPath, String),
    /// Something that Windows can't use.
    Damaged(VolPath, Evidence),
}

/// Looks at a folder's place. A link is never followed; where it says it leads is looked up on the volume by name.
pub(super) fn place(volume: &dyn Volume, wanted: &VolPath) -> Result<Place> {
    let Some(found) = volume.find(wanted)? else { return Ok(Place::Absent) };
    let shown = found.path.display_escaped();
    Ok(match found.kind {
        Kind::Dir => Place::Folder(found.path),
        Kind::File | Kind::Other => {
            let evidence = Evidence::new(shown, found.kind.to_string(), "a folder, or nothing");
            Place::Damaged(found.path, evidence)
        }
        Kind::Link => {
            let target = volume.read_link(&found.path)?.to_string_lossy().into_owned();
            match leads_to(volume, &found.path, &target)? {
                Lead::Folder | Lead::Unknown => Place::Elsewhere(found.path, target),
                Lead::Nowhere => {
                    let evidence =
                        Evidence::new(shown, format!("a link to {target}, where nothing is"), "a folder, or nothing");
                    Place::Damaged(found.path, evidence)
                }
            }
        }
    })
}

enum Lead {
    Folder,
    Nowhere,
    Unknown,
}

/// Where a link leads, as far as that can be told without following it.
fn leads_to(volume: &dyn Volume, link: &VolPath, target: &str) -> Result<Lead> {
    let slashed = target.replace('\\', "/");
    // Junctions name a drive or a volume of the Windows that made them: `\??\C:\…`, `\??\Volume{…}\…`.
    let windows = slashed.trim_start_matches("/??/").trim_start_matches("//?/");
    let path = if let Some((drive, rest)) = windows.split_once(":/").filter(|(d, _)| d.len() == 1) {
        let _ = drive;
        // It may be this volume under the letter that Windows gives it, or another disk: being here proves the first.
        return Ok(match look_up(volume, &VolPath::root(), rest) {
            Some(true) => Lead::Folder,
            _ => Lead::Unknown,
        });
    } else if slashed.starts_with('/') {
        // A driver for NTFS shows a junction as a path below the mount point; any other absolute path means nothing to Windows.
        let mount = volume.mount_info().map(|m| m.mount_point.display().to_string());
        match mount.as_deref().and_then(|m| slashed.strip_prefix(m.trim_end_matches('/'))) {
            Some(rest) if rest.starts_with("/.NTFS-3G") => return Ok(Lead::Unknown),
            Some(rest) if volume.mount_info().is_some_and(|m| m.target_is_mount_root && m.is_ntfs) => {
                (VolPath::root(), rest.to_string())
            }
            _ => return Ok(Lead::Nowhere),
        }
    } else if slashed.contains("unsupported reparse") {
        return Ok(Lead::Unknown);
    } else {
        (link.parent().unwrap_or_default(), slashed.clone())
    };
    Ok(match look_up(volume, &path.0, &path.1) {
        Some(true) => Lead::Folder,
        Some(false) => Lead::Nowhere,
        None => Lead::Unknown,
    })
}

/// Whether there is a folder at `rest`, names only, from `base`; `None` when that leads through another link or out.
fn look_up(volume: &dyn Volume, base: &VolPath, rest: &str) -> Option<bool> {
    let mut path = base.clone();
    for name in rest.split('/').filter(|n| !n.is_empty() && *n != ".") {
        path = if name == ".." { path.parent()? } else { path.child(name).ok()? };
    }
    match volume.find(&path) {
        Ok(Some(found)) if found.kind == Kind::Dir => Some(true),
        Ok(Some(found)) if found.kind == Kind::Link => None,
        Ok(_) => Some(false),
        Err(_) => None,
    }
}

/// Damage of an ESE database, with the evidence; `None` when it is healthy or absent. `logs` is the folder of its logs.
pub(super) fn database_damage(volume: &dyn Volume, database: &VolPath, logs: &VolPath) -> Result<Option<Evidence>> {
    let Some(found) = volume.find(database)? else { return Ok(None) };
    let place = found.path.display_escaped();
    let expected = "an ESE database that was closed cleanly or has its logs";
    if found.kind == Kind::Link {
        // Files that Windows has compressed or deduplicated look like links to other systems.
        return Err(Failure::unreadable(format!("{place} is a reparse point, and is not looked into")));
    }
    if found.kind != Kind::File {
        return Ok(Some(Evidence::new(place, found.kind.to_string(), expected)));
    }
    let head = volume.read_head(&found.path, ESE_HEADER_BYTES)?;
    let seen = match EseHeader::read(&head) {
        EseHeader::Empty => "a file of 0 bytes".to_string(),
        EseHeader::NotEse { found } => format!("no ESE signature at offset 4 (found {found:02x?})"),
        EseHeader::Database(EseState::Clean | EseState::JustCreated) => return Ok(None),
        EseHeader::Database(state) => {
            if has_logs(volume, logs)? {
                // Windows replays the logs when it opens the database: normal after a power cut.
                return Ok(None);
            }
            let word = match state {
                EseState::Dirty => "dirty shutdown".to_string(),
                EseState::BeingConverted => "being converted".into(),
                EseState::ForceDetach => "forcibly detached".into(),
                EseState::Unknown(n) => format!("state {n}"),
                EseState::Clean | EseState::JustCreated => String::new(),
            };
            format!("{word}, and no log files in {}", logs.display_escaped())
        }
    };
    Ok(Some(Evidence::new(place, seen, expected)))
}

/// Whether there are ESE transaction logs (`edb*.log` and the like) that hold anything.
fn has_logs(volume: &dyn Volume, folder: &VolPath) -> Result<bool> {
    match volume.find(folder)? {
        Some(found) if found.kind == Kind::Dir => {}
        _ => return Ok(false),
    }
    for entry in volume.list(folder)? {
        let Some(name) = entry.name.to_str().map(str::to_ascii_lowercase) else { continue };
        let is_log = name.starts_with("edb") && name.ends_with(".log") && !name.contains("res");
        if is_log && entry.kind == Kind::File {
            if let Some(found) = volume.find(&folder.child(&entry.name)?)? {
                if found.len > 0 {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}
