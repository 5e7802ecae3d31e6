//! Looking for Windows installations on volumes: where, which, in which state, and the command to go on with.
//!
//! Reads only, follows no link, and one bad volume does not keep the others from being looked at.

mod command;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::attached::{AttachedState, AttachedVolume};
use crate::checks::{is_hibernated, setup_in_progress, HiberState};
use crate::error::{Failure, Result};
use crate::evidence::{Installation, WindowsVersion};
use crate::plan::HiveName;
use crate::target;
use crate::transaction::{self, StateDir};
use crate::volume::escape::escape_text;
use crate::volume::{HostVolume, Kind, VolPath, Volume, Writability};

pub use command::command_line;
pub(crate) use command::for_cmd;

/// A volume that was looked at.
#[derive(Debug, Serialize)]
pub struct ScannedVolume {
    /// What to give as TARGET.
    pub path: String,
    /// Further names of the same volume.
    pub also: Vec<String>,
    /// Its label.
    pub label: Option<String>,
    /// Its file system.
    pub file_system: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Whether it could be looked at.
    pub state: VolumeState,
    /// Why it could not, or why nothing was found on it.
    pub why: Option<String>,
    /// What to do about that; for a locked volume, the line to type.
    pub what_to_do: Option<String>,
    /// The Windows installations on it.
    pub installations: Vec<FoundWindows>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// Whether a volume could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// It was read.
    Readable,
    /// The running system was started from it.
    RunningSystem,
    /// Locked by BitLocker.
    Locked,
    /// It could not be read.
    Unreadable,
}

/// An installation.
#[derive(Debug, Serialize)]
pub struct FoundWindows {
    /// The Windows folder on the volume.
    pub path: VolPath,
    /// Version and product; `None` where the hives can't be read.
    pub windows: Option<WindowsVersion>,
    /// Why the version is not known.
    pub version_unknown: Option<String>,
    /// In which state it is; never empty.
    pub states: Vec<FoundState>,
    /// The command to go on with; `None` for the running system.
    pub command: Option<String>,
    /// What the other commands take as TARGET.
    #[serde(skip)]
    pub target: PathBuf,
    /// What they take as `--windows`.
    #[serde(skip)]
    pub chosen: Option<String>,
}

/// One thing about an installation's state.
#[derive(Debug, Serialize)]
pub struct FoundState {
    /// Which.
    pub state: State,
    /// In words.
    pub what: String,
}

/// The states of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing stands in the way of diagnosis and repair.
    Ready,
    /// Hibernated, or shut down with Fast Startup.
    Hibernated,
    /// In the middle of setup or an upgrade.
    SetupInProgress,
    /// A hive was not closed cleanly; it is recovered from its logs.
    DirtyHive,
    /// A hive is missing, damaged, or can't be recovered.
    UnreadableHive,
    /// The volume can't be written to.
    ReadOnly,
    /// The Windows that is running.
    RunningSystem,
    /// A repair by coldmend was interrupted.
    UnfinishedRepair,
}

