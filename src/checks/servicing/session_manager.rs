//! `session-manager`: what the Session Manager is told to do before Windows starts: `BootExecute` and `PendingFileRenameOperations`.
//!
//! `BootExecute` is `autocheck autochk *`, with other switches after a disk check was asked for; programs of others are legal there.
//! `PendingFileRenameOperations` and `…Operations2` are a REG_MULTI_SZ of pairs, done in order: the file, and its new name, or an
//! empty string when it is to be deleted; `!` before the new name replaces what has it, and newer Windows put `*1` and the like before
//! names. Because of the empty strings the list ends where a file would have none, not with the first empty string. Installers put in it
//! what was in use, so what stands there is no fault, and is not told; but if one of the update stack's files is gone once all of it is
//! done, updating stops working with the next start.
//! Source: Microsoft, `MoveFileExW` (MOVEFILE_DELAY_UNTIL_REBOOT) and "BootExecute"; hives of XP, 7 and 10.

use std::collections::BTreeSet;

use super::{cut, program_paths, shown};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::ProgramPaths;
use crate::findings::{reported, Defect, Evidence, Finding, Findings, Severity};
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
    let mut lists = Vec::new();
    let mut room = MAX_OPERATIONS;
    for name in RENAMES {
        let Some(value) = context.value(&key, name)? else { continue };
        let Some(list) = pairs(&value, room) else {
            findings.could_not(ID, format!("{name} is no list of at most {MAX_OPERATIONS} pairs of names"));
            continue;
        };
        room -= list.len();
        lists.push((name, value, list));
    }
    let all: Vec<&Pair> = lists.iter().flat_map(|(_, _, list)| list).collect();
    let lost = taken_away(context, &paths, &all)?;
    if lost.is_empty() {
        return Ok(());
    }
    for (name, value, list) in &lists {
        report(&paths, (&key, name), value, list, &lost, findings);
    }
    Ok(())
}

/// Tells what one list takes away, and what it would be without that.
fn report(
    paths: &ProgramPaths,
    (key, name): (&str, &str),
    found: &RegValue,
    list: &[Pair],
    lost: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let mut kept = Vec::new();
    let mut evidence = Vec::new();
    let mut files = BTreeSet::new();
    for (at, pair) in list.iter().enumerate() {
        let from = pair.from();
        let place = paths.place(bare(&from)).ok().map(|place| lower(&place));
        let Some(place) = place.filter(|place| lost.contains(place)) else {
            kept.push(pair);
            continue;
        };
        let to = pair.to();
        let seen = if to.is_empty() { "is deleted".into() } else { format!("becomes {}", shown(&to)) };
        let at = format!("{}\\{key}\\{name}, pair {}", HiveName::System, at + 1);
        evidence.push(Evidence::new(at, format!("{} {seen}", shown(&from)), "Windows' own file stays"));
        files.insert(place);
    }
    let Some(first) = files.first() else { return };
    let first = first.rsplit('\\').next().unwrap_or_default().to_owned();
    let subject = if files.len() == 1 { first } else { format!("{first} and {} more", files.len() - 1) };
    let defect = Defect::Value {
        hive: HiveName::System,
        key: key.to_owned(),
        name: name.to_owned(),
        found: Some(found.clone()),
        expected: (!kept.is_empty()).then(|| list_of(&kept)),
    };
    let title = "the next start takes files of the update stack away";
    findings.push(Finding {
        remedy: Some("pending-renames"),
        defect: Some(defect),
        ..reported(ID, Severity::Suspect, subject, title, cut(evidence), SOURCE)
    });
}

/// Programs in `BootExecute` that are not Windows' disk check, and a disk check that is not there.
fn programs(context: &Context<'_>, key: &str, findings: &mut Findings) -> Result<()> {
    let Some(value) = context.value(key, "BootExecute")? else { return Ok(()) };
    let lines = value.as_list().unwrap_or_default();
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

/// A file and what becomes of it, as UTF-16 without their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair(Vec<u16>, Vec<u16>);

impl Pair {
    fn from(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    /// Empty: it is deleted.
    fn to(&self) -> String {
        String::from_utf16_lossy(&self.1)
    }
}

/// The pairs of a list; `None` for what is no such list, or one of more than `most`.
fn pairs(value: &RegValue, most: usize) -> Option<Vec<Pair>> {
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
        all.push(Pair(from.to_vec(), strings.next()?.to_vec()));
    }
    Some(all)
}

/// The list of these pairs, with its end.
fn list_of(pairs: &[&Pair]) -> RegValue {
    let strings = pairs.iter().flat_map(|Pair(from, to)| [from, to]);
    let units = strings.flat_map(|units| units.iter().copied().chain([0])).chain([0]);
    RegValue { data_type: REG_MULTI_SZ, data: units.flat_map(u16::to_le_bytes).collect() }
}

/// The places of the update stack's files, in lower case, that are there and would be gone after all operations.
fn taken_away(context: &Context<'_>, paths: &ProgramPaths, operations: &[&Pair]) -> Result<BTreeSet<String>> {
    let mut stack = BTreeSet::new();
    for row in Knowledge::builtin().files().stack(context.installation.version.build) {
        for file in &row.files {
            stack.insert(lower(&context.in_windows(file)?));
        }
    }
    let mut gone = BTreeSet::new();
    for pair in operations {
        let (from, to) = (pair.from(), pair.to());
        let Ok(source) = paths.place(bare(&from)) else { continue };
        let there = lower(&source);
        let ours = stack.contains(&there);
        let target = if to.is_empty() { None } else { paths.place(bare(&to)).ok() };
        let restores = target.as_ref().map(lower).filter(|target| gone.contains(target));
        if !ours && restores.is_none() {
            continue;
        }
        // A file that is not there is neither moved nor deleted.
        if gone.contains(&there) || context.volume.find(&source)?.is_none_or(|found| found.kind == Kind::Dir) {
            continue;
        }
        if let Some(target) = restores {
            gone.remove(&target);
        }
        if ours {
            gone.insert(there);
        }
    }
    Ok(gone)
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn list(text: &str) -> RegValue {
        RegValue { data_type: REG_MULTI_SZ, data: text.encode_utf16().flat_map(u16::to_le_bytes).collect() }
    }

    fn seen(text: &str, most: usize) -> Option<Vec<(String, String)>> {
        Some(pairs(&list(text), most)?.iter().map(|pair| (pair.from(), pair.to())).collect())
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
    fn a_list_is_written_as_it_was() {
        for text in ["a\0\0b\0!c\0\0", "\u{d55c}\0b\0\0"] {
            let all = pairs(&list(text), 9).unwrap();
            assert_eq!(list_of(&all.iter().collect::<Vec<_>>()), list(text));
        }
        // A name that is no Unicode stays what it is.
        let odd = RegValue { data_type: REG_MULTI_SZ, data: vec![0, 0xd8, 0, 0, 0x61, 0, 0, 0, 0, 0] };
        let all = pairs(&odd, 9).unwrap();
        assert_eq!(list_of(&all.iter().collect::<Vec<_>>()), odd);
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
