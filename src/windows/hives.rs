//! Which hives the running system has loaded, and from which files.
//!
//! Source: `HKLM\SYSTEM\CurrentControlSet\Control\hivelist`, where the kernel keeps one value per loaded hive: its name is
//! the key (`\REGISTRY\MACHINE\SYSTEM`), its text the file in the object manager's spelling. The comparison is in `safety::loaded`.

use std::io;
use std::path::Path;

use super::calls::volume_info::Naming;
use super::calls::{registry, volumes};
use crate::safety::loaded::Loaded;

/// The hives that are loaded from a file.
///
/// # Errors
/// The list can't be read.
pub fn loaded() -> io::Result<Vec<Loaded>> {
    let list = registry::machine_texts(r"SYSTEM\CurrentControlSet\Control\hivelist")?;
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    Ok(list
        .into_iter()
        .filter(|(_, file)| !file.is_empty())
        .map(|(key, file)| Loaded { key: text(key), file: text(file) })
        .collect())
}

/// Every name that the system has for a file: by letter, by volume, by device. Without those that it can't say.
pub fn names_of(file: &Path) -> Vec<String> {
    [Naming::Mounted, Naming::Volume, Naming::Device]
        .into_iter()
        .filter_map(|how| volumes::final_path(file, how).ok())
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// The folder that `\SystemRoot` stands for.
pub fn system_root() -> Option<String> {
    volumes::system_windows_directory().ok().map(|root| root.to_string_lossy().into_owned())
}
