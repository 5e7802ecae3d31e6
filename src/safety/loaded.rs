//! Hives that the running system has loaded: never opened, with the key under which they are loaded in the message.
//!
//! Relies on `windows::hives` for the list and for the names of a file. The comparison itself is text, and tested on every system. In
//! the list a file is named by its device (`\Device\HarddiskVolume3\…`), by letter or volume (`\??\C:\…`, for hives that a
//! program loaded), or from `\SystemRoot`.

use std::path::Path;

use crate::error::{Failure, Result};
use crate::volume::escape::escape_text;

/// What the system loads by itself below `\REGISTRY\MACHINE`.
#[cfg_attr(not(windows), allow(dead_code))]
const OWN: &[&str] =
    &["SYSTEM", "SOFTWARE", "SAM", "SECURITY", "HARDWARE", "COMPONENTS", "DRIVERS", "SCHEMA", "ELAM", "BCD00000000"];

/// What to do instead of touching the running system.
const ELSEWHERE: &str = "coldmend mends a Windows that is not running. Start the machine from other media (WinPE, a recovery stick, a Linux system), or attach its disk to another machine.";

/// One loaded hive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its key in the object manager's spelling: `\REGISTRY\MACHINE\SYSTEM`.
    pub key: String,
    /// Its file, as the kernel names it.
    pub file: String,
}

/// The one that was loaded from the file that has these `names`.
pub fn loaded_from<'l>(list: &'l [Loaded], names: &[String], system_root: &str) -> Option<&'l Loaded> {
    let names: Vec<String> = names.iter().map(|name| comparable(name, system_root)).collect();
    list.iter().find(|hive| names.contains(&comparable(&hive.file, system_root)))
}

