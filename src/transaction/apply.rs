//! Running a plan from its beginning, and going back when a step fails.

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::evidence::{sha256_hex, HiveFile, Installation, LOG_SUFFIXES};
use crate::plan::{check_scope, Plan, Purpose};
use crate::volume::{Overlay, VolPath, Volume};

use super::files::{self, FileState};
use super::hives::{self, PreparedHive};
use super::interrupt;
use super::journal::{self, Line, StepState};
use super::state::{RecordState, StateDir};
use super::verify;

/// Room for a redo entry in a log file that has to grow for it, in bytes.
const LOG_ROOM: u64 = 1 << 20;
/// Room that plan, journal and folders need beside the backups, in bytes.
const MARGIN: u64 = 1 << 20;

/// A transaction that is complete.
#[derive(Debug)]
pub struct Applied {
    /// Its id.
    pub id: String,
}

/// Everything that will be written, ready in memory.
pub(super) struct Prepared {
    pub hives: Vec<PreparedHive>,
}

/// Applies a plan: prepare, back up, commit, rename, verify.
///
/// # Errors
/// Refused or unreadable with nothing written, or partial: then the message says what was taken back.
pub fn apply(volume: &dyn Volume, state: &StateDir<'_>, plan: &Plan) -> Result<Applied> {
    check_scope(plan).map_err(|e| Failure::from_error(FailureKind::Refused, e))?;
    let (prepared, backups) = prepare(volume, plan)?;
    check_room(volume, state, &prepared, &backups)?;
    // A hive that somebody else has, or that may not be written, is refused now and not found out half-way.
    for hive in &prepared.hives {
        hives::open(volume, hive)
            .map_err(|f| f.context("making sure that the hives can be written; nothing was written"))?;
    }

    let _writing = interrupt::writing();
    let _lock = state.lock()?;
    // Under the lock: nobody else numbers, begins or finishes anything now.
    let id = refuse_unfinished(state, plan)
        .and_then(|()| state.next_id(&plan.purpose))
        .and_then(|id| state.create(&id).map(|()| id))
        .inspect_err(|_| state.leave())?;
    if let Err(failure) = begin(volume, state, plan, &id, &backups) {
        // Nothing of Windows' own was touched yet.
        state.discard(&id);
        state.leave();
        return Err(failure.context("preparing the backups; nothing of Windows was changed"));
    }
    let log = |line: &Line| journal::append(state.volume, &state.journal_path(&id)?, line);
    let mut done = Progress::default();
    match run(volume, plan, &prepared, &mut done, &log).and_then(|()| {
        verify::verify(volume, plan, &prepared)?;
        volume.sync_volume()?;
        log(&Line::Verified)?;
        log(&Line::Done)
    }) {
        Ok(()) => Ok(Applied { id }),
        Err(failure) => Err(roll_back(volume, state, plan, &prepared, &done, &id, failure)),
    }
}

/// Refuses to begin while another transaction is unfinished, unless this one takes it back.
fn refuse_unfinished(state: &StateDir<'_>, plan: &Plan) -> Result<()> {
    let taken_back = match &plan.purpose {
        Purpose::Undo(id) => Some(id),
        _ => None,
    };
    match state.records()?.iter().find(|r| r.state == RecordState::Unfinished && Some(&r.id) != taken_back) {
        None => Ok(()),
        Some(record) => Err(Failure::refused(format!("{} is unfinished; nothing was written", record.id))
            .hint("Run `coldmend repair` to finish it, or `coldmend undo` to take it back, first.")),
    }
}

/// A file to keep a copy of.
pub(super) struct Backup {
    name: String,
    path: VolPath,
    size: u64,
}

