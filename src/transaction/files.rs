//! The file half of a transaction: renames and folders, each with the state that it expects to find.

use crate::error::{Context, Failure, Result};
use crate::plan::{Change, ObjectKind};
use crate::volume::{Kind, Protection, VolPath, Volume};

/// Where a file change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileState {
    /// As the plan expects it: not done.
    Before,
    /// Done.
    After,
    /// A rename with something under both names: done, and something fresh was made since; or never done, and the new name
    /// was taken by somebody else.
    Both,
}

/// The plan's word for what the volume shows.
pub(crate) fn object_kind(kind: Kind) -> Option<ObjectKind> {
    match kind {
        Kind::File => Some(ObjectKind::File),
        Kind::Dir => Some(ObjectKind::Folder),
        Kind::Link => Some(ObjectKind::Link),
        Kind::Other => None,
    }
}

fn kind_at(volume: &dyn Volume, path: &VolPath) -> Result<Option<Kind>> {
    Ok(volume.find(path).doing(|| format!("looking at {}", path.display_escaped()))?.map(|f| f.kind))
}

/// Looks where a change stands.
///
/// # Errors
/// Neither before nor after (refused), or the volume can't be read.
pub(super) fn state(volume: &dyn Volume, change: &Change) -> Result<FileState> {
    match change {
        Change::Rename { object, from, to } => {
            let (here, there) = (kind_at(volume, from)?, kind_at(volume, to)?);
            let is = |kind: Option<Kind>| kind.and_then(object_kind) == Some(*object);
            match (here, there) {
                (Some(_), None) if is(here) => Ok(FileState::Before),
                (None, Some(_)) if is(there) => Ok(FileState::After),
                (Some(_), Some(_)) if is(there) => Ok(FileState::Both),
                _ => Err(unexpected(change, &format!("{} and {}", seen(here), seen(there)))),
            }
        }
        Change::CreateFolder { path } => match kind_at(volume, path)? {
            None => Ok(FileState::Before),
            Some(Kind::Dir) => Ok(FileState::After),
            other => Err(unexpected(change, seen(other))),
        },
        Change::RemoveFolder { path } => match kind_at(volume, path)? {
            None => Ok(FileState::After),
            Some(Kind::Dir) => Ok(FileState::Before),
            other => Err(unexpected(change, seen(other))),
        },
        _ => Ok(FileState::Before),
    }
}

fn seen(kind: Option<Kind>) -> &'static str {
    match kind {
        None => "nothing",
        Some(Kind::File) => "a file",
        Some(Kind::Dir) => "a folder",
        Some(Kind::Link) => "a link",
        Some(Kind::Other) => "something that is neither file, folder nor link",
    }
}

pub(super) fn unexpected(change: &Change, found: &str) -> Failure {
    let expected = match change {
        Change::Rename { from, to, .. } => {
            format!("{} there and {} free", from.display_escaped(), to.display_escaped())
        }
        _ => "what the plan says".into(),
    };
    Failure::refused(format!("{} is not what the plan expects: found {found}, expected {expected}", change.place()))
        .hint("The volume has changed since the plan was made. Run diagnose and repair again.")
}

/// Makes a change.
pub(super) fn apply(volume: &dyn Volume, change: &Change) -> Result<()> {
    match change {
        Change::Rename { from, to, .. } => volume.rename(from, to)?,
        Change::CreateFolder { path } => {
            volume.create_dir(path, Protection::Plain)?;
        }
        Change::RemoveFolder { path } => volume.remove_empty_dir(path)?,
        _ => {}
    }
    Ok(())
}

/// Takes a change back that was made in this same run.
pub(super) fn take_back(volume: &dyn Volume, change: &Change) -> Result<()> {
    match change {
        Change::Rename { from, to, .. } => volume.rename(to, from)?,
        Change::CreateFolder { path } => volume.remove_empty_dir(path)?,
        Change::RemoveFolder { path } => {
            volume.create_dir(path, Protection::Plain)?;
        }
        _ => {}
    }
    Ok(())
}
