//! Paths of this machine as users type them and as the system has them, where Windows has more than one way.
//!
//! No access but what the system needs to resolve a path. Sources: Microsoft's "Naming Files, Paths, and Namespaces" (`D:` is the
//! current folder on D, `\\?\Volume{…}` without the backslash is the device) and "Naming a Volume".

use std::io;
use std::path::{Path, PathBuf};

/// A target as it was meant: on Windows `D:` is `D:\`, and a volume's name gets the backslash that it lacks.
pub fn as_meant(typed: &Path) -> PathBuf {
    if cfg!(windows) {
        if let Some(meant) = typed.to_str().and_then(meant_on_windows) {
            return meant.into();
        }
    }
    typed.to_path_buf()
}

/// [`as_meant`] for the spellings of Windows; `None`: as it was typed.
fn meant_on_windows(typed: &str) -> Option<String> {
    // The shell's `"D:\"` arrives as `D:"`, since a backslash before a quote escapes it; no path has a quote in it.
    let (path, quoted) = match typed.strip_suffix('"') {
        Some(path) => (path, true),
        None => (typed, false),
    };
    let letter = |text: &str| matches!(text.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic());
    if letter(path) {
        return Some(format!(r"{path}\"));
    }
    // Devices and verbatim paths; a slash is no separator in the latter.
    let Some(rest) = path.strip_prefix(r"\\?\").or_else(|| path.strip_prefix(r"\\.\")) else {
        return quoted.then(|| path.to_string());
    };
    let rest = rest.replace('/', r"\");
    if letter(&rest) || letter(rest.trim_end_matches('\\')) {
        return Some(format!(r"{}\", rest.trim_end_matches('\\')));
    }
    let is_volume = rest.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("Volume{"));
    if is_volume {
        let bare = !rest.contains('\\');
        return Some(format!(r"\\?\{rest}{}", if bare { r"\" } else { "" }));
    }
    quoted.then(|| path.to_string())
}

/// The path without links, `.` and `..`, as the system has it.
///
/// # Errors
/// It is not there, or may not be looked at.
#[cfg(not(windows))]
pub fn real(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// The path without links, `.` and `..`, as the system has it: by its letter, or by its volume where that has none.
///
/// # Errors
/// It is not there, or may not be looked at.
#[cfg(windows)]
pub fn real(path: &Path) -> io::Result<PathBuf> {
    use crate::windows::calls::volume_info::Naming;
    match path.canonicalize() {
        Ok(real) => Ok(real.to_str().map_or_else(|| real.clone(), |text| plain(text).into())),
        Err(e) => match crate::windows::calls::volumes::final_path(path, Naming::Volume) {
            Ok(real) => Ok(real.into()),
            Err(_) => Err(e),
        },
    }
}

/// `\\?\D:\…` as people write it, unless it is too long for that.
#[cfg_attr(not(windows), allow(dead_code))]
fn plain(path: &str) -> String {
    const LONGEST: usize = 240;
    match path.strip_prefix(r"\\?\") {
        Some(rest) if rest.len() <= LONGEST && rest.as_bytes().get(1..3) == Some(br":\") => rest.to_string(),
        _ => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_the_root_of_its_volume() {
        let meant = |typed: &str| meant_on_windows(typed);
        assert_eq!(meant("D:").as_deref(), Some(r"D:\"));
        assert_eq!(meant("d:\"").as_deref(), Some(r"d:\"));
        assert_eq!(meant(r"\\.\D:").as_deref(), Some(r"D:\"));
        assert_eq!(meant(r"\\?\D:\").as_deref(), Some(r"D:\"));
        assert_eq!(meant(r"D:\"), None);
        assert_eq!(meant(r"D:\Windows"), None);
        assert_eq!(meant("D:/Windows"), None);
        assert_eq!(meant("D:\\My Files\"").as_deref(), Some(r"D:\My Files"));
        assert_eq!(meant("C"), None);
        assert_eq!(meant("äb:"), None);
    }

    #[test]
    fn a_volume_name_gets_its_backslash() {
        let meant = |typed: &str| meant_on_windows(typed);
        let volume = r"\\?\Volume{01234567-89ab-cdef-0123-456789abcdef}";
        let root = format!(r"{volume}\");
        assert_eq!(meant(volume), Some(root.clone()));
        assert_eq!(meant(&root), Some(root.clone()));
        assert_eq!(meant(&format!("{root}\"")), Some(root.clone()));
        assert_eq!(meant(&volume.replace('?', ".")), Some(root.clone()));
        assert_eq!(meant(&format!("{volume}/Windows")), Some(format!("{root}Windows")));
        assert_eq!(meant(&format!(r"{volume}\Windows")), Some(format!("{root}Windows")));
        assert_eq!(meant(r"\\?\D:\Windows"), None);
        assert_eq!(meant(r"\\.\PhysicalDrive1"), None);
        assert_eq!(meant(r"\\server\share"), None);
    }

    #[test]
    fn people_do_not_read_verbatim_paths() {
        assert_eq!(plain(r"\\?\D:\Windows"), r"D:\Windows");
        assert_eq!(plain(r"\\?\Volume{0}\"), r"\\?\Volume{0}\");
        assert_eq!(plain(r"\\?\UNC\server\share"), r"\\?\UNC\server\share");
    }
}
