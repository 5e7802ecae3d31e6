//! What the whole-program tests share: volumes made by the fixtures, the `coldmend` binary as a user runs it, and a
//! picture of a whole tree to compare before and after.
#![allow(dead_code, clippy::unwrap_used)]

pub mod diagnosis;
pub mod hive;
pub mod inject;
#[cfg(target_os = "linux")]
pub mod ntfs;
pub mod terminal;
pub mod trace;
pub mod wine;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use coldmend_fixtures::{build_volume, Damage, Version, VolumeSpec};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_coldmend");

/// A fresh folder, in memory where the system has such a place: the tests flush a lot.
pub fn scratch() -> TempDir {
    let shm = Path::new("/dev/shm");
    let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    dir.or_else(|_| tempfile::tempdir()).unwrap()
}

/// The volume that `spec` describes, in a folder of its own.
pub fn volume(spec: &VolumeSpec) -> TempDir {
    let dir = scratch();
    build_volume(dir.path(), spec).unwrap();
    dir
}

/// A small volume of this version with these damages.
pub fn broken(version: Version, damages: &[Damage]) -> TempDir {
    let mut spec = VolumeSpec::new(version);
    spec.damages = damages.to_vec();
    spec.ballast_keys = 20;
    volume(&spec)
}

/// A Windows 10 volume with damage in SYSTEM, SOFTWARE and all three caches.
pub fn broken_ten() -> TempDir {
    broken(Version::Ten22H2, &usual_damage())
}

/// Damage in SYSTEM, SOFTWARE and all three caches, as it fits Windows 10.
pub fn usual_damage() -> Vec<Damage> {
    vec![
        Damage::DisableService("wuauserv".into()),
        Damage::DisableService("BITS".into()),
        Damage::WrongAccount("UsoSvc".into()),
        Damage::BogusDependency("TrustedInstaller".into()),
        Damage::DenyEntry("wuauserv".into()),
        Damage::DropFromSvchostGroup("BITS".into()),
        Damage::ZeroLengthDataStore,
        Damage::PoisonedCatroot2,
        Damage::QmgrDbGarbage,
    ]
}

/// What a run of the program said.
#[derive(Debug)]
pub struct Run {
    /// The exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Of a finished process.
    pub fn of(output: Output) -> Self {
        Run {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as the one JSON document that it must be.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not one JSON document ({e}): {self:?}"))
    }

    /// The same run, if it ended with this status; else the test fails.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }
}

/// The program with arguments, without a terminal, and with nothing of the tester's environment that it obeys.
pub fn command<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR").env_remove("COLUMNS");
    command.env("LC_ALL", "C.UTF-8");
    command
}

/// Runs the program.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    Run::of(command(arguments).output().unwrap())
}

/// Runs `coldmend WORDS… PATH` (the words split at spaces).
pub fn coldmend(words: &str, path: &Path) -> Run {
    let mut all: Vec<std::ffi::OsString> = words.split_whitespace().map(Into::into).collect();
    all.push(path.into());
    run(&all)
}

/// One entry of a tree.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// `dir`, `file HASH`, `link TARGET` or `other`.
    pub what: String,
    /// Permission bits.
    pub mode: u32,
    /// Modification time, seconds and nanoseconds.
    pub modified: (i64, i64),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:o} {}.{}", self.what, self.mode, self.modified.0, self.modified.1)
    }
}

/// A whole tree: names, kinds, link targets, contents, permissions and modification times; no access times.
pub type Tree = BTreeMap<PathBuf, Entry>;

/// The picture of a tree.
pub fn tree(root: &Path) -> Tree {
    let mut all = Tree::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let what = if meta.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            "dir".into()
        } else if meta.is_file() {
            format!("file {}", hash(&fs::read(&path).unwrap()))
        } else if meta.is_symlink() {
            format!("link {:?}", fs::read_link(&path).unwrap())
        } else {
            "other".into()
        };
        let entry = Entry { what, mode: meta.mode(), modified: (meta.mtime(), meta.mtime_nsec()) };
        all.insert(path.strip_prefix(root).unwrap().to_path_buf(), entry);
    }
    all
}

/// Names, kinds and contents of a tree without coldmend's own folder, the hives SYSTEM and SOFTWARE, and their logs: what
/// a repair and its undo must leave in place, moved aside or not.
pub fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    tree(root)
        .into_iter()
        .filter(|(path, _)| !path.starts_with("coldmend") && !is_hive_or_log(path))
        .map(|(path, entry)| (path, entry.what))
        .collect()
}

fn is_hive_or_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes().to_ascii_lowercase();
    let stem = name.split(|b| *b == b'.').next().unwrap_or_default();
    let in_config = path.parent().and_then(Path::file_name).is_some_and(|n| n.eq_ignore_ascii_case("config"));
    in_config && (stem == b"system" || stem == b"software") && !name.ends_with(b".sav")
}

/// SHA-256 in hex.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Copies a tree: contents, links and permissions.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&path, &target);
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path).unwrap(), &target).unwrap();
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
}

/// A copy of a tree in a folder of its own.
pub fn copied(from: &Path) -> TempDir {
    let dir = scratch();
    copy(from, dir.path());
    dir
}

/// Finds `path` (with slashes) under `root` as Windows would, whatever the case; panics when it is not there.
pub fn find(root: &Path, path: &str) -> PathBuf {
    try_find(root, path).unwrap_or_else(|| panic!("there is no {path} in {}", root.display()))
}

/// Finds `path` (with slashes) under `root` as Windows would, whatever the case.
pub fn try_find(root: &Path, path: &str) -> Option<PathBuf> {
    path.split('/').try_fold(root.to_path_buf(), |dir, part| {
        let entries = fs::read_dir(&dir).ok()?;
        entries.map(|e| e.unwrap()).find(|e| e.file_name().eq_ignore_ascii_case(part)).map(|e| e.path())
    })
}

/// Another program that has the file locked until its input ends; `None` without `flock`.
pub fn hold(path: &Path) -> Option<std::process::Child> {
    use std::io::BufRead;
    let mut command = Command::new("flock");
    command.arg(path).args(["sh", "-c", "echo locked; cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    Some(child)
}

/// Says that a test was left out, or fails where the test set-up must be complete (`CI=true`).
pub fn skip(test: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "{test} can't run: {why}");
    println!("SKIPPED {test}: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Says that a test was left out because this machine does not allow what it needs.
pub fn leave_out(test: &str, why: &str) {
    println!("SKIPPED {test}: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Whether the tests run as root (mounts need it).
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}
