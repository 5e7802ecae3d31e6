//! Where a transaction keeps its plan, journal and backups: `\coldmend\<id>\` on the volume, `<image>.coldmend` beside a disk
//! image, or under `--state-dir`.
//!
//! The folder holds hives (secrets) and plans (instructions to an administrator's tool), so it is created for
//! administrators only, and one that others could have written is not used (design, safety rule 9).

use std::fmt;

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::plan::{check_scope, Plan, Purpose, PLAN_SCHEMA};
use crate::volume::{ErrorKind, Kind, Protected, Protection, VolPath, Volume};
use coldmend_hives::Storage;

use super::journal::{self, Line};

/// The folder's name on a volume.
pub const FOLDER: &str = "coldmend";

/// Types of file systems that have no owners and permissions.
const WITHOUT_PERMISSIONS: &[&str] = &["vfat", "msdos", "exfat", "fat", "fat12", "fat16", "fat32"];

const PLAN_LIMIT: u64 = 64 << 20;

/// The place where transactions are kept.
pub struct StateDir<'a> {
    /// The volume (or the host folder) that holds it.
    pub volume: &'a dyn Volume,
    /// The folder there; the root for `--state-dir`.
    pub base: VolPath,
    /// How it is shown to the user.
    pub shown: String,
    /// Whether it lies on the volume that is repaired.
    pub on_target: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    /// Complete.
    Done,
    /// Begun and not ended: `repair` finishes it, `undo` takes it back.
    Unfinished,
    /// Ended with everything taken back, or never begun.
    RolledBack,
    /// Complete, and later undone.
    Undone,
}

impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordState::Done => "done",
            RecordState::Unfinished => "unfinished",
            RecordState::RolledBack => "rolled-back",
            RecordState::Undone => "undone",
        })
    }
}

/// A transaction as it was recorded.
pub struct Record {
    /// Its id.
    pub id: String,
    /// The plan; `None` where the run died before it was written.
    pub plan: Option<Plan>,
    /// The journal.
    pub journal: Vec<Line>,
    /// What became of it.
    pub state: RecordState,
    /// Why the plan can't be used, where there is one that can't.
    pub unreadable: Option<String>,
}

impl Record {
    /// The number at the start of the id; "last" goes by it because clocks lie in rescue systems.
    pub fn number(&self) -> u32 {
        number_of(&self.id).unwrap_or(0)
    }

    /// The id of the transaction that this one takes back.
    pub fn undoes(&self) -> Option<&str> {
        match self.plan.as_ref().map(|p| &p.purpose) {
            Some(Purpose::Undo(id)) => Some(id),
            _ => None,
        }
    }
}

impl<'a> StateDir<'a> {
    /// `\coldmend` on the volume itself.
    pub fn on_target(volume: &'a dyn Volume) -> Self {
        StateDir { volume, base: VolPath::literal(FOLDER), shown: format!("\\{FOLDER}"), on_target: true }
    }

    /// A folder of the host, opened as a volume of its own.
    pub fn elsewhere(volume: &'a dyn Volume, shown: String) -> Self {
        StateDir { volume, base: VolPath::root(), shown, on_target: false }
    }

    /// A folder of the host that need not be there yet: `base` in `volume`.
    pub fn beside(volume: &'a dyn Volume, base: VolPath, shown: String) -> Self {
        StateDir { volume, base, shown, on_target: false }
    }

