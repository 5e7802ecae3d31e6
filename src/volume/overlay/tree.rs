//! The tree of what was changed: folders that hold a change, new things, moved things.
//!
//! A folder that is not in the tree is as it is in the volume below. A moved folder is a node that
//! remembers where in the volume below it came from, so what is inside needs no copy.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use super::super::error::{Doing, VolumeError};
use super::super::escape::escape_name;
use super::super::path::VolPath;
use super::super::{Kind, Protected};
use super::file::SharedFile;

/// Something in the overlay that is not where, or as, it is in the volume below.
pub(super) enum Node {
    /// A folder with changes in it, or a new one.
    Dir(DirNode),
    /// A new or changed file.
    File(SharedFile),
    /// Anything of the volume below, unchanged, elsewhere: it is found there at `path`.
    Base { path: VolPath, kind: Kind },
}

impl Node {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Node::Dir(_) => Kind::Dir,
            Node::File(_) => Kind::File,
            Node::Base { kind, .. } => *kind,
        }
    }
}

/// A folder that holds changes.
pub(super) struct DirNode {
    /// Where it is in the volume below; a new one is not there.
    pub base: Option<VolPath>,
    /// What differs from the volume below, by exact name; `None` is what is not here any more.
    pub changed: BTreeMap<OsString, Option<Node>>,
    /// The protection, if the folder is new or was protected here.
    pub protected: Option<Protected>,
    /// When a new folder was made.
    pub modified: Option<SystemTime>,
}

/// What a path means.
pub(super) enum At<'t> {
    Dir(&'t DirNode),
    File(&'t SharedFile),
    /// As in the volume below, at this path there (if it is there).
    Base(VolPath),
    Gone,
}

/// The folder in a slot of the tree, made there if it is not in the tree yet; `below` is where it
/// is in the volume below, if nothing else is known.
fn folder_in(slot: &mut Option<Node>, below: Option<VolPath>) -> Option<&mut DirNode> {
    let base = match slot {
        Some(Node::Dir(_)) => None,
        Some(Node::File(_)) => return None,
        Some(Node::Base { path, .. }) => Some(Some(path.clone())),
        None => Some(below),
    };
    if let Some(base) = base {
        *slot = Some(Node::Dir(DirNode::over(base)));
    }
    match slot {
        Some(Node::Dir(dir)) => Some(dir),
        _ => None,
    }
}

impl DirNode {
    /// A folder of the volume below, without changes so far.
    pub(super) fn over(base: Option<VolPath>) -> Self {
        DirNode { base, changed: BTreeMap::new(), protected: None, modified: None }
    }

    /// A new folder.
    pub(super) fn created(protected: Protected) -> Self {
        DirNode { protected: Some(protected), modified: super::now(), ..DirNode::over(None) }
    }

    /// What stands at `path`, in the overlay's own spelling, seen from this folder (the root).
    pub(super) fn at(&self, path: &VolPath) -> Result<At<'_>, VolumeError> {
        let mut dir = self;
        let mut names = path.components();
        while let Some(name) = names.next() {
            let mut below = match dir.changed.get(name) {
                Some(Some(Node::Dir(inner))) => {
                    dir = inner;
                    continue;
                }
                Some(Some(Node::File(file))) if names.len() == 0 => return Ok(At::File(file)),
                Some(Some(Node::File(_)) | None) => return Ok(At::Gone),
                Some(Some(Node::Base { path, .. })) => path.clone(),
                None => match &dir.base {
                    Some(base) => base.child(name)?,
                    None => return Ok(At::Gone),
                },
            };
            for name in names {
                below = below.child(name)?;
            }
            return Ok(At::Base(below));
        }
        Ok(At::Dir(dir))
    }

    /// The node of a folder that exists, made if it is not in the tree yet.
    pub(super) fn materialise<'n>(
        &mut self,
        names: impl Iterator<Item = &'n OsStr>,
    ) -> Result<&mut DirNode, VolumeError> {
        let mut dir = self;
        for name in names {
            let below = match &dir.base {
                Some(base) => Some(base.child(name)?),
                None => None,
            };
            let slot = dir.changed.entry(name.to_owned()).or_insert(None);
            dir = folder_in(slot, below).ok_or_else(|| VolumeError::NotAsExpected {
                doing: Doing::Writing,
                path: VolPath::root(),
                found: format!("{} is not a folder", escape_name(name)),
            })?;
        }
        Ok(dir)
    }

    /// Bytes held by all files in the tree.
    pub(super) fn bytes(&self) -> u64 {
        self.changed
            .values()
            .flatten()
            .map(|node| match node {
                Node::Dir(dir) => dir.bytes(),
                Node::File(file) => file.borrow().bytes(),
                Node::Base { .. } => 0,
            })
            .fold(0, u64::saturating_add)
    }
}
