//! Which logs a Windows has, and where. Newest first; a name with the date in it sorts by that.

use crate::knowledge::LogKind;
use crate::volume::{Entry, Kind, VolPath, Volume};

/// A log file that is there.
pub(super) struct Source {
    pub path: VolPath,
    pub len: u64,
    pub is_cabinet: bool,
}

/// A place to look: the kind of log, a folder, whether that is on the volume's root, and the names; `*` stands for anything.
type Place = (LogKind, &'static str, bool, &'static [&'static str]);

const PLACES: &[Place] = &[
    (LogKind::Cbs, "Logs\\CBS", false, &["CBS.log", "CbsPersist_*.log", "CbsPersist_*.cab"]),
    (LogKind::Cbs, "Logs\\CBS", false, &["CheckSUR.log"]),
    (LogKind::Dism, "Logs\\DISM", false, &["dism.log"]),
    (LogKind::Setupapi, "inf", false, &["setupapi.dev.log", "setupapi.dev.*.log"]),
    (LogKind::Setupapi, "", false, &["setupapi.log"]),
    (LogKind::WindowsUpdate, "", false, &["WindowsUpdate.log", "Windows Update.log"]),
    (LogKind::ReportingEvents, "SoftwareDistribution", false, &["ReportingEvents.log"]),
    (LogKind::Panther, "Panther", false, &["setuperr.log", "setupact.log"]),
    (LogKind::Panther, "$WINDOWS.~BT\\Sources\\Panther", true, &["setuperr.log", "setupact.log"]),
];

/// The most files of one place.
const MAX_FILES: usize = 16;

/// The logs of a kind, newest first, place by place; what could not be looked at goes into `could_not`.
pub(super) fn find(volume: &dyn Volume, windows: &VolPath, kind: LogKind, could_not: &mut Vec<String>) -> Vec<Source> {
    let mut found = Vec::new();
    for (_, folder, on_root, names) in PLACES.iter().filter(|place| place.0 == kind) {
        let root = if *on_root { VolPath::root() } else { windows.clone() };
        let Ok(folder) = root.join(folder) else { continue };
        if let Err(e) = in_folder(volume, &folder, names, &mut found) {
            could_not.push(format!("looking for logs in {}: {e}", folder.display_escaped()));
        }
    }
    found
}

fn in_folder(
    volume: &dyn Volume,
    folder: &VolPath,
    names: &[&str],
    found: &mut Vec<Source>,
) -> Result<(), crate::volume::VolumeError> {
    let Some(there) = volume.find(folder)?.filter(|there| there.kind == Kind::Dir) else { return Ok(()) };
    let mut files: Vec<(usize, String, VolPath)> = Vec::new();
    if names.iter().any(|name| name.contains('*')) {
        for Entry { name, kind } in volume.list(&there.path)? {
            let Some(lower) = name.to_str().map(str::to_ascii_lowercase) else { continue };
            let fits = |pattern: &&str| match pattern.to_ascii_lowercase().split_once('*') {
                Some((start, end)) => {
                    lower.len() > start.len() + end.len() && lower.starts_with(start) && lower.ends_with(end)
                }
                None => lower == pattern.to_ascii_lowercase(),
            };
            let Some(rank) = names.iter().position(fits) else { continue };
            if kind == Kind::File {
                // The log in use is the newest; of the archived ones, the name says which.
                files.push((rank.min(1), lower, there.path.child(&name)?));
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    } else {
        for (rank, name) in names.iter().enumerate() {
            files.push((rank, name.to_ascii_lowercase(), there.path.join(name)?));
        }
    }
    for (_, name, path) in files.into_iter().take(MAX_FILES) {
        if let Some(file) = volume.find(&path)?.filter(|file| file.kind == Kind::File && file.len > 0) {
            found.push(Source { path: file.path, len: file.len, is_cabinet: name.ends_with(".cab") });
        }
    }
    Ok(())
}
