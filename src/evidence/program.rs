//! Programs, drivers and libraries: which file a path of the registry means, and whether that file is one that Windows can load.
//!
//! What it does: [`ProgramPaths`] turns an `ImagePath` or `ServiceDll` into the places on the volume where Windows would look, in
//! its order; [`look`] says what stands at such a place. What it relies on: the volume, which follows no link. Source: the
//! documentation of `CreateProcess` (an unquoted path is tried up to each blank) and of `ZwLoadDriver` (`\SystemRoot\`, `\??\C:\`,
//! or relative to the Windows folder); spellings measured in hives of XP, 7 and 10; the PE format (`MZ`, `e_lfanew` at 0x3C, `PE`).

use crate::volume::{Kind, VolPath, Volume, VolumeError};

/// As many blanks as are tried in an unquoted path, and as many folders of `Path`.
const MAX_TRIES: usize = 32;
/// A header that lies further back than this is not believed.
const MAX_HEADER: u32 = 1 << 20;
/// The first build with files that Windows compresses behind a reparse point (8.1).
const FIRST_WOF: u32 = 9600;

/// The variables that paths in the registry use, and what they stand for on this installation.
#[derive(Debug, Clone)]
pub struct ProgramPaths {
    /// The Windows folder on the volume.
    windows: VolPath,
    /// `SystemRoot` as the installation writes it, such as `C:\Windows`; without it, nothing with a drive letter is looked up.
    system_root: Option<String>,
    /// Names in lower case.
    variables: Vec<(String, String)>,
    /// The machine's `Path`.
    path: Vec<String>,
}

/// What a text in the registry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// These places on this volume, the likeliest first.
    Here(Vec<VolPath>),
    /// Something that can't be looked up here, and why.
    Elsewhere(String),
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Nothing, or no file.
    Absent,
    /// A file that is what it should be, as far as was looked.
    Good,
    /// Something that can't be looked into from here (a reparse point, content that the driver does not show).
    Opaque,
    /// A file of no bytes.
    Empty,
    /// A file that is no program.
    NoProgram,
}

impl ProgramPaths {
    /// For an installation whose Windows folder is `windows` and calls itself `system_root`.
    pub fn new(windows: &VolPath, system_root: Option<&str>) -> Self {
        let system_root =
            system_root.map(|r| r.trim().trim_end_matches('\\').to_owned()).filter(|r| drive(r).is_some());
        let mut paths = ProgramPaths { windows: windows.clone(), system_root, variables: Vec::new(), path: Vec::new() };
        let root = paths.system_root.clone().unwrap_or_else(|| "\\SystemRoot".into());
        let letter = drive(&root).map(|d| format!("{d}:"));
        for name in ["systemroot", "windir"] {
            paths.set(name, &root);
        }
        if let Some(letter) = letter {
            paths.set("systemdrive", &letter);
            for (name, folder) in [
                ("programfiles", "Program Files"),
                ("programw6432", "Program Files"),
                ("programfiles(x86)", "Program Files (x86)"),
                ("commonprogramfiles", "Program Files\\Common Files"),
                ("commonprogramfiles(x86)", "Program Files (x86)\\Common Files"),
                ("programdata", "ProgramData"),
                ("allusersprofile", "ProgramData"),
            ] {
                paths.set(name, &format!("{letter}\\{folder}"));
            }
        }
        paths
    }

    /// Sets a variable, as the installation has it.
    pub fn set(&mut self, name: &str, value: &str) {
        let name = name.to_lowercase();
        let value = value.trim().trim_end_matches('\\');
        // One that names itself, or nothing, is no better than the default.
        if value.is_empty() || value.to_lowercase().contains(&format!("%{name}%")) {
            return;
        }
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
    }

    /// Sets the machine's `Path`, which bare names are looked up in.
    pub fn set_path(&mut self, path: &str) {
        self.path = path.split(';').map(|p| p.trim().trim_matches('"').to_owned()).take(MAX_TRIES).collect();
    }

