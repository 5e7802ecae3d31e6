//! `session-manager`: what the Session Manager is told to do before Windows starts: `BootExecute` and `PendingFileRenameOperations`.
//!
//! `BootExecute` is `autocheck autochk *`, with other switches after a disk check was asked for; programs of others are legal there.
//! `PendingFileRenameOperations` and `…Operations2` are a REG_MULTI_SZ of pairs, done in order: the file, and its new name, or an
//! empty string when it is to be deleted; `!` before the new name replaces what has it, and newer Windows put `*1` and the like before
//! names. Because of the empty strings the list ends where a file would have none, not with the first empty string. Installers put in it what was in use, so what stands there is no fault, and is not
//! told; but if one of the update stack's files is gone once all of it is done, updating stops working with the next start.
//! Source: Microsoft, `MoveFileExW` (MOVEFILE_DELAY_UNTIL_REBOOT) and "BootExecute"; hives of XP, 7 and 10.

use std::collections::HashMap;

use super::{cut, program_paths, shown};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::ProgramPaths;
use crate::findings::{reported, Evidence, Findings, Severity};
use crate::knowledge::Knowledge;
use crate::plan::{HiveName, RegValue, REG_MULTI_SZ};
use crate::volume::{Kind, VolPath};

const ID: &str = "session-manager";
const RENAMES: [&str; 2] = ["PendingFileRenameOperations", "PendingFileRenameOperations2"];
/// The largest installers leave some ten thousand.
const MAX_OPERATIONS: usize = 100_000;
const SOURCE: &str = "Microsoft, MoveFileExW (MOVEFILE_DELAY_UNTIL_REBOOT)";

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(set) = context.installation.control_sets.first() else { return Ok(()) };
    let key = format!("{}\\Control\\Session Manager", set.key);
    programs(context, &key, findings)?;
    let paths = program_paths(context, &set.key)?;
    let mut operations = Vec::new();
    for name in RENAMES {
        let Some(value) = context.value(&key, name)? else { continue };
        let room = MAX_OPERATIONS - operations.len();
        let Some(list) = pairs(&value, room) else {
            findings.could_not(ID, format!("{name} is no list of at most {MAX_OPERATIONS} pairs of names"));
            continue;
        };
        operations.extend(list.into_iter().map(|pair| (name, pair)));
    }
    if operations.is_empty() {
        return Ok(());
    }
    let mut lost = Vec::new();
    for (file, at) in taken_away(context, &paths, &operations)? {
        let (name, (from, to)) = &operations[at];
        let seen = if to.is_empty() { "is deleted".into() } else { format!("becomes {}", shown(to)) };
        let place = format!("{}\\{key}\\{name}, pair {}", HiveName::System, at + 1);
        lost.push((file, Evidence::new(place, format!("{} {seen}", shown(from)), "Windows' own file stays")));
    }
    let Some((first, _)) = lost.first() else { return Ok(()) };
    let first = first.rsplit('\\').next().unwrap_or_default().to_owned();
    let subject = if lost.len() == 1 { first } else { format!("{first} and {} more", lost.len() - 1) };
    findings.push(reported(
        ID,
        Severity::Suspect,
        subject,
        "the next start takes files of the update stack away; taking these pairs out of the list before it keeps them",
        cut(lost.into_iter().map(|(_, evidence)| evidence).collect()),
        SOURCE,
    ));
    Ok(())
}

/// Programs in `BootExecute` that are not Windows' disk check, and a disk check that is not there.
fn programs(context: &Context<'_>, key: &str, findings: &mut Findings) -> Result<()> {
    let Some(value) = context.value(key, "BootExecute")? else { return Ok(()) };
    let lines = value.as_list().or_else(|| value.as_text().map(|t| vec![t])).unwrap_or_default();
    let lines: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    let (checks, others): (Vec<&String>, Vec<&String>) = lines.into_iter().partition(|line| is_disk_check(line));
    let place = format!("{}\\{key}\\BootExecute", HiveName::System);
    let title = match (others.is_empty(), checks.is_empty()) {
        (false, _) => "programs that are not Windows' disk check run before Windows starts",
        (true, true) => "Windows does not check its disks before it starts, even if they need it",
        (true, false) => return Ok(()),
    };
    let told = if others.is_empty() {
        vec![Evidence::new(place, "nothing", "autocheck autochk *")]
    } else {
        others.iter().map(|line| Evidence::new(place.clone(), shown(line), "autocheck autochk *")).collect()
    };
    findings.push(reported(ID, Severity::Note, "BootExecute", title, cut(told), "hives of XP, 7 and 10"));
    Ok(())
}

