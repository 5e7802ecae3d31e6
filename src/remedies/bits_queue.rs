//! `bits-queue`: the queue's files moved into a sibling folder; the folder itself, which others use too, stays.

use crate::checks::{queue_files, queue_folder};
use crate::error::Result;
use crate::plan::{Change, ObjectKind};
use crate::transaction::{free_name, object_kind};
use crate::volume::Kind;

use super::caches::move_aside;
use super::{Output, Request};

pub(super) fn changes(request: &Request<'_>, output: &mut Output) -> Result<()> {
    if request.defects().next().is_none() && !request.forced() {
        return Ok(());
    }
    let volume = request.context.volume;
    let folder = queue_folder(request.context.installation.version.build);
    let Some(found) = volume.find(&folder)? else { return Ok(()) };
    if found.kind != Kind::Dir {
        return move_aside(volume, &found.path, output);
    }
    let files = queue_files(volume, &found.path)?;
    if files.is_empty() {
        return Ok(());
    }
    let aside = free_name(volume, &found.path, "old")?;
    output.changes.push(Change::CreateFolder { path: aside.clone() });
    for from in files {
        let object = volume.find(&from)?.and_then(|f| object_kind(f.kind)).unwrap_or(ObjectKind::File);
        let to = match from.file_name() {
            Some(name) => aside.child(name)?,
            None => continue,
        };
        output.changes.push(Change::Rename { object, from, to });
    }
    Ok(())
}
