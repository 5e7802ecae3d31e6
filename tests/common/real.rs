//! Real SYSTEM and SOFTWARE hives out of the corpus, told by what they hold, and the Windows version that a partner is made for.
//!
//! The corpus is any folder (`COLDMEND_CORPUS`); nothing here knows its files by name.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use coldmend_fixtures::{system_hive, Version, VolumeSpec};
use coldmend_hives::{Commit, FileTime, Hive, HiveError, KeyRef, LogFiles, LogRegime, LogStorages, MemoryStorage};
use sha2::{Digest, Sha256};

/// When the tests' edits are made, late in 2025: later than any real hive of the corpus.
pub const NOW: FileTime = FileTime(134_000_000_000_000_000);

/// Which of the two hives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    System,
    Software,
}

/// Which Windows a hive belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// A version of the tables, or the one next to it.
    Known(Version),
    /// A build that the tables do not have.
    Other(u32),
}

/// A hive of the corpus.
#[derive(Clone)]
pub struct RealHive {
    pub name: String,
    pub kind: Kind,
    pub windows: Windows,
    /// The versions that it may as well be: a SYSTEM hive does not say its build.
    pub alike: Vec<Version>,
    pub bytes: Vec<u8>,
    pub logs: LogFiles,
    /// Whether it was closed cleanly.
    pub clean: bool,
}

/// The corpus, or `None` after saying that there is none.
pub fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("COLDMEND_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: COLDMEND_CORPUS is not set, so no real hive is looked at");
    }
    folder
}

/// Every SYSTEM and SOFTWARE hive of the corpus, each once, whatever its file is called. The corpus is looked through once.
pub fn hives(corpus: &Path) -> Vec<RealHive> {
    static FOUND: OnceLock<Vec<RealHive>> = OnceLock::new();
    FOUND.get_or_init(|| find_hives(corpus)).clone()
}

/// The hives of the corpus that were closed cleanly, after saying which they are.
pub fn clean_hives() -> Option<Vec<RealHive>> {
    let corpus = corpus()?;
    let mut hives = self::hives(&corpus);
    for hive in hives.iter().filter(|hive| !hive.clean) {
        eprintln!("{}: {:?} of {:?} is dirty; its own test looks at it", hive.name, hive.kind, hive.windows);
    }
    hives.retain(|hive| hive.clean);
    for hive in &hives {
        eprintln!("{}: {:?} of {:?}, {} bytes", hive.name, hive.kind, hive.windows, hive.bytes.len());
    }
    assert!(!hives.is_empty(), "COLDMEND_CORPUS holds no SYSTEM and no SOFTWARE hive");
    Some(hives)
}

fn find_hives(corpus: &Path) -> Vec<RealHive> {
    let mut files = Vec::new();
    let mut folders = vec![corpus.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    let mut hives = BTreeMap::new();
    for file in files {
        if let Some(hive) = look(corpus, &file) {
            hives.entry(Sha256::digest(&hive.bytes).to_vec()).or_insert(hive);
        }
    }
    let mut hives: Vec<RealHive> = hives.into_values().collect();
    hives.sort_by(|a, b| a.name.cmp(&b.name));
    hives
}

fn look(corpus: &Path, file: &Path) -> Option<RealHive> {
    use std::io::Read;
    let mut start = [0; 4];
    fs::File::open(file).unwrap().read_exact(&mut start).ok()?;
    if &start != b"regf" {
        return None;
    }
    let name = file.strip_prefix(corpus).unwrap().display().to_string();
    let bytes = fs::read(file).unwrap();
    let logs = logs_of(file);
    let (clean, hive) = match Hive::open(bytes.clone()) {
        Ok(hive) => (true, hive),
        Err(HiveError::Dirty { .. }) => match Hive::recover(bytes.clone(), &logs) {
            Ok(recovered) => (false, recovered.hive),
            // Its kind can only be told from what is there; it is shown if it looks like one of the two.
            Err(_) => return dirty_without_logs(name, bytes, logs),
        },
        Err(_) => return None,
    };
    let (kind, windows, alike) = recognise(&hive)?;
    Some(RealHive { name, kind, windows, alike, bytes, logs, clean })
}

/// A dirty hive with no logs that fit.
fn dirty_without_logs(name: String, bytes: Vec<u8>, logs: LogFiles) -> Option<RealHive> {
    let hive = Hive::recover_without_logs(bytes.clone(), &logs).ok()?.hive;
    let (kind, windows, alike) = recognise(&hive)?;
    Some(RealHive { name, kind, windows, alike, bytes, logs, clean: false })
}

/// The logs beside a hive file, named after it.
fn logs_of(file: &Path) -> LogFiles {
    let wanted = file.file_name().unwrap().to_string_lossy().to_lowercase();
    let mut logs = LogFiles::default();
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
        let slot = match name.strip_prefix(&wanted) {
            Some(".log") => &mut logs.log,
            Some(".log1") => &mut logs.log1,
            Some(".log2") => &mut logs.log2,
            _ => continue,
        };
        *slot = fs::read(&path).ok();
    }
    logs
}

