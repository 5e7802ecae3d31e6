//! Faults made with tools that are not ours: `hivexregedit` and `hivexsh` for registry hives, plain files for the rest.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{find, try_find};

/// The key of component-based servicing in SOFTWARE.
pub const CBS: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
/// The services in the control set that the fixtures boot from.
pub const SERVICES: &str = "ControlSet001\\Services";

/// Whether a program is there to be run.
pub fn has(program: &str) -> bool {
    Command::new(program).arg("--help").stdin(Stdio::null()).output().is_ok()
}

/// Whether `hivexregedit` is there; says that the test is left out where it is not.
pub fn has_hivexregedit(test: &str) -> bool {
    let there = has("hivexregedit");
    if !there {
        super::skip(test, "hivexregedit is not installed (Debian's package libwin-hivex-perl)");
    }
    there
}

/// The path of a hive: a name in `config`, or a path from the volume's root.
fn hive_file(root: &Path, hive: &str) -> PathBuf {
    if hive.contains('/') {
        find(root, hive)
    } else {
        find(root, &format!("Windows/System32/config/{hive}"))
    }
}

/// Merges the text of a .reg file, without its first line, into a hive with `hivexregedit`. Sections are paths from the hive's root.
pub fn merge(root: &Path, hive: &str, text: &str) {
    let mut reg = "Windows Registry Editor Version 5.00\n".to_owned();
    for line in text.lines() {
        if let Some(key) = line.strip_prefix("[\\").and_then(|rest| rest.strip_suffix(']')) {
            // The tool makes no parents by itself.
            let ends = key.match_indices('\\').map(|(at, _)| at).chain([key.len()]);
            ends.for_each(|end| reg += &format!("\n[\\{}]\n", &key[..end]));
        } else {
            reg += &format!("{}{line}\n", if line.starts_with('[') { "\n" } else { "" });
        }
    }
    run_with("hivexregedit", &["--merge"], &hive_file(root, hive), &reg);
}

/// Runs the commands of `hivexsh` on a hive, and has it write the hive.
pub fn shell(root: &Path, hive: &str, commands: &str) {
    run_with("hivexsh", &["-w"], &hive_file(root, hive), &format!("{}\ncommit\nquit\n", commands.trim_end()));
}

fn run_with(program: &str, arguments: &[&str], file: &Path, input: &str) {
    let mut command = Command::new(program);
    command.args(arguments).arg(file).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // hivexsh ends with 0 also after a command that failed.
    assert!(output.status.success() && said.trim().is_empty(), "{program} on {}: {said}\n{input}", file.display());
}

/// The text of a .reg file that gives a service these values.
pub fn service_values(name: &str, values: &str) -> String {
    format!("[\\{SERVICES}\\{name}]\n{values}\n")
}

/// The text of a .reg file that makes a service or driver; `ImagePath` is left out where it is `None`.
pub fn service(name: &str, start: u32, ty: u32, image: Option<&str>) -> String {
    let image = image.map_or(String::new(), |i| format!("\n\"ImagePath\"={}", text_value(2, i)));
    service_values(name, &format!("\"Start\"=dword:{start:08x}\n\"Type\"=dword:{ty:08x}{image}"))
}

/// Text as a .reg file has a value of this type (1, 2 or 7 as a list of one).
pub fn text_value(ty: u32, text: &str) -> String {
    let end = if ty == 7 { "\0\0" } else { "\0" };
    hex(ty, &format!("{text}{end}"))
}

/// A list as a .reg file has a `REG_MULTI_SZ`.
pub fn list_value<S: AsRef<str>>(all: &[S]) -> String {
    let joined: String = all.iter().map(|one| format!("{}\0", one.as_ref())).collect();
    hex(7, &format!("{joined}\0"))
}

/// A text's UTF-16 as a .reg file has a value of this type, without an end of its own.
pub fn hex(ty: u32, text: &str) -> String {
    bytes_value(ty, &utf16(text))
}

/// Bytes as a .reg file has a value of this type.
pub fn bytes_value(ty: u32, bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("hex({ty:x}):{}", bytes.join(","))
}

/// UTF-16, little-endian.
pub fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The place of `path` (with slashes) under `root`: what exists of it in its own spelling.
pub fn place(root: &Path, path: &str) -> PathBuf {
    path.split('/').fold(root.to_path_buf(), |dir, part| try_find(&dir, part).unwrap_or_else(|| dir.join(part)))
}

/// Writes a file, with the folders above it.
pub fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = place(root, path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Adds lines to a log, with the folders above it.
pub fn log<S: AsRef<str>>(root: &Path, path: &str, lines: &[S]) {
    let path = place(root, path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    for line in lines {
        write!(file, "{}\r\n", line.as_ref()).unwrap();
    }
}

/// Takes a file or folder away.
pub fn remove(root: &Path, path: &str) {
    let path = find(root, path);
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

/// A policy file that sets these values: below `Software\`, with a number or a text.
pub fn policy_file(values: &[(&str, &str, Result<u32, &str>)]) -> Vec<u8> {
    let mut file = b"PReg\x01\0\0\0".to_vec();
    for (key, name, value) in values {
        let (kind, data) = match value {
            Ok(number) => (4_u32, number.to_le_bytes().to_vec()),
            Err(text) => (1, utf16(&format!("{text}\0"))),
        };
        file.extend(utf16(&format!("[Software\\{key}\0;{name}\0;")));
        file.extend(kind.to_le_bytes());
        file.extend(utf16(";"));
        file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend(utf16(";"));
        file.extend(data);
        file.extend(utf16("]"));
    }
    file
}

/// Makes the checksum of a hive's base block right again.
pub fn checksum(hive: &mut [u8]) {
    let word = |at: usize| u32::from_le_bytes(hive[at * 4..at * 4 + 4].try_into().unwrap());
    let sum = (0..127).fold(0, |sum, at| sum ^ word(at));
    hive[508..512].copy_from_slice(&sum.to_le_bytes());
}

/// A security descriptor, byte by byte: owner and group SYSTEM, and these entries (0 allows, 1 denies; rights; SID). `None`: no DACL.
pub fn descriptor(entries: Option<&[(u8, u32, &[u32])]>) -> Vec<u8> {
    let system = sid(&[18]);
    let mut bytes = vec![1, 0];
    bytes.extend(if entries.is_some() { 0x8004_u16 } else { 0x8000 }.to_le_bytes());
    let group = 20 + system.len();
    let dacl = if entries.is_some() { group + system.len() } else { 0 };
    for offset in [20, group, 0, dacl] {
        bytes.extend(u32::try_from(offset).unwrap().to_le_bytes());
    }
    bytes.extend(system.iter().chain(&system));
    if let Some(entries) = entries {
        let mut list = Vec::new();
        for (kind, rights, subauthorities) in entries {
            let sid = sid(subauthorities);
            list.extend([*kind, 0]);
            list.extend(u16::try_from(8 + sid.len()).unwrap().to_le_bytes());
            list.extend(rights.to_le_bytes());
            list.extend(sid);
        }
        bytes.extend([2, 0]);
        bytes.extend(u16::try_from(8 + list.len()).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(list);
    }
    bytes
}

/// `S-1-5-…`.
fn sid(subauthorities: &[u32]) -> Vec<u8> {
    let mut bytes = vec![1, u8::try_from(subauthorities.len()).unwrap(), 0, 0, 0, 0, 0, 5];
    subauthorities.iter().for_each(|part| bytes.extend(part.to_le_bytes()));
    bytes
}
