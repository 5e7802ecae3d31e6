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
    spec.extra_files = files_named_by(real);
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

/// Names of XP's drivers that exist in its registry only, as start-up listings of clean machines show them.
const NEVER_THERE: [&str; 13] = [
    "Abiosdsk", "Atdisk", "Changer", "i2omgmt", "lbrtfdc", "PCIDump", "PDCOMP", "PDFRAME", "PDRELI", "PDRFRAME",
    "Simbad", "WDICA", "Winsock",
];

/// The files and folders that a hive names, which its machine had: services' programs, drivers and libraries, packages, driver
/// packages, profiles, the servicing stack. Found with code of its own.
pub fn files_named_by(real: &RealHive) -> Vec<(String, Vec<u8>)> {
    let Ok(hive) = Hive::open(real.bytes.clone()) else { return Vec::new() };
    let mut paths: BTreeSet<String> = BTreeSet::new();
    if real.kind == Kind::System {
        let Some(set) = real::control_set(&hive) else { return Vec::new() };
        for service in hive.find_key(&format!("{set}\\Services")).unwrap().unwrap().subkeys().unwrap() {
            let is_driver = service
                .value("Type")
                .unwrap()
                .is_some_and(|ty| ty.data().unwrap().first().is_some_and(|low| low & 0x30 == 0));
            let image = real::text(&service, "ImagePath").filter(|image| !image.is_empty());
            if NEVER_THERE.iter().any(|name| name.eq_ignore_ascii_case(&service.name())) {
                continue;
            }
            match image {
                Some(image) => paths.extend(on_volume(&image, is_driver)),
                None if is_driver => {
                    paths.insert(format!("Windows\\System32\\drivers\\{}.sys", service.name()));
                }
                None => {}
            }
            let parameters = service.subkey("Parameters").unwrap();
            for key in [Some(service), parameters].into_iter().flatten() {
                paths.extend(real::text(&key, "ServiceDll").and_then(|dll| on_volume(&dll, true)));
            }
        }
        for package in keys(&hive, "DriverDatabase\\DriverPackages") {
            paths.insert(format!("Windows\\System32\\DriverStore\\FileRepository\\{package}\\a.inf"));
        }
        for inf in keys(&hive, "DriverDatabase\\DriverInfFiles") {
            paths.insert(format!("Windows\\INF\\{inf}"));
        }
    } else {
        let cbs = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
        for package in keys(&hive, &format!("{cbs}\\Packages")) {
            paths.insert(format!("Windows\\servicing\\Packages\\{package}.mum"));
            paths.insert(format!("Windows\\servicing\\Packages\\{package}.cat"));
        }
        if let Some(versions) = hive.find_key(&format!("{cbs}\\Version")).unwrap() {
            for value in versions.values().unwrap() {
                paths.insert(format!("Windows\\servicing\\Version\\{}\\a", value.name()));
                let folder = real::text(&versions, &value.name()).and_then(|text| on_volume(&text, true));
                paths.extend(folder.map(|folder| format!("{folder}\\CbsCore.dll")));
            }
        }
        let profiles = "Microsoft\\Windows NT\\CurrentVersion\\ProfileList";
        for sid in keys(&hive, profiles) {
            let key = hive.find_key(&format!("{profiles}\\{sid}")).unwrap().unwrap();
            let folder = real::text(&key, "ProfileImagePath").and_then(|text| on_volume(&text, true));
            paths.extend(folder.map(|folder| format!("{folder}\\desktop.ini")));
        }
    }
    // One that is a folder of another's is no file.
    let is_folder = |path: &String| {
        paths.iter().any(|other| other.to_lowercase().starts_with(&format!("{}\\", path.to_lowercase())))
    };
    let mut program = b"MZ".to_vec();
    program.resize(0x3c, 0);
    program.extend(b"\x40\0\0\0PE\0\0\x64\x86");
    paths.iter().filter(|path| !is_folder(path)).map(|path| (path.clone(), program.clone())).collect()
}

fn keys(hive: &Hive, key: &str) -> Vec<String> {
    let found = hive.find_key(key).unwrap();
    found.map_or(Vec::new(), |key| key.subkeys().unwrap().iter().map(|key| key.name()).collect())
}

/// Where a path of the registry lies on the volume, as far as real hives spell it; a command line up to its program.
fn on_volume(text: &str, whole: bool) -> Option<String> {
    let mut text = text.trim().to_owned();
    if let Some(quoted) = text.strip_prefix('"') {
        text = quoted.split('"').next()?.to_owned();
    } else if !whole {
        let end = text.to_lowercase().find(".exe").map(|at| at + 4).or(text.find(' ')).unwrap_or(text.len());
        text.truncate(end);
        if !text.rsplit('\\').next()?.contains('.') {
            text.push_str(".exe");
        }
    }
    while text.get(1..).is_some_and(|rest| rest.contains("\\\\")) {
        text = format!("{}{}", &text[..1], text[1..].replace("\\\\", "\\"));
    }
    let text = text.strip_prefix("\\??\\").unwrap_or(&text);
    let lower = text.to_lowercase();
    for (prefix, folder) in [
        ("\\systemroot\\", "Windows\\"),
        ("%systemroot%\\", "Windows\\"),
        ("%windir%\\", "Windows\\"),
        ("c:\\windows\\", "Windows\\"),
        ("c:\\winnt\\", "Windows\\"),
        ("%programfiles%\\", "Program Files\\"),
        ("%systemdrive%\\", ""),
        ("c:\\", ""),
    ] {
        if lower.starts_with(prefix) {
            return Some(format!("{folder}{}", &text[prefix.len()..]));
        }
    }
    match text {
        _ if text.contains(['%', ':']) || text.starts_with('\\') || text.is_empty() => None,
        _ if text.contains('\\') => Some(format!("Windows\\{text}")),
        _ => Some(format!("Windows\\System32\\{text}")),
    }
}
