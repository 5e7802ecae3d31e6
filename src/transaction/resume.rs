//! Finishing a transaction that was killed, or taking its cut commits back.
//!
//! What is done is decided by the volume, not by the journal: the intended contents of each hive are computed again from
//! the backup (whose hash the plan names) and compared sector by sector with what is there. A hive that is neither before,
//! nor after, nor a mixture of exactly these two was written by somebody else since, and is left alone.

use coldmend_hives::{DiskState, LogFiles};

use crate::error::{Context, Failure, Kind as FailureKind, Result};
use crate::evidence::{sha256_hex, HiveFile};
use crate::plan::{Change, HiveBinding, HiveName, Plan};
use crate::volume::{Overlay, Volume};

use super::apply::{Applied, Prepared};
use super::files::{self, FileState};
use super::hives::{self, PreparedHive};
use super::interrupt;
use super::journal::{self, Line, StepState};
use super::state::{Record, StateDir};
use super::verify;

/// Where a hive stands in an unfinished transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// As it was.
    Before,
    /// The commit was cut: between before and after.
    Cut,
    /// As planned.
    After,
    /// Written by somebody else since.
    Foreign,
}

/// Finishes an unfinished transaction.
///
/// # Errors
/// Refused when the volume is not as the transaction left it; partial when a write fails.
pub fn resume(volume: &dyn Volume, state: &StateDir<'_>, record: &Record) -> Result<Applied> {
    let plan = plan_of(record)?;
    let _writing = interrupt::writing();
    let _lock = state.lock()?;
    // Look at everything before the first write.
    let prepared = prepare_again(volume, state, record, plan)?;
    let mut open = Vec::new();
    for hive in &prepared.hives {
        match hives::position(volume, hive)? {
            DiskState::Foreign => return Err(foreign(&record.id, hive)),
            DiskState::After => {}
            DiskState::Before | DiskState::Cut => open.push(hive),
        }
    }
    let rehearsal = Overlay::new(volume);
    for (index, change) in plan.file_changes() {
        if file_state(&rehearsal, record, index, change)? == FileState::Before {
            files::apply(&rehearsal, change)?;
        }
    }

    let log = |line: &Line| journal::append(state.volume, &state.journal_path(&record.id)?, line);
    let finish = || -> Result<()> {
        for hive in open {
            interrupt::check()?;
            log(&Line::Hive { hive: hive.name, state: StepState::Intended })?;
            hives::finish(volume, hive)?;
            log(&Line::Hive { hive: hive.name, state: StepState::Done })?;
        }
        for (index, change) in plan.file_changes() {
            interrupt::check()?;
            if file_state(volume, record, index, change)? == FileState::Before {
                log(&Line::Action { index, state: StepState::Intended })?;
                files::apply(volume, change)?;
                log(&Line::Action { index, state: StepState::Done })?;
            }
        }
        verify::verify(volume, plan, &prepared)?;
        volume.sync_volume()?;
        log(&Line::Verified)?;
        log(&Line::Done)
    };
    finish().map_err(|failure| {
        failure
            .into_kind(FailureKind::Partial)
            .context(format!("finishing {} stopped part-way; it is still unfinished", record.id))
            .hint("Mend the cause, then run `coldmend repair` to finish it or `coldmend undo` to take it back.")
    })?;
    Ok(Applied { id: record.id.clone() })
}

/// Where a file change stands. When there is something under both names, the journal must say that the rename was at
/// least begun: otherwise what stands under the new name is not ours.
fn file_state(volume: &dyn Volume, record: &Record, index: usize, change: &Change) -> Result<FileState> {
    let state = files::state(volume, change)?;
    let begun = record.journal.contains(&Line::Action { index, state: StepState::Intended });
    if state == FileState::Both && !begun {
        return Err(files::unexpected(change, "something under both names, and the rename was never begun"));
    }
    Ok(state)
}

/// Takes every cut commit of an unfinished transaction back to exactly what was there before; hives that are whole, before
/// or after, are left for the undo plan.
///
/// # Errors
/// Partial when a write fails.
pub fn take_back(volume: &dyn Volume, state: &StateDir<'_>, record: &Record) -> Result<()> {
    let plan = plan_of(record)?;
    let _writing = interrupt::writing();
    let _lock = state.lock()?;
    let prepared = prepare_again(volume, state, record, plan)?;
    for hive in &prepared.hives {
        if hives::position(volume, hive)? == DiskState::Cut {
            hives::take_back(volume, hive)?;
            let line = Line::Hive { hive: hive.name, state: StepState::TakenBack };
            journal::append(state.volume, &state.journal_path(&record.id)?, &line)?;
        }
    }
    Ok(())
}

