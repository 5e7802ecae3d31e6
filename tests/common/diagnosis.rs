//! What is new in the diagnosis of a healthy volume after something was broken on it, with tools that are not ours.
//!
//! Faults in hives are made by `inject`.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use coldmend_fixtures::Version;
use serde_json::Value;

use super::{broken, coldmend, copied};

/// Severity, check and subject, in one line.
pub type Said = BTreeSet<String>;

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