    /// The same place, seen through another volume: an overlay of this one.
    pub fn over<'b>(&self, volume: &'b dyn Volume) -> StateDir<'b> {
        StateDir { volume, base: self.base.clone(), shown: self.shown.clone(), on_target: self.on_target }
    }

    /// The folder of a transaction.
    ///
    /// # Errors
    /// An id that is no file name.
    pub fn folder(&self, id: &str) -> Result<VolPath> {
        Ok(self.base.child(id)?)
    }

    /// How the folder of a transaction is shown.
    pub fn shown_folder(&self, id: &str) -> String {
        let separator = if self.on_target { '\\' } else { std::path::MAIN_SEPARATOR };
        format!("{}{separator}{id}", self.shown)
    }

    pub(super) fn journal_path(&self, id: &str) -> Result<VolPath> {
        Ok(self.folder(id)?.child("journal.jsonl")?)
    }

    pub(super) fn backup_path(&self, id: &str, file: &str) -> Result<VolPath> {
        Ok(self.folder(id)?.child("backup")?.child(file)?)
    }

    /// All transactions, oldest first. Empty when the folder is not there.
    ///
    /// # Errors
    /// The folder can't be read, or others could have written it.
    pub fn records(&self) -> Result<Vec<Record>> {
        if !self.usable()? {
            return Ok(Vec::new());
        }
        let mut records = Vec::new();
        for entry in self.volume.list(&self.base).doing(|| format!("listing {}", self.shown))? {
            let Some(id) = entry.name.to_str().filter(|n| number_of(n).is_some()) else { continue };
            if entry.kind != Kind::Dir {
                continue;
            }
            records.push(self.record(id)?);
        }
        records.sort_by(|a, b| (a.number(), &a.id).cmp(&(b.number(), &b.id)));
        // Newest first: an undo that was itself taken back no longer counts.
        let mut undone: Vec<String> = Vec::new();
        for record in records.iter_mut().rev() {
            if !matches!(record.state, RecordState::Done | RecordState::Unfinished) {
                continue;
            }
            if undone.contains(&record.id) {
                record.state = RecordState::Undone;
            } else if record.state == RecordState::Done {
                undone.extend(record.undoes().map(str::to_string));
            }
        }
        Ok(records)
    }

    fn record(&self, id: &str) -> Result<Record> {
        let journal = journal::read(self.volume, &self.journal_path(id)?)
            .doing(|| format!("reading the journal of {}", self.shown_folder(id)))?;
        let mut unreadable = None;
        let plan_path = self.folder(id)?.child("plan.json")?;
        let plan = match self.volume.find(&plan_path)? {
            None => None,
            Some(_) if !self.for_administrators(&self.folder(id)?)? => {
                unreadable = Some("others than administrators could have written it".to_string());
                None
            }
            Some(_) => {
                let bytes = self.volume.read(&plan_path, PLAN_LIMIT)?;
                match parse_plan(&bytes) {
                    Ok(plan) => Some(plan),
                    Err(failure) => {
                        unreadable = Some(failure.to_string());
                        None
                    }
                }
            }
        };
        let began = journal.contains(&Line::Begin);
        let state = match journal.last() {
            Some(Line::Done) => RecordState::Done,
            Some(Line::RolledBack { .. }) => RecordState::RolledBack,
            _ if began => RecordState::Unfinished,
            _ => RecordState::RolledBack,
        };
        Ok(Record { id: id.to_string(), plan, journal, state, unreadable })
    }

    /// Whether only administrators (or this user) could have written a folder. A file system without permissions can't keep
    /// anybody out, and where nothing is known of the mount nothing can be said: both are taken as they are.
    fn for_administrators(&self, folder: &VolPath) -> Result<bool> {
        let can_protect = self
            .volume
            .mount_info()
            .is_some_and(|m| !WITHOUT_PERMISSIONS.contains(&m.fs_type.to_ascii_lowercase().as_str()));
        Ok(!can_protect || self.volume.protection(folder)? != Protected::Plain)
    }

    /// Whether the folder is there and may be used.
    fn usable(&self) -> Result<bool> {
        if self.base.is_root() {
            return Ok(true);
        }
        let Some(found) = self.volume.find(&self.base)? else { return Ok(false) };
        if found.kind != Kind::Dir {
            return Err(Failure::refused(format!(
                "{} is in the way: it is not a folder, and coldmend keeps its backups there",
                found.path.display_escaped()
            ))
            .hint("Name another place with --state-dir."));
        }
        if !self.for_administrators(&found.path)? {
            return Err(Failure::refused(format!(
                "the folder {} is open to others than administrators, so what it says is not believed",
                self.shown
            ))
            .hint(
                "If you trust it, make it accessible to administrators only; or name another place with --state-dir.",
            ));
        }
        Ok(true)
    }

    /// The id for a new transaction.
    pub(super) fn next_id(&self, purpose: &Purpose) -> Result<String> {
        let mut highest = 0u32;
        if self.usable()? {
            for entry in self.volume.list(&self.base)? {
                // Names are matched without case, so another spelling of an id takes its number too.
                let name = entry.name.to_string_lossy().to_lowercase();
                highest = highest.max(number_of(&name).unwrap_or(0));
            }
        }
        let word = match purpose {
            Purpose::Repair => "repair",
            Purpose::ServiceSet => "service",
            Purpose::Undo(_) => "undo",
        };
        let number = highest.checked_add(1).ok_or_else(|| {
            Failure::refused(format!("{} holds a transaction with the highest number there can be", self.shown))
                .hint("Name another place with --state-dir.")
        })?;
        Ok(format!("{number:04}-{word}"))
    }

    /// Keeps other runs of coldmend out for as long as the result lives; makes the state directory if it is not there.
    pub(super) fn lock(&self) -> Result<Box<dyn Storage + 'a>> {
        if !self.base.is_root() && self.volume.find(&self.base)?.is_none() {
            self.volume.create_dir(&self.base, Protection::AdministratorsOnly)?;
        }
        let path = self.base.child("lock")?;
        if self.volume.find(&path)?.is_none() {
            match self.volume.write_new(&path, b"") {
                Err(error) if error.kind() != ErrorKind::Exists => return Err(error.into()),
                _ => {}
            }
        }
        self.volume.open_storage(&path).map_err(|error| {
            Failure::from(error)
                .context(format!("another coldmend may be at work: {} is locked", self.shown))
                .hint("Wait until it is done.")
        })
    }

    /// Creates the folder of a new transaction.
    pub(super) fn create(&self, id: &str) -> Result<()> {
        Ok(self.volume.create_dir(&self.folder(id)?, Protection::AdministratorsOnly).map(|_| ())?)
    }

    /// Writes the plan of a new transaction into its folder, and makes room for backups and journal.
    pub(super) fn write_plan(&self, id: &str, plan: &Plan) -> Result<()> {
        let folder = self.folder(id)?;
        self.volume.create_dir(&folder.child("backup")?, Protection::AdministratorsOnly)?;
        let mut json = serde_json::to_vec_pretty(plan)
            .map_err(|e| Failure::from_error(FailureKind::Partial, e).context("writing the plan"))?;
        json.push(b'\n');
        // Under another name first: a plan is there whole or not at all.
        let part = folder.child("plan.json.part")?;
        self.volume.write_new(&part, &json)?;
        self.volume.rename(&part, &folder.child("plan.json")?)?;
        // Appending wants a file that is there.
        self.volume.write_new(&self.journal_path(id)?, b"")?;
        Ok(())
    }

    /// Removes what [`StateDir::create`], [`StateDir::write_plan`] and the backups made, as far as possible: nothing has
    /// begun.
    pub(super) fn discard(&self, id: &str) {
        let Ok(folder) = self.folder(id) else { return };
        for dir in [folder.child("backup"), Ok(folder.clone())].into_iter().flatten() {
            for entry in self.volume.list(&dir).unwrap_or_default() {
                if let Ok(file) = dir.child(&entry.name) {
                    let _ = self.volume.remove_file(&file);
                }
            }
            let _ = self.volume.remove_empty_dir(&dir);
        }
    }

    /// Removes the lock and the folder itself where nothing else is in it.
    pub(super) fn leave(&self) {
        let only_lock = self.volume.list(&self.base).is_ok_and(|e| e.iter().all(|e| e.name == "lock"));
        if only_lock {
            if let Ok(lock) = self.base.child("lock") {
                let _ = self.volume.remove_file(&lock);
            }
            if !self.base.is_root() {
                let _ = self.volume.remove_empty_dir(&self.base);
            }
        }
    }
}

/// Reads a plan and checks what can be checked without the volume.
///
/// # Errors
/// Not a plan of this schema, or one that reaches beyond coldmend's fence.
pub fn parse_plan(bytes: &[u8]) -> Result<Plan> {
    let plan: Plan = serde_json::from_slice(bytes).map_err(|e| {
        Failure::from_error(FailureKind::Unreadable, e).context("the plan is not one that coldmend wrote")
    })?;
    if plan.schema != PLAN_SCHEMA {
        return Err(Failure::unreadable(format!(
            "the plan has the schema {:?}; this version reads {PLAN_SCHEMA:?}",
            plan.schema
        )));
    }
    check_scope(&plan).map_err(|e| Failure::from_error(FailureKind::Refused, e))?;
    Ok(plan)
}

fn number_of(id: &str) -> Option<u32> {
    let (number, rest) = id.split_once('-')?;
    let word = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase());
    (number.len() >= 4 && word && number.bytes().all(|b| b.is_ascii_digit())).then(|| number.parse().ok()).flatten()
}
