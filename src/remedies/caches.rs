//! `update-cache` and `catalog-cache`: the folder renamed, never emptied or deleted; Windows makes a fresh one.

use crate::checks::{CATALOG_CACHE, UPDATE_CACHE};
use crate::error::Result;
use crate::findings::Defect;
use crate::plan::{Change, ObjectKind};
use crate::transaction::{free_name, object_kind};
use crate::volume::{Kind, VolPath, Volume};

use super::{Output, Request};

pub(super) fn update_cache(request: &Request<'_>, output: &mut Output) -> Result<()> {
    let volume = request.context.volume;
    let folder = request.context.in_windows(UPDATE_CACHE)?;
    let Some(path) = affected(request, &folder)? else { return Ok(()) };
    if request.options.keep_history {
        let Some(found) = volume.find(&path)?.filter(|f| f.kind == Kind::Dir) else {
            // Without a folder there is no history to keep.
            return move_aside(volume, &path, output);
        };
        if let Some(download) = volume.find(&found.path.join("Download")?)? {
            output.warnings.push(
                "--keep-history keeps DataStore, also where it is damaged; if updating still fails, repair again without it".into(),
            );
            return move_aside(volume, &download.path, output);
        }
        return Ok(());
    }
    if volume.find(&path.join("DataStore")?).is_ok_and(|f| f.is_some()) {
        output.warnings.push(
            "the list of installed updates in Settings starts anew with the update cache; the updates stay installed (--keep-history keeps the list)".into(),
        );
    }
    move_aside(volume, &path, output)
}

pub(super) fn catalog_cache(request: &Request<'_>, output: &mut Output) -> Result<()> {
    let folder = request.context.in_windows(CATALOG_CACHE)?;
    match affected(request, &folder)? {
        Some(path) => move_aside(request.context.volume, &path, output),
        None => Ok(()),
    }
}

/// The cache to move aside: the one that a finding names, or the one that is there when the remedy is forced.
fn affected(request: &Request<'_>, folder: &VolPath) -> Result<Option<VolPath>> {
    let named = request.defects().find_map(|d| match d {
        Defect::Cache { path } => Some(path.clone()),
        _ => None,
    });
    if named.is_some() || !request.forced() {
        return Ok(named);
    }
    Ok(request.context.volume.find(folder)?.map(|f| f.path))
}

/// Renames what is at `path` to the first free `.old`.
pub(super) fn move_aside(volume: &dyn Volume, path: &VolPath, output: &mut Output) -> Result<()> {
    let Some(found) = volume.find(path)? else { return Ok(()) };
    let object = object_kind(found.kind).unwrap_or(ObjectKind::File);
    let to = free_name(volume, &found.path, "old")?;
    output.changes.push(Change::Rename { object, from: found.path, to });
    Ok(())
}
