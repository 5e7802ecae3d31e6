//! Finding the way: the same steps, and the same errors, for every kind of volume.
//!
//! A volume says how to look a name up in an open folder and how to enter a subfolder; what a link,
//! a file or nothing on the way means is decided here, once.

use std::ffi::{OsStr, OsString};

use super::error::{Doing, VolumeError};
use super::path::VolPath;
use super::{Kind, MAX_ENTRIES};

/// An existing entry, with its folder open.
pub(super) struct Located<D> {
    pub parent: D,
    /// As spelled on the volume.
    pub name: OsString,
    /// As spelled on the volume.
    pub path: VolPath,
    pub kind: Kind,
}

/// The source and the destination of a rename.
pub(super) type BothEnds<D> = (Located<D>, Located<D>);

/// A volume that can be walked.
pub(super) trait Walk {
    /// A folder, open.
    type Dir;

    fn top(&self, doing: &Doing) -> Result<Self::Dir, VolumeError>;

    /// Where an open folder is, as spelled on the volume.
    fn place<'d>(&self, dir: &'d Self::Dir) -> &'d VolPath;

    /// The entry of `dir` whose name is `name` but for case; several are an error. `wanted` is
    /// what the caller was asked for, for messages.
    fn lookup(
        &self,
        doing: &Doing,
        wanted: &VolPath,
        dir: &Self::Dir,
        name: &OsStr,
    ) -> Result<Option<(OsString, Kind)>, VolumeError>;

    /// Opens the subfolder `name` of `dir`, as spelled on the volume.
    fn enter(&self, doing: &Doing, wanted: &VolPath, dir: &Self::Dir, name: &OsStr) -> Result<Self::Dir, VolumeError>;

    /// Opens the folder `dir`.
    fn open_dir(&self, doing: &Doing, wanted: &VolPath, dir: &VolPath) -> Result<Self::Dir, VolumeError> {
        let mut at = self.top(doing)?;
        for name in dir.components() {
            at = match self.lookup(doing, wanted, &at, name)? {
                Some((real, Kind::Dir)) => self.enter(doing, wanted, &at, &real)?,
                Some((real, Kind::Link)) => {
                    return Err(VolumeError::LinkOnPath {
                        doing: doing.clone(),
                        path: wanted.clone(),
                        link: self.place(&at).child(real)?,
                    })
                }
                Some((real, found)) => {
                    return Err(VolumeError::NotADirectory {
                        doing: doing.clone(),
                        path: wanted.clone(),
                        at: self.place(&at).child(real)?,
                        found,
                    })
                }
                None => {
                    return Err(VolumeError::NotFound {
                        doing: doing.clone(),
                        path: wanted.clone(),
                        missing: self.place(&at).child(name)?,
                    })
                }
            };
        }
        Ok(at)
    }

    /// Finds an existing entry that is not the root.
    fn locate(&self, doing: &Doing, path: &VolPath) -> Result<Located<Self::Dir>, VolumeError> {
        let (parent, name) = split(doing, path)?;
        let parent = self.open_dir(doing, path, &parent)?;
        match self.lookup(doing, path, &parent, name)? {
            Some((name, kind)) => Ok(Located { path: self.place(&parent).child(&name)?, parent, name, kind }),
            None => Err(VolumeError::NotFound {
                doing: doing.clone(),
                path: path.clone(),
                missing: self.place(&parent).child(name)?,
            }),
        }
    }

    /// Opens the folder in which `new` is to be created, and makes sure that the name is free.
    /// `wanted` is for messages: the source of a rename, or `new` itself.
    fn locate_new(&self, doing: &Doing, wanted: &VolPath, new: &VolPath) -> Result<Located<Self::Dir>, VolumeError> {
        let (parent, name) = split(doing, new)?;
        let parent = self.open_dir(doing, wanted, &parent)?;
        match self.lookup(doing, wanted, &parent, name)? {
            None => {
                Ok(Located { path: self.place(&parent).child(name)?, name: name.to_owned(), parent, kind: Kind::Other })
            }
            Some((existing, _)) => Err(VolumeError::Exists {
                doing: doing.clone(),
                path: wanted.clone(),
                existing: self.place(&parent).child(existing)?,
            }),
        }
    }

    /// Both ends of a rename.
    fn locate_rename(&self, doing: &Doing, from: &VolPath, to: &VolPath) -> Result<BothEnds<Self::Dir>, VolumeError> {
        let source = self.locate(doing, from)?;
        if to.starts_with(from) && !to.same_place(from) {
            return Err(VolumeError::IntoItself { doing: doing.clone(), path: from.clone() });
        }
        Ok((source, self.locate_new(doing, from, to)?))
    }
}

/// The parent and the last name of a path that is not the root.
fn split<'p>(doing: &Doing, path: &'p VolPath) -> Result<(VolPath, &'p OsStr), VolumeError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(VolumeError::IsRoot { doing: doing.clone(), path: path.clone() }),
    }
}

/// The one among `names` (which are all the same to NTFS).
pub(super) fn only_one(
    mut several: Vec<(OsString, Kind)>,
    doing: &Doing,
    wanted: &VolPath,
    folder: &VolPath,
) -> Result<Option<(OsString, Kind)>, VolumeError> {
    if several.len() < 2 {
        return Ok(several.pop());
    }
    let mut names: Vec<OsString> = several.into_iter().map(|(name, _)| name).collect();
    names.sort();
    Err(VolumeError::Ambiguous { doing: doing.clone(), path: wanted.clone(), folder: folder.clone(), names })
}

/// Bounds a listing.
pub(super) fn too_many(count: usize, doing: &Doing, path: &VolPath) -> Result<(), VolumeError> {
    if count < MAX_ENTRIES {
        return Ok(());
    }
    Err(VolumeError::TooManyEntries { doing: doing.clone(), path: path.clone(), limit: MAX_ENTRIES })
}

/// Something else than the regular file that was expected.
pub(super) fn not_a_file(doing: &Doing, path: &VolPath, found: Kind) -> VolumeError {
    VolumeError::NotAFile { doing: doing.clone(), path: path.clone(), found }
}
