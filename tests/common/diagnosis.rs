//! What is new in the diagnosis of a healthy volume after something was broken on it, with tools that are not ours.
//!
//! Needs `hivexregedit` (libwin-hivex-perl) for faults in hives.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use coldmend_fixtures::Version;
use serde_json::Value;

use super::{broken, coldmend, copied, find, skip};

/// Severity, check and subject, in one line.
pub type Said = BTreeSet<String>;

/// Whether hives can be changed here; says so if not.
pub fn has_hivex(test: &str) -> bool {
    let there = Command::new("hivexregedit").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        skip(test, "hivexregedit is not installed");
    }
    there
}

/// Merges the text of a .reg file, without its first line, into a hive of `System32\config`. Sections are paths from the hive's root.
pub fn merge(root: &Path, hive: &str, reg: &str) {
    merge_into(&find(root, &format!("Windows/System32/config/{hive}")), reg);
}

/// The same for a hive file anywhere.
pub fn merge_into(hive: &Path, reg: &str) {
    // The tool wants every key's parent to be there.
    let mut text = "Windows Registry Editor Version 5.00\n".to_owned();
    for line in reg.lines() {
        if let Some(key) = line.strip_prefix("[\\").and_then(|rest| rest.strip_suffix(']')) {
            let ends = key.match_indices('\\').map(|(at, _)| at).chain([key.len()]);
            ends.for_each(|end| text += &format!("\n[\\{}]\n", &key[..end]));
        } else {
            text += &format!("{}{line}\n", if line.starts_with('[') { "\n" } else { "" });
        }
    }
    let mut child = Command::new("hivexregedit").arg("--merge").arg(hive).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
}

/// The JSON document of a diagnosis.
pub fn diagnose(root: &Path) -> Value {
    let run = coldmend("diagnose --format json", root);
    assert!(matches!(run.status, Some(0 | 1)), "{run:?}");
    run.json()
}

/// Its findings.
pub fn said(diagnosis: &Value) -> Said {
    let line = |f: &Value| ["severity", "id", "subject"].map(|name| f[name].as_str().unwrap()).join(" ");
    diagnosis["findings"].as_array().unwrap().iter().map(line).collect()
}

/// Each of these versions, broken like this, gives exactly these new findings ("severity id subject"), and the diagnosis has these words.
#[track_caller]
pub fn expect(versions: &[Version], breaks: &dyn Fn(&Path), wanted: &[&str], words: &str) {
    static HEALTHY: Mutex<BTreeMap<String, (tempfile::TempDir, Said)>> = Mutex::new(BTreeMap::new());
    for version in versions {
        let mut healthy = HEALTHY.lock().unwrap();
        let (volume, before) = healthy.entry(format!("{version:?}")).or_insert_with(|| {
            let volume = broken(*version, &[]);
            let before = said(&diagnose(volume.path()));
            (volume, before)
        });
        let (broken, before) = (copied(volume.path()), before.clone());
        drop(healthy);
        breaks(broken.path());
        let diagnosis = diagnose(broken.path());
        let after = said(&diagnosis);
        let shown = serde_json::to_string_pretty(&diagnosis["findings"]).unwrap();
        let lost: Vec<_> = before.difference(&after).collect();
        assert!(lost.is_empty(), "{version:?}: {lost:?} is gone\n{shown}");
        let new: BTreeSet<&str> = after.difference(&before).map(String::as_str).collect();
        assert_eq!(new, wanted.iter().copied().collect(), "{version:?}\n{shown}");
        assert!(shown.replace("\\\\", "\\").contains(words), "{version:?}: no {words:?}\n{shown}");
        let unchecked = diagnosis["could_not_check"].as_array().unwrap();
        assert!(unchecked.is_empty(), "{version:?}: {unchecked:?}");
    }
}
