//! The registry half of a transaction: a plan's changes made on an image in memory, with every expectation checked, and
//! committed to the volume by the engine.

use coldmend_hives::{Commit, CommitError, DiskState, FileTime, Hive, LogStorages, RecoveryCommit, Storage};

use crate::error::{Failure, Kind as FailureKind, Result};
use crate::evidence::{log_regime, LoadedHive, Registry};
use crate::hivefile::HiveStorages;
use crate::plan::{Change, HiveName, Plan, RegValue};
use crate::volume::{VolPath, Volume};

/// A hive whose new contents are ready, and not written yet.
pub(super) struct PreparedHive {
    pub name: HiveName,
    pub path: VolPath,
    pub log_paths: [Option<VolPath>; 3],
    /// Written first where the file was dirty.
    pub recovery: Option<RecoveryCommit>,
    pub commit: Commit,
}

/// Makes the plan's changes on a loaded hive.
///
/// # Errors
/// A value that is not what the plan expects (refused), or an edit that the engine can't make.
pub(super) fn prepare(plan: &Plan, loaded: LoadedHive) -> Result<PreparedHive> {
    let LoadedHive { name, path, mut hive, logs, log_paths, recovery, .. } = loaded;
    for (_, change) in plan.hive_changes(name) {
        apply_change(&mut hive, change, FileTime(plan.time))?;
    }
    let commit = Commit::prepare(hive, &logs, log_regime(plan.binding.build), FileTime(plan.time)).map_err(|e| {
        Failure::from_error(FailureKind::Unreadable, e).context(format!("preparing the new {name} hive"))
    })?;
    Ok(PreparedHive { name, path, log_paths, recovery: recovery.map(|r| r.commit), commit })
}

/// One change, with its expectation checked against the image through the independent reader.
fn apply_change(hive: &mut Hive, change: &Change, now: FileTime) -> Result<()> {
    let edit = |r: Result<(), coldmend_hives::HiveError>| {
        r.map_err(|e| {
            Failure::from_error(FailureKind::Unreadable, e)
                .context(format!("changing {} in memory; nothing was written", change.place()))
        })
    };
    match change {
        Change::SetValue { key, name, before, after, .. } => {
            expect_value(hive, change, key, name, before.as_ref())?;
            edit(hive.set_value(key, name, after.data_type, &after.data, now))
        }
        Change::DeleteValue { key, name, before, .. } => {
            expect_value(hive, change, key, name, Some(before))?;
            edit(hive.delete_value(key, name, now))
        }
        Change::CreateKey { key, .. } => {
            if key_exists(hive, change, key)? {
                return Err(unexpected(change, "the key is already there", "no such key"));
            }
            let parent = key.rsplit_once('\\').map_or("", |(parent, _)| parent);
            if !key_exists(hive, change, parent)? {
                return Err(unexpected(change, &format!("there is no {parent}"), "the parent key"));
            }
            edit(hive.create_key(key, now))
        }
        Change::DeleteKey { key, .. } => {
            if !key_exists(hive, change, key)? {
                return Err(unexpected(change, "no such key", "the key"));
            }
            let registry = registry(hive, change)?;
            let read = |e: crate::evidence::RegistryError| crate::evidence::hive_failure_for(change, &e);
            let inside = registry.subkeys(key).map_err(read)?.len() + registry.value_names(key).map_err(read)?.len();
            if inside > 0 {
                return Err(unexpected(change, &format!("the key holds {inside} values or subkeys"), "an empty key"));
            }
            edit(hive.delete_key(key, now))
        }
        Change::CreateFolder { .. } | Change::RemoveFolder { .. } | Change::Rename { .. } => Ok(()),
    }
}

fn registry<'a>(hive: &'a Hive, change: &Change) -> Result<Registry<'a>> {
    Registry::new(hive.bytes()).map_err(|e| crate::evidence::hive_failure_for(change, &e))
}

fn key_exists(hive: &Hive, change: &Change, key: &str) -> Result<bool> {
    registry(hive, change)?.key_exists(key).map_err(|e| crate::evidence::hive_failure_for(change, &e))
}

fn expect_value(hive: &Hive, change: &Change, key: &str, name: &str, expected: Option<&RegValue>) -> Result<()> {
    let registry = registry(hive, change)?;
    let read = |e: crate::evidence::RegistryError| crate::evidence::hive_failure_for(change, &e);
    if !registry.key_exists(key).map_err(read)? {
        return Err(unexpected(change, "no such key", "the key"));
    }
    let found = registry.value(key, name).map_err(read)?;
    if found.as_ref() == expected {
        return Ok(());
    }
    let show = |v: Option<&RegValue>| v.map_or_else(|| "absent".to_string(), ToString::to_string);
    Err(unexpected(change, &show(found.as_ref()), &show(expected)))
}