/// Makes every change in memory and checks every expectation; writes nothing.
fn prepare(volume: &dyn Volume, plan: &Plan) -> Result<(Prepared, Vec<Backup>)> {
    let mut hives = Vec::new();
    let mut backups = Vec::new();
    for name in plan.hives() {
        let file = HiveFile::read(volume, &plan.binding.windows, name)?;
        let bound = plan.binding.hives.get(&name).ok_or_else(|| {
            Failure::refused(format!(
                "the plan changes the hive {name} but does not say which contents it was made for"
            ))
        })?;
        if file.binding() != bound {
            return Err(Failure::refused(format!(
                "the hive {} has changed since the plan was made, or the plan belongs to another volume",
                file.path.display_escaped()
            ))
            .hint("Run diagnose and repair again to get a plan for what is there now."));
        }
        backups.push(Backup { name: name.file_name().into(), path: file.path.clone(), size: file.binding().size });
        let logs = [&file.logs.log, &file.logs.log1, &file.logs.log2];
        for ((suffix, path), bytes) in LOG_SUFFIXES.iter().zip(&file.log_paths).zip(logs) {
            if let (Some(path), Some(bytes)) = (path, bytes) {
                backups.push(Backup {
                    name: format!("{}.{suffix}", name.file_name()),
                    path: path.clone(),
                    size: bytes.len() as u64,
                });
            }
        }
        hives.push(hives::prepare(plan, file.open(plan.force_dirty_hive)?)?);
    }
    // The file changes build on each other, so they are tried in order on a storage that does not write.
    let rehearsal = Overlay::new(volume);
    for (_, change) in plan.file_changes() {
        if files::state(&rehearsal, change)? != FileState::Before {
            return Err(files::unexpected(change, "it done already, or the new name taken"));
        }
        files::apply(&rehearsal, change)?;
    }
    Ok((Prepared { hives }, backups))
}

/// Whether backups and grown hives fit.
fn check_room(volume: &dyn Volume, state: &StateDir<'_>, prepared: &Prepared, backups: &[Backup]) -> Result<()> {
    let kept: u64 = backups.iter().map(|b| b.size).sum::<u64>().saturating_add(MARGIN);
    let growth: u64 = prepared
        .hives
        .iter()
        .map(|h| {
            (h.commit.after().len() as u64)
                .saturating_sub(backups.iter().find(|b| b.name == h.name.file_name()).map_or(0, |b| b.size))
        })
        .sum::<u64>()
        .saturating_add(LOG_ROOM);
    let too_little = |place: &str, need: u64, have: u64| {
        Failure::refused(format!(
            "too little room on {place}: {need} bytes are needed for backups and changes, {have} are free; nothing was written"
        ))
        .hint("Free some space, or name another place for the backups with --state-dir.")
    };
    let (on_volume, on_state) = if state.on_target { (kept.saturating_add(growth), 0) } else { (growth, kept) };
    let free = volume.free_space()?;
    if free < on_volume {
        return Err(too_little("the volume", on_volume, free));
    }
    if !state.on_target {
        let free = state.volume.free_space()?;
        if free < on_state {
            return Err(too_little(&state.shown, on_state, free));
        }
    }
    Ok(())
}

/// Writes the plan and the backups; ends with the journal's `begin`.
fn begin(volume: &dyn Volume, state: &StateDir<'_>, plan: &Plan, id: &str, backups: &[Backup]) -> Result<()> {
    state.write_plan(id, plan).doing(|| format!("creating {}", state.shown_folder(id)))?;
    let journal = state.journal_path(id)?;
    for backup in backups {
        interrupt::check()
            .map_err(|_| Failure::new(FailureKind::Interrupted, "interrupted; nothing of Windows was changed"))?;
        let bytes = volume
            .read(&backup.path, u64::MAX)
            .doing(|| format!("reading {} for its backup", backup.path.display_escaped()))?;
        let sha256 = sha256_hex(&bytes);
        let bound = plan.binding.hives.values().any(|b| b.sha256 == sha256) || !plan_names(plan, &backup.name);
        if !bound {
            return Err(Failure::refused(format!(
                "{} changed while it was being backed up",
                backup.path.display_escaped()
            )));
        }
        let to = state.backup_path(id, &backup.name)?;
        state.volume.write_new(&to, &bytes).doing(|| format!("backing up {}", backup.path.display_escaped()))?;
        let size = bytes.len() as u64;
        journal::append(state.volume, &journal, &Line::Backup { file: backup.name.clone(), sha256, size })?;
    }
    journal::append(state.volume, &journal, &Line::Begin)
}

fn plan_names(plan: &Plan, file: &str) -> bool {
    plan.binding.hives.keys().any(|h| h.file_name() == file)
}

/// What a run has begun, for going back.
#[derive(Default)]
struct Progress {
    hives: usize,
    actions: Vec<usize>,
}