/// One spelling for the several that the same name has.
fn comparable(name: &str, system_root: &str) -> String {
    let name = name.to_lowercase();
    if let Some(rest) = name.strip_prefix(r"\systemroot\") {
        return format!(r"{}\{rest}", system_root.trim_end_matches('\\').to_lowercase());
    }
    let name = [r"\\?\", r"\??\"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(&name);
    name.to_string()
}

/// The key as regedit shows it.
pub fn shown_key(key: &str) -> String {
    let upper = key.to_uppercase();
    [(r"\REGISTRY\MACHINE", "HKEY_LOCAL_MACHINE"), (r"\REGISTRY\USER", "HKEY_USERS")]
        .iter()
        .find(|(from, _)| upper == *from || upper.starts_with(&format!(r"{from}\")))
        .and_then(|(from, to)| Some(format!("{to}{}", key.get(from.len()..)?)))
        .unwrap_or_else(|| key.to_string())
}

/// The refusal.
fn refusal(file: &Path, key: &str, own: bool) -> Failure {
    let shown = escape_text(file.as_os_str());
    let key = escape_text(shown_key(key).as_ref());
    let failure = Failure::refused(format!("{shown} is loaded in the registry of the running system, as {key}"));
    if own {
        failure.hint(ELSEWHERE)
    } else {
        failure.hint(format!(
            "Unload it first: `reg unload \"{key}\"`, or File, Unload Hive in regedit; then close the program that loaded it, and try again."
        ))
    }
}

/// Whether the system itself loads it, as opposed to somebody with regedit, `reg load` or DISM: by the key, since both lie in
/// a folder called Windows.
#[cfg_attr(not(windows), allow(dead_code))]
fn is_own(key: &str) -> bool {
    let key = key.to_uppercase();
    match key.strip_prefix(r"\REGISTRY\MACHINE\") {
        Some(name) => OWN.contains(&name),
        None => key.starts_with(r"\REGISTRY\USER\.DEFAULT") || key.starts_with(r"\REGISTRY\USER\S-1-5-"),
    }
}

/// Refuses a hive file that the running system has loaded. On other systems than Windows none is.
///
/// # Errors
/// That refusal (exit status 3).
pub fn refuse_loaded(file: &Path) -> Result<()> {
    let Some((key, own)) = find(file) else { return Ok(()) };
    Err(refusal(file, &key, own))
}

/// Refuses to write a hive of the running Windows, loaded or not: it may load it at any moment, as it does with COMPONENTS. On
/// other systems than Windows there is none.
///
/// # Errors
/// That refusal (exit status 3).
pub fn refuse_own_hive(file: &Path) -> Result<()> {
    if !is_of_running_windows(file) {
        return Ok(());
    }
    let shown = escape_text(file.as_os_str());
    Err(Failure::refused(format!("{shown} is a hive of the Windows that is running")).hint(ELSEWHERE))
}

#[cfg(windows)]
fn is_of_running_windows(file: &Path) -> bool {
    let root = crate::windows::hives::system_root().unwrap_or_default();
    let names = crate::windows::hives::names_of(file);
    !root.is_empty() && names.iter().any(|name| is_in_config(name, &root))
}

#[cfg(not(windows))]
fn is_of_running_windows(_: &Path) -> bool {
    false
}

/// Whether a file lies in the folder of the running Windows' hives itself, not in one below it.
#[cfg_attr(not(windows), allow(dead_code))]
fn is_in_config(name: &str, system_root: &str) -> bool {
    let config = comparable(r"\SystemRoot\System32\config\", system_root);
    comparable(name, system_root).strip_prefix(&config).is_some_and(|rest| !rest.is_empty() && !rest.contains('\\'))
}

/// The key under which `file` is loaded, and whether it is the running system's own.
#[cfg(windows)]
fn find(file: &Path) -> Option<(String, bool)> {
    // Where the list can't be read the file's own lock still stands.
    let list = crate::windows::hives::loaded().ok()?;
    let names = crate::windows::hives::names_of(file);
    let root = crate::windows::hives::system_root().unwrap_or_default();
    let hive = loaded_from(&list, &names, &root)?;
    Some((hive.key.clone(), is_own(&hive.key)))
}

#[cfg(not(windows))]
fn find(_: &Path) -> Option<(String, bool)> {
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn list() -> Vec<Loaded> {
        [
            (r"\REGISTRY\MACHINE\SYSTEM", r"\Device\HarddiskVolume3\Windows\System32\config\SYSTEM"),
            (r"\REGISTRY\MACHINE\BROKEN", r"\??\D:\Windows\System32\config\SYSTEM"),
            (r"\REGISTRY\MACHINE\BCD", r"\Device\HarddiskVolume1\Boot\BCD"),
            (r"\REGISTRY\USER\S-1-5-20", r"\SystemRoot\ServiceProfiles\NetworkService\NTUSER.DAT"),
        ]
        .map(|(key, file)| Loaded { key: key.into(), file: file.into() })
        .into()
    }

    fn key(names: &[&str]) -> Option<String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        loaded_from(&list(), &names, r"C:\Windows").map(|hive| hive.key.clone())
    }

    #[test]
    fn a_loaded_hive_is_known_by_any_of_its_names() {
        let system =
            [r"\\?\C:\Windows\System32\config\SYSTEM", r"\Device\HarddiskVolume3\WINDOWS\system32\config\SYSTEM"];
        assert_eq!(key(&system).as_deref(), Some(r"\REGISTRY\MACHINE\SYSTEM"));
        assert_eq!(key(&[r"\\?\d:\windows\System32\config\SYSTEM"]).as_deref(), Some(r"\REGISTRY\MACHINE\BROKEN"));
        assert_eq!(
            key(&[r"\\?\C:\Windows\ServiceProfiles\NetworkService\ntuser.dat"]).as_deref(),
            Some(r"\REGISTRY\USER\S-1-5-20")
        );
        assert_eq!(key(&[r"\\?\D:\Windows\System32\config\SOFTWARE"]), None);
        assert_eq!(key(&[r"\Device\HarddiskVolume4\Windows\System32\config\SYSTEM"]), None);
        assert_eq!(key(&[]), None);
    }

    #[test]
    fn the_message_names_the_key_and_the_way_out() {
        let refused = refusal(Path::new(r"D:\SYSTEM"), r"\REGISTRY\MACHINE\BROKEN", false);
        assert_eq!(refused.kind.exit_status(), 3);
        assert!(refused.message().ends_with(r"as HKEY_LOCAL_MACHINE\BROKEN"), "{refused}");
        assert!(refused.hint.unwrap().contains(r#"reg unload "HKEY_LOCAL_MACHINE\BROKEN""#));
        assert!(refusal(Path::new("x"), "y", true).hint.unwrap().contains("other media"));
        assert_eq!(shown_key(r"\REGISTRY\USER\S-1-5-20"), r"HKEY_USERS\S-1-5-20");
        assert_eq!(shown_key(r"\REGISTRY\WC\x"), r"\REGISTRY\WC\x");
    }

    #[test]
    fn own_hives_are_told_from_those_that_somebody_loaded() {
        assert!(is_own(r"\REGISTRY\MACHINE\SYSTEM"));
        assert!(is_own(r"\Registry\Machine\Components"));
        assert!(is_own(r"\REGISTRY\USER\S-1-5-20"));
        assert!(!is_own(r"\REGISTRY\MACHINE\BROKEN"));
        assert!(!is_own(r"\REGISTRY\MACHINE\SYSTEM2"));
        assert!(!is_own(r"\REGISTRY\USER\offline"));
    }

    #[test]
    fn hives_of_the_running_windows_are_known_by_their_folder() {
        let root = r"X:\windows";
        assert!(is_in_config(r"\\?\X:\Windows\System32\config\COMPONENTS", root));
        assert!(!is_in_config(r"\\?\X:\Windows\System32\config\RegBack\SYSTEM", root));
        assert!(!is_in_config(r"\\?\C:\Windows\System32\config\SYSTEM", root));
        assert!(!is_in_config(r"\Device\HarddiskVolume3\Windows\System32\config\SYSTEM", root));
    }
}