    /// The file of a driver: the whole text is its path; without one it is `System32\drivers\NAME.sys`.
    pub fn driver(&self, name: &str, image_path: Option<&str>) -> Named {
        let text = image_path.map(str::trim).filter(|t| !t.is_empty());
        let place = match text {
            Some(text) => self.place(text),
            None => self.windows.join("System32\\drivers").and_then(|d| d.child(format!("{name}.sys"))).map_err(bad),
        };
        match place {
            Ok(place) => Named::Here(vec![place]),
            Err(why) => Named::Elsewhere(why),
        }
    }

    /// A library.
    pub fn library(&self, text: &str) -> Named {
        self.any(&[text.trim().trim_matches('"').to_owned()])
    }

    /// The program of a command line.
    pub fn command(&self, text: &str) -> Named {
        let text = text.trim();
        let mut programs: Vec<String> = Vec::new();
        if let Some(quoted) = text.strip_prefix('"') {
            programs.push(quoted.split_once('"').map_or(quoted, |(program, _)| program).to_owned());
        } else {
            // Up to the name's end if it has that ending, then up to each blank.
            let lower = text.to_ascii_lowercase();
            let ends = lower.match_indices(".exe").map(|(at, ending)| at + ending.len());
            let whole = ends.filter(|end| text.get(*end..).is_some_and(|r| r.is_empty() || r.starts_with([' ', '\t'])));
            programs.extend(whole.filter_map(|end| text.get(..end)).map(ToOwned::to_owned).take(MAX_TRIES));
            let blanks = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
            programs.extend(
                blanks.chain([text.len()]).filter_map(|end| text.get(..end)).map(ToOwned::to_owned).take(MAX_TRIES),
            );
        }
        programs.retain(|p| !p.trim().is_empty());
        let bare: Vec<String> =
            programs.iter().filter(|p| !file_name(p).contains('.')).map(|p| format!("{p}.exe")).collect();
        programs.extend(bare);
        self.any(&programs)
    }

    /// The places of several spellings, not too many; those that are none are left out, unless all are.
    fn any(&self, texts: &[String]) -> Named {
        let (mut places, mut why): (Vec<VolPath>, _) = (Vec::new(), None);
        for text in texts {
            let spelled: Vec<String> = if text.contains(['\\', '/', ':']) {
                vec![text.clone()]
            } else {
                let folders = ["%SystemRoot%\\System32", "%SystemRoot%\\System", "%SystemRoot%"];
                let all = folders.into_iter().chain(self.path.iter().map(String::as_str).filter(|p| !p.is_empty()));
                all.map(|folder| format!("{folder}\\{text}")).collect()
            };
            for text in spelled {
                if places.len() >= 2 * MAX_TRIES {
                    break;
                }
                match self.place(&text) {
                    Ok(place) if places.contains(&place) => {}
                    Ok(place) => places.push(place),
                    Err(reason) => {
                        why.get_or_insert(reason);
                    }
                }
            }
        }
        if places.is_empty() {
            Named::Elsewhere(why.unwrap_or_else(|| "it names no file".into()))
        } else {
            Named::Here(places)
        }
    }

    /// The place of a folder or file that the registry names, with variables.
    ///
    /// # Errors
    /// Why it can't be looked up on this volume.
    pub fn place(&self, text: &str) -> Result<VolPath, String> {
        let text = self.expand(text)?.replace('/', "\\");
        let text = text.trim().trim_matches('"');
        let text = ["\\??\\", "\\\\?\\", "\\\\.\\"].iter().find_map(|p| text.strip_prefix(p)).unwrap_or(text);
        let inside = |rest: &str| self.windows.join(rest).map_err(bad);
        if let Some(rest) = strip_folder(text, "\\SystemRoot") {
            return inside(rest);
        }
        let Some(letter) = drive(text) else {
            return match text.chars().next() {
                None => Err("it names no file".into()),
                Some('\\') => Err("it is a device or network path".into()),
                Some(_) => inside(text),
            };
        };
        let Some(root) = &self.system_root else { return Err("SystemRoot is not known".into()) };
        if let Some(rest) = strip_folder(text, root) {
            return inside(rest);
        }
        if drive(root).is_none_or(|own| !own.eq_ignore_ascii_case(&letter)) {
            return Err(format!("it is on drive {letter}:"));
        }
        VolPath::parse(text.get(2..).unwrap_or_default().trim_start_matches('\\')).map_err(bad)
    }

    fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = text.to_owned();
        // A value may itself hold variables; a cycle ends.
        for _ in 0..4 {
            let Some((before, rest)) = out.split_once('%') else { return Ok(out) };
            let Some((name, after)) = rest.split_once('%') else { return Ok(out) };
            let lower = name.to_lowercase();
            let Some((_, value)) = self.variables.iter().find(|(known, _)| *known == lower) else {
                return Err(format!("the variable %{name}% is not known"));
            };
            out = format!("{before}{value}{after}");
        }
        if out.contains('%') {
            return Err("its variables are not understood".into());
        }
        Ok(out)
    }
}

fn bad(error: crate::volume::BadPath) -> String {
    error.to_string()
}

fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// The letter of `C:\…` or `C:`.
fn drive(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    (chars.next() == Some(':') && chars.next().is_none_or(|c| c == '\\')).then_some(letter)
}

/// What follows a folder's name and a separator.
fn strip_folder<'t>(text: &'t str, folder: &str) -> Option<&'t str> {
    let rest = text.get(folder.len()..)?;
    text.get(..folder.len())?.eq_ignore_ascii_case(folder).then_some(())?;
    rest.strip_prefix('\\')
}

/// Whether a component looks like a short name (`PROGRA~1`), which a volume is not asked for.
pub fn has_short_name(path: &VolPath) -> bool {
    path.components().any(|name| {
        let name = name.to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        stem.split_once('~')
            .is_some_and(|(_, n)| stem.len() <= 8 && !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// What stands at a place; with `header` a file is also opened and its header read. What can't be read is opaque.
pub fn look(volume: &dyn Volume, place: &VolPath, build: u32, header: bool) -> Program {
    let found = match volume.find(place) {
        Ok(Some(found)) => found,
        Ok(None) if has_short_name(place) => return Program::Opaque,
        Ok(None) => return Program::Absent,
        Err(_) => return Program::Opaque,
    };
    match found.kind {
        Kind::Dir => Program::Absent,
        // What Windows compressed looks like a link to other systems.
        Kind::Link | Kind::Other => Program::Opaque,
        Kind::File if found.len == 0 => Program::Empty,
        Kind::File if !header => Program::Good,
        Kind::File => header_of(volume, &found.path, build).unwrap_or(Program::Opaque),
    }
}

fn header_of(volume: &dyn Volume, path: &VolPath, build: u32) -> Result<Program, VolumeError> {
    let head = volume.read_head(path, 0x40)?;
    // A driver that can't decompress shows zeros.
    if build >= FIRST_WOF && head.iter().all(|b| *b == 0) {
        return Ok(Program::Opaque);
    }
    let offset = match head.get(0x3c..0x40) {
        Some([a, b, c, d]) if head.starts_with(b"MZ") => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => return Ok(Program::NoProgram),
    };
    let mut signature = [0; 4];
    let is_pe = offset <= MAX_HEADER
        && volume.read_at(path, u64::from(offset), &mut signature)? == 4
        && signature == *b"PE\0\0";
    Ok(if is_pe { Program::Good } else { Program::NoProgram })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn paths() -> ProgramPaths {
        let mut paths = ProgramPaths::new(&VolPath::literal("WINNT"), Some("D:\\Windows"));
        paths.set_path("%SystemRoot%;D:\\Tools;E:\\More");
        paths
    }

    fn here(named: Named) -> Vec<String> {
        match named {
            Named::Here(places) => places.iter().map(VolPath::display_escaped).collect(),
            Named::Elsewhere(why) => panic!("{why}"),
        }
    }

    #[test]
    fn spellings_of_one_driver() {
        for text in [
            r"\SystemRoot\System32\drivers\a b.sys",
            r"system32\drivers\a b.sys",
            r"\??\D:\Windows\system32/drivers\a b.sys",
            r"%SystemRoot%\system32\drivers\a b.sys",
            r"D:\WINDOWS\system32\drivers\a b.sys",
        ] {
            let found = here(paths().driver("x", Some(text)));
            assert!(found.len() == 1 && found[0].eq_ignore_ascii_case(r"WINNT\system32\drivers\a b.sys"), "{found:?}");
        }
        for none in [None, Some(""), Some("  ")] {
            assert_eq!(here(paths().driver("Beep", none)), [r"WINNT\System32\drivers\Beep.sys"]);
        }
        assert_eq!(
            here(paths().driver("x", Some(r"\??\D:\Documents and Settings\u\x.sys"))),
            [r"Documents and Settings\u\x.sys"]
        );
    }

    #[test]
    fn what_is_not_here_is_not_looked_up() {
        let unknown = ProgramPaths::new(&VolPath::literal("Windows"), None);
        for (paths, text) in [
            (&paths(), r"E:\x.sys"),
            (&paths(), r"\Device\HarddiskVolume2\x.sys"),
            (&paths(), r"\\server\share\x.sys"),
            (&paths(), r"\??\Volume{0}\x.sys:"),
            (&paths(), r"%Nonsense%\x.sys"),
            (&paths(), r"..\x.sys"),
            (&paths(), r"system32\x.sys:stream"),
            (&unknown, r"C:\x.sys"),
        ] {
            assert!(matches!(paths.driver("x", Some(text)), Named::Elsewhere(_)), "{text}");
        }
        assert_eq!(here(unknown.driver("x", Some(r"%SystemRoot%\x.sys"))), [r"Windows\x.sys"]);
        assert!(matches!(paths().command(""), Named::Elsewhere(_)));
    }

    #[test]
    fn programs_with_and_without_quotes() {
        assert_eq!(here(paths().command(r#""D:\Program Files\A\b.exe" -k "x y""#)), [r"Program Files\A\b.exe"]);
        let unquoted = here(paths().command(r"D:\Program Files\A\b.exe -k x"));
        assert_eq!(unquoted[0], r"Program Files\A\b.exe");
        assert!(unquoted.contains(&r"Program.exe".into()), "{unquoted:?}");
        assert_eq!(here(paths().command(r"%SystemRoot%\system32\svchost -k rpcss"))[0], r"WINNT\system32\svchost");
        assert!(here(paths().command(r"%SystemRoot%\system32\svchost -k rpcss"))
            .contains(&r"WINNT\system32\svchost.exe".into()));
        let bare = here(paths().command("f-response-ent.exe"));
        assert_eq!(bare[0], r"WINNT\System32\f-response-ent.exe");
        assert!(bare.contains(&r"Tools\f-response-ent.exe".into()), "{bare:?}");
        let _ = paths().command(&"a ".repeat(100_000));
    }

    #[test]
    fn variables_are_expanded_and_cycles_end() {
        let mut paths = paths();
        paths.set("x", "%y%");
        paths.set("y", "%x%");
        paths.set("own", "%own%\\a");
        assert!(paths.place(r"%x%\a").is_err());
        assert!(paths.place(r"%own%\a").is_err());
        paths.set("ProgramFiles", r"%SystemDrive%\Programme");
        assert_eq!(paths.place(r"%programfiles%\a.exe").unwrap().display_escaped(), r"Programme\a.exe");
        assert_eq!(paths.place("100%").unwrap().display_escaped(), r"WINNT\100%");
    }

    #[test]
    fn short_names_are_seen() {
        for (path, short) in
            [("PROGRA~1/a.exe", true), ("A~/b", false), ("Backup~1old name/x", false), ("a/B~12.EXE", true)]
        {
            assert_eq!(has_short_name(&VolPath::parse(path).unwrap()), short, "{path}");
        }
    }
}
