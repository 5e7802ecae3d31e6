//! Every clean SYSTEM and SOFTWARE hive of the corpus, in a volume made around it, is healthy: no problem, no suspect, nothing written,
//! and the whole text that `diagnose` shows is the one in `tests/snapshots/real-hives`, which somebody has read and found right.
//!
//! Needs the corpus of real hives at `COLDMEND_CORPUS`; without it, that is said. `COLDMEND_WRITE_SNAPSHOTS=1` writes the files anew: read
//! what changed before it is committed.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "common/real.rs"]
mod real;
#[path = "common/real_volume.rs"]
mod volume;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use real::{clean_hives, RealHive, Windows};
use similar::TextDiff;
use volume::{build, coldmend, spec_for, tree, Answer};

/// What the folder of the volume is called in a snapshot.
const PLACE: &str = "VOLUME";

/// A hive in a volume of one version, as it was diagnosed.
struct Look {
    hive: RealHive,
    answer: Answer,
    /// What a user sees.
    text: String,
}

/// Every clean hive, as every version that it may be of; looked at once. `None` without the corpus.
fn looks() -> Option<&'static [Look]> {
    static LOOKS: OnceLock<Option<Vec<Look>>> = OnceLock::new();
    let all = LOOKS.get_or_init(|| {
        let each_version = |hive: RealHive| {
            let versions: Vec<Windows> = hive.alike.iter().map(|version| Windows::Known(*version)).collect();
            let versions = if versions.is_empty() { vec![hive.windows] } else { versions };
            versions.into_iter().map(move |windows| RealHive { windows, ..hive.clone() })
        };
        Some(clean_hives()?.into_iter().flat_map(each_version).map(look).collect())
    });
    all.as_deref()
}

fn look(hive: RealHive) -> Look {
    let volume = build(&spec_for(&hive));
    let before = tree(volume.path());
    let answer = coldmend(&["diagnose"], volume.path());
    let text = shown(volume.path());
    assert_eq!(tree(volume.path()), before, "{}: diagnose wrote", hive.name);
    Look { hive, answer, text }
}

/// What `coldmend diagnose` says to a user who has no terminal, and its exit status. What a run says of the machine that it runs on goes to stderr, and
/// is left out.
fn shown(root: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_coldmend"))
        .arg("diagnose")
        .arg(root)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(root.to_str().unwrap(), PLACE);
    format!("$ coldmend diagnose {PLACE}\n{text}exit status {}\n", output.status.code().unwrap())
}

#[test]
fn healthy_hives_raise_no_alarm() {
    let mut alarms = Vec::new();
    for Look { hive, answer, .. } in looks().into_iter().flatten() {
        for finding in answer.json["findings"].as_array().into_iter().flatten() {
            if finding["severity"] != "note" {
                alarms.push(format!("{} ({:?} of {:?}): {finding}", hive.name, hive.kind, hive.windows));
            }
        }
        if answer.status != 0 {
            alarms.push(format!("{}: exit status {}\n{}", hive.name, answer.status, answer.said));
        }
        let unchecked = answer.json["could_not_check"].as_array().map_or(&[][..], |list| list);
        match hive.windows {
            Windows::Known(_) => assert!(unchecked.is_empty(), "{}: {unchecked:?}", hive.name),
            // "Could not check" is never "healthy".
            Windows::Other(build) => assert!(
                unchecked.iter().any(|item| item["why"].as_str().unwrap().contains(&build.to_string())),
                "{}: {}",
                hive.name,
                answer.said
            ),
        }
    }
    assert!(alarms.is_empty(), "{} alarms on healthy hives:\n{}", alarms.len(), alarms.join("\n"));
}

/// The file of a snapshot: the hive's place in the corpus, and the Windows that it was looked at as.
fn file_name(hive: &RealHive) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "+-_.".contains(c) { c } else { '-' };
    let name: String = hive.name.trim_start_matches("hives/").chars().map(plain).collect();
    match hive.windows {
        Windows::Known(version) => format!("{name}-as-{version:?}.txt"),
        Windows::Other(build) => format!("{name}-as-build-{build}.txt"),
    }
}

#[test]
fn what_is_shown_is_what_was_reviewed() {
    let Some(looks) = looks() else { return };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/real-hives");
    let mut reviewed: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(&folder).into_iter().flatten().map(Result::unwrap) {
        reviewed.insert(entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap());
    }
    let write = std::env::var_os("COLDMEND_WRITE_SNAPSHOTS").is_some_and(|wanted| wanted == "1");
    fs::create_dir_all(&folder).unwrap();
    let mut wrong = Vec::new();
    for Look { hive, text, .. } in looks {
        let name = file_name(hive);
        let known = reviewed.remove(&name);
        if known.as_ref() == Some(text) {
            continue;
        }
        if write {
            fs::write(folder.join(&name), text).unwrap();
            continue;
        }
        wrong.push(match known {
            None => format!("{name} has no snapshot; what is shown:\n{text}"),
            Some(known) => {
                let diff = TextDiff::from_lines(known.as_str(), text);
                diff.unified_diff().header(&name, "what is shown").to_string()
            }
        });
    }
    for name in reviewed.into_keys() {
        match write {
            true => fs::remove_file(folder.join(&name)).unwrap(),
            false => wrong.push(format!("{name} is of no hive of the corpus")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} snapshots differ; COLDMEND_WRITE_SNAPSHOTS=1 writes them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