/// SYSTEM has control sets with services, SOFTWARE a build number. Hives that tests of other projects made up, with a key
/// or two, are no installations.
fn recognise(hive: &Hive) -> Option<(Kind, Windows, Vec<Version>)> {
    if let Some(set) = control_set(hive) {
        let services = hive.find_key(&format!("{set}\\Services")).ok()??;
        if services.subkey_count() < 40 {
            return None;
        }
        let alike = versions_alike(hive, &set);
        // Before 2000 there was no update service: NT 4.
        let windows = alike.last().map_or(Windows::Other(1381), |version| Windows::Known(*version));
        return Some((Kind::System, windows, alike));
    }
    let version = hive.find_key("Microsoft\\Windows NT\\CurrentVersion").ok()??;
    hive.find_key("Microsoft\\Windows NT\\CurrentVersion\\Svchost").ok()??;
    let build = ["CurrentBuildNumber", "CurrentBuild"].iter().find_map(|name| text(&version, name)?.parse().ok())?;
    let server = text(&version, "ProductName").is_some_and(|name| name.contains("Server"));
    Some(match nearest(build, server) {
        Some(version) => (Kind::Software, Windows::Known(version), vec![version]),
        None => (Kind::Software, Windows::Other(build), Vec::new()),
    })
}

/// The version of that build, or the last one before it that the fixtures can make.
fn nearest(build: u32, server: bool) -> Option<Version> {
    let kind = if server { "ServerNT" } else { "WinNT" };
    Version::ALL
        .into_iter()
        .filter(|version| version.product_type() == kind && version.build() <= build)
        .max_by_key(|version| version.build())
}

/// The control set that the next boot takes.
pub fn control_set(hive: &Hive) -> Option<String> {
    let default = hive.find_key("Select").ok()??.value("Default").ok()??;
    let number = u32::from_le_bytes(default.data().ok()?.as_ref().try_into().ok()?);
    let set = format!("ControlSet{number:03}");
    hive.find_key(&set).ok()?.map(|_| set)
}

/// A SYSTEM hive does not say its build: it is of the versions whose update services look most like those in the hive (several
/// where they can't be told apart, oldest first). None, where no version looks half like it.
fn versions_alike(hive: &Hive, set: &str) -> Vec<Version> {
    let features = features(hive, set);
    let product = hive
        .find_key(&format!("{set}\\Control\\ProductOptions"))
        .ok()
        .flatten()
        .and_then(|key| text(&key, "ProductType"))
        .unwrap_or_else(|| "WinNT".into());
    let is_client = product.eq_ignore_ascii_case("WinNT");
    let mut versions: Vec<(usize, Version)> = Version::ALL
        .into_iter()
        .filter(|version| (version.product_type() == "WinNT") == is_client)
        .map(|version| {
            let spec = VolumeSpec { ballast_keys: 0, ..VolumeSpec::new(version) };
            let made = Hive::open(system_hive(&spec).unwrap()).unwrap();
            let wanted = self::features(&made, "ControlSet001");
            let alike = wanted.iter().filter(|(place, what)| features.get(*place) == Some(what)).count();
            // A service that this version does not have counts against it.
            let foreign = SERVICES.iter().filter(|service| {
                let has = |all: &BTreeMap<String, Vec<u8>>| all.contains_key(&format!("{service}\\\\imagepath"));
                has(&features) && !has(&wanted)
            });
            (alike * 1000 / (wanted.len() + 20 * foreign.count()).max(1), version)
        })
        .collect();
    versions.sort_by_key(|(alike, version)| (*alike, version.build()));
    let best = versions.iter().map(|(alike, _)| *alike).max().unwrap_or(0);
    eprintln!("a SYSTEM hive looks most like {:?} (in thousandths)", &versions[versions.len().saturating_sub(4)..]);
    versions.retain(|(alike, _)| *alike == best && best >= 500);
    versions.into_iter().map(|(_, version)| version).collect()
}