fn unexpected(change: &Change, found: &str, expected: &str) -> Failure {
    Failure::refused(format!(
        "{} is not what the plan expects: found {found}, expected {expected}; nothing was written",
        change.place()
    ))
    .hint("The volume has changed since the plan was made. Run diagnose and repair again.")
}

/// Opens and locks the hive's files for writing; writes nothing.
///
/// # Errors
/// Somebody else has one of them, or this user may not write it.
pub(super) fn open<'v>(volume: &'v dyn Volume, hive: &PreparedHive) -> Result<HiveStorages<Box<dyn Storage + 'v>>> {
    HiveStorages::open(volume, &hive.path, &hive.log_paths)
}

/// Writes the new contents by Windows' own protocol, after the recovered hive where the file was dirty.
pub(super) fn commit(mut open: HiveStorages<Box<dyn Storage + '_>>, hive: &PreparedHive) -> Result<()> {
    write(&mut open, hive, |primary, logs| {
        recover_first(hive, primary, logs)?;
        hive.commit.execute(primary, logs).map(|_| ())
    })
}

/// Finishes a commit that was cut.
pub(super) fn finish(volume: &dyn Volume, hive: &PreparedHive) -> Result<()> {
    write(&mut open(volume, hive)?, hive, |primary, logs| {
        recover_first(hive, primary, logs)?;
        hive.commit.finish(primary, logs).map(|_| ())
    })
}

/// Puts the hive back to what it was. A recovery that was cut is completed instead: that is what Windows makes of the
/// dirty hive in any case.
pub(super) fn take_back(volume: &dyn Volume, hive: &PreparedHive) -> Result<()> {
    write(&mut open(volume, hive)?, hive, |primary, logs| {
        if let (Some(recovery), DiskState::Foreign) = (&hive.recovery, hive.commit.position(&*primary)?) {
            return match recovery.position(&*primary)? {
                DiskState::Before => Ok(()),
                _ => recovery.execute(primary, logs).map(|_| ()),
            };
        }
        hive.commit.take_back(primary, logs).map(|_| ())
    })
}

/// Writes the recovered hive, unless the file is past that already.
fn recover_first(
    hive: &PreparedHive,
    primary: &mut dyn Storage,
    logs: &mut LogStorages<'_>,
) -> Result<(), CommitError> {
    if let (Some(recovery), DiskState::Foreign) = (&hive.recovery, hive.commit.position(&*primary)?) {
        recovery.execute(primary, logs)?;
    }
    Ok(())
}

fn write(
    open: &mut HiveStorages<Box<dyn Storage + '_>>,
    hive: &PreparedHive,
    step: impl FnOnce(&mut dyn Storage, &mut LogStorages<'_>) -> Result<(), CommitError>,
) -> Result<()> {
    let (primary, mut logs) = open.parts();
    step(primary, &mut logs).map_err(|e| write_failure(hive, e))
}

/// Where the hive on the volume stands between before and after. A file that differs anywhere else than where the commit
/// writes was changed by somebody else, and is foreign.
pub(super) fn position(volume: &dyn Volume, hive: &PreparedHive) -> Result<DiskState> {
    let disk = coldmend_hives::MemoryStorage(volume.read(&hive.path, u64::MAX)?);
    let state = hive.commit.position(&disk).map_err(|e| write_failure(hive, e))?;
    match (&hive.recovery, state) {
        (Some(recovery), DiskState::Foreign) => {
            let state = recovery.position(&disk).map_err(|e| write_failure(hive, e))?;
            Ok(if same_elsewhere(&disk.0, recovery.after(), &recovery.ranges()) { state } else { DiskState::Foreign })
        }
        _ if same_elsewhere(&disk.0, hive.commit.after(), &hive.commit.ranges()) => Ok(state),
        _ => Ok(DiskState::Foreign),
    }
}

/// Whether a file equals an image outside the first sector and the ranges that a commit writes, as far as both reach.
fn same_elsewhere(disk: &[u8], image: &[u8], ranges: &[(u64, usize)]) -> bool {
    /// The part of the base block that a commit writes.
    const HEADER: usize = 512;
    let end = disk.len().min(image.len());
    let mut from = HEADER;
    for (offset, len) in ranges {
        let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(end);
        if start > from && disk.get(from..start) != image.get(from..start) {
            return false;
        }
        from = from.max(start.saturating_add(*len));
    }
    from >= end || disk.get(from..end) == image.get(from..end)
}

fn write_failure(hive: &PreparedHive, error: impl Into<anyhow::Error>) -> Failure {
    Failure::from_error(FailureKind::Partial, error)
        .context(format!("writing the hive {}", hive.path.display_escaped()))
}