/// Closes the journal of a transaction of which nothing is left on the volume.
///
/// # Errors
/// The journal can't be written.
pub fn close(state: &StateDir<'_>, record: &Record, why: &str) -> Result<()> {
    let _writing = interrupt::writing();
    journal::append(state.volume, &state.journal_path(&record.id)?, &Line::RolledBack { why: why.into() })
}

/// Where a hive stands, with the image to read it by when its commit was cut.
///
/// # Errors
/// The backup is not the one that the plan names, or can't be read.
pub fn position_of(
    volume: &dyn Volume,
    state: &StateDir<'_>,
    record: &Record,
    name: HiveName,
) -> Result<(Position, Vec<u8>)> {
    let plan = plan_of(record)?;
    if !plan.hives().contains(&name) {
        return Ok((Position::Before, Vec::new()));
    }
    let hive = prepare_hive(volume, state, record, plan, name)?;
    let position = match hives::position(volume, &hive)? {
        DiskState::Before => Position::Before,
        DiskState::After => Position::After,
        DiskState::Cut => Position::Cut,
        DiskState::Foreign => Position::Foreign,
    };
    Ok((position, hive.commit.after().to_vec()))
}

fn plan_of(record: &Record) -> Result<&Plan> {
    record.plan.as_ref().ok_or_else(|| no_plan(record))
}

/// The failure for a record whose plan is not there or can't be used.
pub fn no_plan(record: &Record) -> Failure {
    let why = record.unreadable.as_deref().unwrap_or("it has none");
    Failure::refused(format!("the plan of {} can't be used: {why}", record.id))
        .hint("Nothing in its folder is believed. The hives as they were are in its backup folder.")
}

fn prepare_again(volume: &dyn Volume, state: &StateDir<'_>, record: &Record, plan: &Plan) -> Result<Prepared> {
    let hives = plan
        .hives()
        .into_iter()
        .map(|name| prepare_hive(volume, state, record, plan, name))
        .collect::<Result<Vec<_>>>()?;
    Ok(Prepared { hives })
}

/// Computes the intended contents again from the backup.
fn prepare_hive(
    volume: &dyn Volume,
    state: &StateDir<'_>,
    record: &Record,
    plan: &Plan,
    name: HiveName,
) -> Result<PreparedHive> {
    let doing = || format!("reading the backup of {name} in {}", state.shown_folder(&record.id));
    let bytes = read_backup(state, record, name.file_name()).doing(doing)?.ok_or_else(|| {
        Failure::unreadable(format!("there is no backup of {name} in {}", state.shown_folder(&record.id)))
    })?;
    let bound = plan.binding.hives.get(&name);
    if bound != Some(&HiveBinding::of(&bytes)) {
        return Err(Failure::refused(format!(
            "the backup of {name} in {} is not the one that its plan names",
            state.shown_folder(&record.id)
        ))
        .hint("The folder was changed by somebody else; nothing in it is believed."));
    }
    let log = |suffix: &str| read_backup(state, record, &format!("{}.{suffix}", name.file_name())).doing(doing);
    let logs = LogFiles { log: log("LOG")?, log1: log("LOG1")?, log2: log("LOG2")? };
    // The paths come from the volume as it is now, never from the record.
    let (path, log_paths) = HiveFile::locate(volume, &plan.binding.windows, name)?;
    let file = HiveFile::new(name, path, bytes, logs, log_paths);
    hives::prepare(plan, file.open(plan.force_dirty_hive)?)
}

fn read_backup(state: &StateDir<'_>, record: &Record, file: &str) -> Result<Option<Vec<u8>>> {
    let path = state.backup_path(&record.id, file)?;
    if state.volume.find(&path)?.is_none() {
        return Ok(None);
    }
    let bytes = state.volume.read(&path, u64::MAX)?;
    let sha256 = sha256_hex(&bytes);
    let noted = record
        .journal
        .iter()
        .any(|line| matches!(line, Line::Backup { file: f, sha256: s, .. } if f == file && *s == sha256));
    if !noted {
        return Err(Failure::refused(format!("{file} is not the backup that the journal names"))
            .hint("The folder was changed by somebody else; nothing in it is believed."));
    }
    Ok(Some(bytes))
}

fn foreign(id: &str, hive: &PreparedHive) -> Failure {
    Failure::refused(format!(
        "the hive {} was written by somebody else since {id} was interrupted (Windows has probably started in between); nothing was written",
        hive.path.display_escaped()
    ))
    .hint("Run `coldmend undo` to take back value by value what is still there, then `coldmend repair` for a fresh look.")
}