impl ScannedVolume {
    fn named(path: &Path) -> Self {
        ScannedVolume {
            path: escape_text(path.as_os_str()),
            also: Vec::new(),
            label: None,
            file_system: None,
            size: None,
            state: VolumeState::Readable,
            why: None,
            what_to_do: None,
            installations: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn failed(&mut self, failure: &Failure) {
        self.state = VolumeState::Unreadable;
        self.why = Some(failure.to_string());
        self.what_to_do.clone_from(&failure.hint);
    }
}

/// Looks at a volume that is attached.
#[must_use]
pub fn attached(volume: &AttachedVolume) -> ScannedVolume {
    let escaped = |text: &String| escape_text(text.as_ref());
    let mut scanned = ScannedVolume {
        also: volume.also.iter().map(escaped).collect(),
        label: volume.label.as_ref().map(escaped),
        file_system: volume.file_system.as_ref().map(escaped),
        size: volume.size,
        ..ScannedVolume::named(&volume.path)
    };
    match &volume.state {
        AttachedState::Readable => look(&mut scanned, &volume.path),
        AttachedState::RunningSystem => {
            scanned.state = VolumeState::RunningSystem;
            scanned.why = Some("the running system was started from it".into());
        }
        AttachedState::Locked { unlock } => {
            scanned.state = VolumeState::Locked;
            scanned.why = Some("locked by BitLocker".into());
            scanned.what_to_do = Some(unlock.clone());
        }
        AttachedState::Unreadable { why } => {
            scanned.state = VolumeState::Unreadable;
            scanned.why = Some(escaped(why));
        }
    }
    scanned
}

/// Looks at what somebody named: a volume's root, or a Windows folder.
#[must_use]
pub fn named(given: &Path) -> ScannedVolume {
    let mut scanned = ScannedVolume::named(given);
    look(&mut scanned, given);
    scanned
}

fn look(scanned: &mut ScannedVolume, given: &Path) {
    let (volume, folders) = match target::find_all(given) {
        Ok(found) => found,
        Err(failure) => return scanned.failed(&failure),
    };
    if folders.is_empty() {
        match target::no_windows(&volume, given) {
            Ok(why) | Err(why) => scanned.why = Some(why.to_string()),
        }
    }
    let several = folders.len() > 1;
    scanned.installations = folders.into_iter().map(|folder| installation(&volume, given, folder, several)).collect();
    if let Ok(Some(old)) = volume.find(&VolPath::literal("Windows.old\\Windows\\System32\\config")) {
        if old.kind == Kind::Dir {
            scanned
                .notes
                .push("Windows.old\\Windows was put aside by an upgrade; it is not an installation to mend".into());
        }
    }
}

fn installation(volume: &HostVolume, given: &Path, folder: VolPath, several: bool) -> FoundWindows {
    let chosen = several.then(|| folder.display_escaped());
    let mut found = FoundWindows {
        command: Some(command_line("diagnose", given, chosen.as_deref())),
        path: folder,
        windows: None,
        version_unknown: None,
        states: Vec::new(),
        target: given.to_path_buf(),
        chosen,
    };
    let mut say = |state, what: String| found.states.push(FoundState { state, what });
    if volume.is_running_system() {
        // Its hives are loaded; and it is not offered.
        say(State::RunningSystem, "this is the Windows that is running".into());
        found.version_unknown = Some("the running system is not looked at".into());
        found.command = None;
        return found;
    }
    // What can't be asked here is asked again, and said, before anything is written.
    if let Ok(Writability::ReadOnly { why }) = volume.writable() {
        say(State::ReadOnly, format!("read-only: {why}"));
    }
    if let Ok(HiberState::Active(file)) = is_hibernated(volume) {
        let file = file.display_escaped();
        say(State::Hibernated, format!("hibernated, or shut down with Fast Startup: {file} holds a memory image"));
    }
    match open(volume, &found.path, &mut say) {
        Ok(installation) => {
            examine(&installation, &mut say);
            found.windows = Some(installation.version);
        }
        Err(failure) => {
            found.version_unknown = Some(failure.to_string());
            say(State::UnreadableHive, "its registry can't be read".into());
        }
    }
    if found.states.is_empty() {
        found.states.push(FoundState { state: State::Ready, what: "ready".into() });
    }
    found
}

/// Loads the installation, and tells of a repair that was interrupted there.
fn open(volume: &HostVolume, folder: &VolPath, say: &mut impl FnMut(State, String)) -> Result<Installation> {
    let state = StateDir::on_target(volume);
    // A state directory that can't be believed is told of by `diagnose`.
    let records = state.records().unwrap_or_default();
    let of_this = |r: &&transaction::Record| r.plan.as_ref().is_none_or(|p| p.binding.windows.same_place(folder));
    let unfinished = transaction::unfinished(&records).filter(of_this);
    if let Some(record) = unfinished {
        say(State::UnfinishedRepair, format!("the repair {} was interrupted and is unfinished", record.id));
    }
    transaction::load_installation(volume, folder, &state, unfinished, false)
}

fn examine(installation: &Installation, say: &mut impl FnMut(State, String)) {
    for name in [HiveName::System, HiveName::Software] {
        if let Some(recovery) = &installation.hive(name).recovery {
            say(State::DirtyHive, format!("{name} was {}", recovery.how));
        }
    }
    if let Ok(setup) = setup_in_progress(installation) {
        if let Some((name, number)) = setup.first() {
            say(
                State::SetupInProgress,
                format!("in the middle of setup or an upgrade: SYSTEM\\Setup\\{name} is {number}"),
            );
        }
    }
}