fn run(
    volume: &dyn Volume,
    plan: &Plan,
    prepared: &Prepared,
    done: &mut Progress,
    log: &dyn Fn(&Line) -> Result<()>,
) -> Result<()> {
    for hive in &prepared.hives {
        interrupt::check()?;
        log(&Line::Hive { hive: hive.name, state: StepState::Intended })?;
        let open = hives::open(volume, hive)?;
        // From here on there may be something to take back.
        done.hives += 1;
        hives::commit(open, hive)?;
        log(&Line::Hive { hive: hive.name, state: StepState::Done })?;
    }
    for (index, change) in plan.file_changes() {
        interrupt::check()?;
        log(&Line::Action { index, state: StepState::Intended })?;
        done.actions.push(index);
        files::apply(volume, change).doing(|| format!("changing {}", change.place()))?;
        log(&Line::Action { index, state: StepState::Done })?;
    }
    interrupt::check()
}

/// Takes back what a failed run did; the failure says how that went.
fn roll_back(
    volume: &dyn Volume,
    state: &StateDir<'_>,
    plan: &Plan,
    prepared: &Prepared,
    done: &Progress,
    id: &str,
    failure: Failure,
) -> Failure {
    let why = failure.to_string();
    let result = (|| -> Result<()> {
        for &index in done.actions.iter().rev() {
            let Some(action) = plan.actions.get(index) else { continue };
            if files::state(volume, &action.change)? != FileState::Before {
                files::take_back(volume, &action.change)?;
            }
        }
        for hive in prepared.hives.iter().take(done.hives).rev() {
            hives::take_back(volume, hive)?;
        }
        Ok(())
    })();
    let note = |line: Line| journal::append(state.volume, &state.journal_path(id)?, &line);
    match result {
        Ok(()) => {
            let noted = note(Line::RolledBack { why });
            let mut failure = failure
                .into_kind(FailureKind::Partial)
                .context("the repair failed part-way; everything that was done has been taken back, and the hives are as they were");
            if noted.is_err() {
                failure = failure.hint(
                    "The journal could not be closed: `history` will show it as unfinished, and `undo` closes it.",
                );
            }
            failure.hint("Mend the cause and run repair again.")
        }
        Err(second) => {
            let _ = note(Line::Failed { why: format!("{why}; then {second}") });
            failure
                .into_kind(FailureKind::Partial)
                .context(format!("the repair failed part-way, and taking it back failed too ({second})"))
                .hint(format!(
                    "The backups are in {}. Mend the cause, then run `coldmend undo` to take it back or `coldmend repair` to finish it.",
                    state.shown_folder(id)
                ))
        }
    }
}

/// Checks that a plan belongs to this installation.
///
/// # Errors
/// It was made for another.
pub fn check_binding(volume: &dyn Volume, plan: &Plan, installation: &Installation) -> Result<()> {
    let here = installation.binding(volume, &[]);
    if plan.binding.build != here.build {
        return Err(differs("the build", plan.binding.build.to_string(), here.build.to_string()));
    }
    check_place(volume, plan, installation, false)?;
    let number = |v: Option<u32>| v.map_or_else(|| "absent".into(), |n| n.to_string());
    if plan.binding.installed != here.installed {
        return Err(differs("InstallDate", number(plan.binding.installed), number(here.installed)));
    }
    Ok(())
}

fn differs(what: &str, plan: String, here: String) -> Failure {
    Failure::refused(format!(
        "the plan was made for another installation: {what} is {here} here and {plan} in the plan"
    ))
    .hint("A plan is good for the volume it was made on. Run repair here to make one for this volume.")
}

/// Checks that a plan belongs to this volume and Windows folder, whatever updates Windows has had since: what an undo
/// needs, because it looks at every value again. With `force`, the machine's own id may differ too.
///
/// # Errors
/// It was made for another.
pub fn check_place(volume: &dyn Volume, plan: &Plan, installation: &Installation, force: bool) -> Result<()> {
    let here = installation.binding(volume, &[]);
    let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "absent".into());
    if plan.binding.windows != here.windows {
        return Err(differs("the Windows folder", plan.binding.windows.to_string(), here.windows.to_string()));
    }
    if plan.binding.machine != here.machine && !force {
        return Err(differs("MachineGuid", text(&plan.binding.machine), text(&here.machine)));
    }
    if let (Some(there), Some(serial)) = (&plan.binding.serial, &here.serial) {
        if there != serial {
            return Err(differs("the volume's serial number", there.clone(), serial.clone()));
        }
    }
    Ok(())
}