/// `autocheck autochk …` with whatever switches, or `autocheck autoconv …`, which `convert` leaves.
fn is_disk_check(line: &str) -> bool {
    let mut words = line.split_whitespace().map(|word| word.trim_end_matches(".exe").to_ascii_lowercase());
    let mut program = words.next();
    if program.as_deref() == Some("autocheck") {
        program = words.next();
    }
    matches!(program.as_deref(), Some("autochk" | "autoconv"))
}

/// The pairs of a list; `None` for what is no such list, or one of more than `most`.
fn pairs(value: &RegValue, most: usize) -> Option<Vec<(String, String)>> {
    if value.data_type != REG_MULTI_SZ || !value.data.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<u16> = value.data.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
    let mut strings = units.split(|unit| *unit == 0);
    let mut all = Vec::new();
    while let Some(from) = strings.next() {
        // The list's own end: an empty string where a file would stand.
        if from.is_empty() {
            break;
        }
        if all.len() == most {
            return None;
        }
        let to = strings.next()?;
        all.push((String::from_utf16_lossy(from), String::from_utf16_lossy(to)));
    }
    Some(all)
}

/// The files of the update stack that are there and would be gone after all operations, and the operation that takes each.
fn taken_away(
    context: &Context<'_>,
    paths: &ProgramPaths,
    operations: &[(&str, (String, String))],
) -> Result<Vec<(String, usize)>> {
    let mut stack = HashMap::new();
    for row in Knowledge::builtin().files().stack(context.installation.version.build) {
        for file in &row.files {
            stack.insert(lower(&context.in_windows(file)?), file.clone());
        }
    }
    let mut gone: HashMap<String, usize> = HashMap::new();
    for (at, (_, (from, to))) in operations.iter().enumerate() {
        let Ok(source) = paths.place(bare(from)) else { continue };
        let target = paths.place(bare(to)).ok().filter(|_| !to.is_empty());
        let there = lower(&source);
        let ours = stack.contains_key(&there);
        let restores =
            target.as_ref().map(lower).filter(|target| stack.contains_key(target) && gone.contains_key(target));
        if !ours && restores.is_none() {
            continue;
        }
        // A file that is not there is neither moved nor deleted.
        if gone.contains_key(&there) || context.volume.find(&source)?.is_none_or(|found| found.kind == Kind::Dir) {
            continue;
        }
        if let Some(target) = restores {
            gone.remove(&target);
        }
        if ours {
            gone.insert(there, at);
        }
    }
    let mut lost: Vec<(String, usize)> =
        gone.into_iter().filter_map(|(place, at)| Some((stack.get(&place)?.clone(), at))).collect();
    lost.sort();
    Ok(lost)
}

/// A name without what stands before it: `*1` and the like, and `!`.
fn bare(name: &str) -> &str {
    let rest = name.strip_prefix('*').map_or(name, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.strip_prefix('!').unwrap_or(rest)
}

fn lower(path: &VolPath) -> String {
    path.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> RegValue {
        RegValue { data_type: REG_MULTI_SZ, data: text.encode_utf16().flat_map(u16::to_le_bytes).collect() }
    }

    fn seen(text: &str, most: usize) -> Option<Vec<(String, String)>> {
        pairs(&list(text), most)
    }

    #[test]
    fn pairs_end_with_the_data() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(seen("", 9), Some(vec![]));
        assert_eq!(seen("\0", 9), Some(vec![]));
        assert_eq!(seen("a\0\0b\0!c\0\0", 9), Some(vec![pair("a", ""), pair("b", "!c")]));
        // Without the list's end.
        assert_eq!(seen("a\0\0", 9), Some(vec![pair("a", "")]));
        assert_eq!(seen("a\0b", 9), Some(vec![pair("a", "b")]));
        // A file without its other half, and more than wanted.
        assert_eq!(seen("a", 9), None);
        assert_eq!(seen("a\0\0b\0\0", 1), None);
        let odd = RegValue { data_type: REG_MULTI_SZ, data: vec![0; 3] };
        assert_eq!(pairs(&odd, 9), None);
    }

    #[test]
    fn marks_before_names() {
        assert_eq!(bare("*1\\??\\C:\\a"), "\\??\\C:\\a");
        assert_eq!(bare("*2!\\??\\C:\\a"), "\\??\\C:\\a");
        assert_eq!(bare("!\\??\\C:\\a"), "\\??\\C:\\a");
        assert_eq!(bare("\\??\\C:\\a"), "\\??\\C:\\a");
    }

    #[test]
    fn disk_checks() {
        for line in [
            "autocheck autochk *",
            "AUTOCHECK autochk.exe /p \\??\\C:",
            "autochk *",
            "autocheck autoconv \\??\\D: /fs:ntfs",
        ] {
            assert!(is_disk_check(line), "{line}");
        }
        for line in ["lsdelete", "autocheck lsdelete", "autocheck", "sdnclean64.exe", ""] {
            assert!(!is_disk_check(line), "{line}");
        }
    }
}