const SERVICES: [&str; 18] = [
    "wuauserv",
    "bits",
    "cryptsvc",
    "msiserver",
    "appidsvc",
    "trustedinstaller",
    "usosvc",
    "waasmedicsvc",
    "dosvc",
    "sppsvc",
    "rpcss",
    "dcomlaunch",
    "rpceptmapper",
    "eventsystem",
    "eventlog",
    "w32time",
    "bfe",
    "mpssvc",
];

/// What tells versions apart: every value of the update services but for what a machine's life changes.
fn features(hive: &Hive, set: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let environment = format!("{set}\\Control\\Session Manager\\Environment");
    if let Ok(Some(key)) = hive.find_key(&environment) {
        found.insert("architecture".into(), text(&key, "PROCESSOR_ARCHITECTURE").unwrap_or_default().into_bytes());
    }
    for service in SERVICES {
        let Ok(Some(top)) = hive.find_key(&format!("{set}\\Services\\{service}")) else { continue };
        for (depth, key) in top.walk().filter_map(Result::ok) {
            let below = if depth == 0 { String::new() } else { key.name().to_lowercase() };
            for value in key.values().unwrap_or_default() {
                let name = value.name().to_lowercase();
                if ["start", "description", "displayname", "delayedautostart"].contains(&name.as_str())
                    || below == "config"
                {
                    continue;
                }
                if let Ok(data) = value.data() {
                    found.insert(format!("{service}\\{below}\\{name}"), data.to_ascii_lowercase());
                }
            }
        }
    }
    found
}

/// A string value.
pub fn text(key: &KeyRef<'_>, name: &str) -> Option<String> {
    let value = key.value(name).ok()??;
    Some(units(&value.data().ok()?).trim_end_matches('\0').to_owned())
}

/// The strings of a list value.
pub fn list(key: &KeyRef<'_>, name: &str) -> Option<Vec<String>> {
    let value = key.value(name).ok()??;
    Some(units(&value.data().ok()?).split('\0').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect())
}

fn units(data: &[u8]) -> String {
    let units: Vec<u16> = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// A text or list as Windows understands it: without regard to case and order, and to how the Windows folder is spelled.
pub fn understood(hive: &Hive, key: &str, item: &str) -> Option<(u32, Vec<String>)> {
    let key = hive.find_key(key).unwrap()?;
    let data_type = key.value(item).unwrap()?.data_type();
    let mut texts = list(&key, item)?;
    for text in &mut texts {
        *text = text.to_lowercase().replace("%systemroot%\\", "c:\\windows\\").replace("c:\\winnt\\", "c:\\windows\\");
    }
    texts.sort();
    Some((data_type, texts))
}

/// The bytes of a string list (REG_MULTI_SZ).
pub fn multi_string(names: &[String]) -> Vec<u8> {
    let text: String = names.iter().map(|name| format!("{name}\0")).chain(["\0".into()]).collect();
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The bytes of a string (REG_SZ).
pub fn string(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// The file of an edited hive, as a commit without logs leaves it.
pub fn committed(hive: Hive) -> Vec<u8> {
    let mut pages = BTreeMap::new();
    for offset in hive.changed_pages() {
        pages.insert(offset, hive.original_page(offset).to_vec());
    }
    // The file as it was before the edits.
    let mut before = hive.bytes().to_vec();
    for (offset, page) in pages {
        let at = usize::try_from(offset).unwrap();
        before[at..at + page.len()].copy_from_slice(&page);
    }
    before.truncate(usize::try_from(hive.original_len()).unwrap());
    let mut primary = MemoryStorage(before);
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap();
    commit.execute(&mut primary, &mut LogStorages::default()).unwrap();
    assert_eq!(primary.0, commit.after());
    primary.0
}
