//! The binary as a user runs it, on volumes around real hives, and a picture of a whole tree to compare.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coldmend_fixtures::hive::HiveBuilder;
use coldmend_fixtures::{build_volume, Version, VolumeSpec};
use coldmend_hives::Hive;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::real::{self, Kind, RealHive, Windows, NOW};

/// The tool's answer: exit status and JSON document.
pub struct Answer {
    pub status: i32,
    pub json: Value,
    /// All that was said, for messages.
    pub said: String,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: i32, what: &str) -> Answer {
        assert_eq!(self.status, status, "{what}\n{}", self.said);
        self
    }

    /// The alarms: check and subject.
    pub fn alarms(&self) -> BTreeSet<(String, String)> {
        let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
        let findings = self.json["findings"].as_array().unwrap();
        let alarms = findings.iter().filter(|finding| finding["severity"] != "note");
        alarms.map(|finding| (text(finding, "id"), text(finding, "subject").to_lowercase())).collect()
    }

    pub fn state(&self) -> &str {
        self.json["state"].as_str().unwrap()
    }

    pub fn actions(&self) -> &[Value] {
        self.json["actions"].as_array().unwrap()
    }

    /// The values of a hive that the actions name, in lower case, without the hive's name.
    pub fn values_in(&self, hive: &str) -> BTreeSet<String> {
        let prefix = format!("{hive}\\");
        let set_or_deleted = |kind: &Value| kind == "set-value" || kind == "delete-value";
        let actions = self.actions().iter().filter(|action| set_or_deleted(&action["kind"]));
        actions
            .filter_map(|action| action["where"].as_str().unwrap().strip_prefix(&prefix))
            .map(str::to_lowercase)
            .collect()
    }
}

/// Runs the binary as a user without a terminal.
pub fn coldmend(arguments: &[&str], target: &Path) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_coldmend"))
        .args(["--format", "json"])
        .args(arguments)
        .arg(target)
        .stdin(Stdio::null())
        .env_remove("COLDMEND_CORPUS")
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let said = format!("{arguments:?}: {}\n{out}{}", output.status, String::from_utf8_lossy(&output.stderr));
    let json = serde_json::from_str(&out).unwrap_or_else(|error| panic!("no JSON document ({error}): {said}"));
    Answer { status: output.status.code().unwrap(), json, said }
}

/// A folder for a volume, in memory where the system has such a place.
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let there = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    there.or_else(|_| tempfile::tempdir()).unwrap()
}

/// Everything on a volume: by path, what it is and the hash of what it holds.
pub type Tree = BTreeMap<Vec<u8>, String>;

pub fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            let what = if kind.is_dir() {
                todo.push(path.clone());
                "folder".to_owned()
            } else if kind.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else {
                let hash = Sha256::digest(fs::read(&path).unwrap());
                format!("file {:?} {hash:x?} {:?}", kind.len(), kind.modified().unwrap())
            };
            found.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), what);
        }
    }
    found
}

/// The same without the tool's own folder, and without the hives and logs that a repair writes.
pub fn files_of(root: &Path) -> Tree {
    let mut all = tree(root);
    all.retain(|path, _| {
        let path = String::from_utf8_lossy(path).to_lowercase();
        let is_hive = ["system", "software"].iter().any(|name| {
            path.strip_prefix(&format!("windows/system32/config/{name}"))
                .is_some_and(|rest| ["", ".log", ".log1", ".log2"].contains(&rest))
        });
        path != "coldmend" && !path.starts_with("coldmend/") && !is_hive
    });
    all
}

/// A file under `System32\config`, whatever its case.
pub fn config_file(root: &Path, name: &str) -> PathBuf {
    let mut path = root.to_path_buf();
    for part in ["Windows", "System32", "config", name] {
        let mut entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name());
        let found = entries.find(|entry| entry.to_string_lossy().eq_ignore_ascii_case(part));
        path.push(found.unwrap_or_else(|| panic!("no {part} in {}", path.display())));
    }
    path
}

pub fn hive_on(root: &Path, kind: Kind) -> Vec<u8> {
    let name = if kind == Kind::System { "SYSTEM" } else { "SOFTWARE" };
    fs::read(config_file(root, name)).unwrap()
}

/// A volume around a real hive, with a generated partner of its version.
pub fn spec_for(real: &RealHive) -> VolumeSpec {
    let (version, build) = match real.windows {
        Windows::Known(version) => (version, None),
        // The oldest layout of files; the partner says the build.
        Windows::Other(build) => (Version::Xp, Some(build)),
    };
    let mut spec = VolumeSpec::new(version);
    match real.kind {
        Kind::System => {
            spec.system_hive = Some(real.bytes.clone());
            spec.software_hive = build.map(software_of_build);
        }
        Kind::Software => spec.software_hive = Some(real.bytes.clone()),
    }
    spec
}

/// A SOFTWARE hive of a Windows that the fixtures do not know.
pub fn software_of_build(build: u32) -> Vec<u8> {
    let mut hive = HiveBuilder::new(3, "SOFTWARE").file_name("SOFTWARE");
    hive.key("Microsoft\\Windows NT\\CurrentVersion");
    let mut hive = Hive::open(hive.build()).unwrap();
    let key = "Microsoft\\Windows NT\\CurrentVersion";
    for (name, text) in [("CurrentBuildNumber", build.to_string()), ("SystemRoot", "C:\\WINDOWS".to_owned())] {
        hive.set_value(key, name, 1, &real::string(&text), NOW).unwrap();
    }
    real::committed(hive)
}

pub fn build(spec: &VolumeSpec) -> TempDir {
    let folder = scratch();
    build_volume(folder.path(), spec).unwrap();
    folder
}
