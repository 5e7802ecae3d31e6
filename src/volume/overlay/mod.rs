//! A volume whose changes stay in memory: what a dry run is made of.
//!
//! The repair runs as it always does, over an [`Overlay`] instead of the volume itself; there is no
//! "if dry run" anywhere. Reading goes through to the volume below until something is changed; a
//! changed file keeps the pages that differ, a renamed folder only where it came from.
//!
//! The rules and the errors are those of the volume below (one walk, [`super::walk`], and one suite
//! of tests for both). Two things can't be foreseen from above: that the system will deny a write,
//! and that the disk will run full; ask [`Volume::writable`] and [`Volume::free_space`] of the
//! volume itself.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use coldmend_hives::Storage;

use super::error::{Doing, VolumeError};
use super::fold::FoldedName;
use super::path::VolPath;
use super::walk::{not_a_file, only_one, too_many, Located, Walk};
use super::{Entry, FileSecurity, Found, Kind, MountInfo, Protected, Protection, Volume, Writability};

mod file;
mod tree;

use file::{FileNode, OverlayStorage, SharedFile};
use tree::{At, DirNode, Node};

/// A volume over another, with every change kept in memory.
pub struct Overlay<'a> {
    base: &'a dyn Volume,
    root: RefCell<DirNode>,
}

/// A folder of the overlay.
pub(super) struct OverlayDir {
    path: VolPath,
}

/// Where a file's content is.
enum Content {
    /// In the volume below, unchanged, at this path.
    Base(VolPath),
    /// Changed, or new.
    Changed(SharedFile),
}

impl<'a> Overlay<'a> {
    /// An overlay without changes.
    #[must_use]
    pub fn new(base: &'a dyn Volume) -> Self {
        Overlay { base, root: RefCell::new(DirNode::over(Some(VolPath::root()))) }
    }

    /// Bytes of memory that the contents of changed and new files take.
    #[must_use]
    pub fn changed_bytes(&self) -> u64 {
        self.root.borrow().bytes()
    }

    /// Tells an error of the volume below as one of this operation: at the place where the thing
    /// is in the overlay, which may be another after a rename.
    fn retell<'e>(
        doing: &'e Doing,
        wanted: &'e VolPath,
        base: &'e VolPath,
        here: &'e VolPath,
    ) -> impl Fn(VolumeError) -> VolumeError + 'e {
        move |e| e.retell(doing, wanted, base, here)
    }

    /// The entries of the folder at `path` (as spelled in the overlay).
    fn entries(&self, doing: &Doing, path: &VolPath) -> Result<Vec<Entry>, VolumeError> {
        let root = self.root.borrow();
        let (base, changed) = match root.at(path)? {
            At::Dir(dir) => (dir.base.clone(), Some(&dir.changed)),
            At::Base(base) => (Some(base), None),
            At::File(_) | At::Gone => (None, None),
        };
        let mut entries = match &base {
            Some(base) => self.base.list(base).map_err(Self::retell(doing, path, base, path))?,
            None => Vec::new(),
        };
        if let Some(changed) = changed {
            entries.retain(|entry| !changed.contains_key(&entry.name));
            for (name, node) in changed {
                if let Some(node) = node {
                    too_many(entries.len(), doing, path)?;
                    entries.push(Entry { name: name.clone(), kind: node.kind() });
                }
            }
        }
        Ok(entries)
    }

    /// Opens a regular file.
    fn open_file(&self, doing: &Doing, path: &VolPath) -> Result<(Content, Located<OverlayDir>), VolumeError> {
        if path.is_root() {
            return Err(not_a_file(doing, path, Kind::Dir));
        }
        let at = self.locate(doing, path)?;
        if at.kind != Kind::File {
            return Err(not_a_file(doing, &at.path, at.kind));
        }
        let content = match self.root.borrow().at(&at.path)? {
            At::Base(base) => Content::Base(base),
            At::File(file) => Content::Changed(file.clone()),
            At::Dir(_) | At::Gone => return Err(not_a_file(doing, &at.path, Kind::Dir)),
        };
        Ok((content, at))
    }

    /// Opens a regular file for changing it: from now on it is the overlay's.
    fn open_for_writing(&self, doing: Doing, path: &VolPath) -> Result<(SharedFile, VolPath), VolumeError> {
        let (content, at) = self.open_file(&doing, path)?;
        let file = match content {
            Content::Changed(file) => file,
            Content::Base(base) => {
                let found = self.base.find(&base).map_err(Self::retell(&doing, path, &base, &at.path))?;
                let Some(found) = found else {
                    return Err(VolumeError::NotFound { doing, path: path.clone(), missing: at.path });
                };
                if found.links > 1 {
                    return Err(VolumeError::HardLinked { doing, path: at.path, links: found.links });
                }
                let file = FileNode::over(base, &found);
                let mut root = self.root.borrow_mut();
                root.materialise(at.parent.path.components())?.changed.insert(at.name, Some(Node::File(file.clone())));
                file
            }
        };
        Ok((file, at.path))
    }

    fn parent_passes_protection_on(&self, parent: &VolPath) -> bool {
        match self.root.borrow().at(parent) {
            Ok(At::Dir(DirNode { protected: Some(protected), .. })) => *protected == Protected::Dacl,
            Ok(At::Dir(DirNode { base: Some(base), .. })) => self.base.protection(base) == Ok(Protected::Dacl),
            Ok(At::Base(base)) => self.base.protection(&base) == Ok(Protected::Dacl),
            _ => false,
        }
    }

    /// What protection the volume below would give to something new.
    fn protected(&self, parent: &VolPath, asked: bool) -> Protected {
        if self.base.mount_info().is_some_and(|m| m.is_ntfs) {
            if asked || self.parent_passes_protection_on(parent) {
                Protected::Dacl
            } else {
                Protected::Plain
            }
        } else if asked && cfg!(unix) {
            Protected::Mode
        } else {
            Protected::Plain
        }
    }

    /// Takes an entry out of its folder.
    fn take(&self, at: &Located<OverlayDir>) -> Result<Option<Node>, VolumeError> {
        let mut root = self.root.borrow_mut();
        let here = match root.at(&at.path)? {
            At::Base(base) => Some(Node::Base { path: base, kind: at.kind }),
            _ => None,
        };
        let parent = root.materialise(at.parent.path.components())?;
        let known = if parent.base.is_some() {
            parent.changed.insert(at.name.clone(), None)
        } else {
            parent.changed.remove(&at.name)
        };
        Ok(known.flatten().or(here))
    }

    fn put(&self, at: Located<OverlayDir>, node: Node) -> Result<(), VolumeError> {
        self.root.borrow_mut().materialise(at.parent.path.components())?.changed.insert(at.name, Some(node));
        Ok(())
    }
}

impl Walk for Overlay<'_> {
    type Dir = OverlayDir;

    fn top(&self, _: &Doing) -> Result<OverlayDir, VolumeError> {
        Ok(OverlayDir { path: VolPath::root() })
    }

    fn place<'d>(&self, dir: &'d OverlayDir) -> &'d VolPath {
        &dir.path
    }

    fn lookup(
        &self,
        doing: &Doing,
        wanted: &VolPath,
        dir: &OverlayDir,
        name: &OsStr,
    ) -> Result<Option<(OsString, Kind)>, VolumeError> {
        let folded = FoldedName::new(name);
        let base = {
            let root = self.root.borrow();
            match root.at(&dir.path)? {
                At::Base(base) => Some(base),
                At::Dir(here) if !here.changed.keys().any(|n| FoldedName::new(n) == folded) => match &here.base {
                    Some(base) => Some(base.clone()),
                    None => return Ok(None),
                },
                _ => None,
            }
        };
        if let Some(base) = base {
            // Nothing of that name was changed: the volume below knows, and has an index.
            let found = self.base.find(&base.child(name)?).map_err(Self::retell(doing, wanted, &base, &dir.path))?;
            return Ok(found.and_then(|f| Some((f.path.file_name()?.to_owned(), f.kind))));
        }
        let several = self
            .entries(doing, &dir.path)?
            .into_iter()
            .filter(|entry| FoldedName::new(&entry.name) == folded)
            .map(|entry| (entry.name, entry.kind))
            .collect();
        only_one(several, doing, wanted, &dir.path)
    }

    fn enter(&self, _: &Doing, _: &VolPath, dir: &OverlayDir, name: &OsStr) -> Result<OverlayDir, VolumeError> {
        // If the volume below refuses to go in there (another file system), it says so as soon as
        // it is asked for anything inside.
        let path = dir.path.child(name)?;
        Ok(OverlayDir { path })
    }
}

impl Volume for Overlay<'_> {
    fn describe(&self) -> String {
        self.base.describe()
    }

    fn list(&self, dir: &VolPath) -> Result<Vec<Entry>, VolumeError> {
        let doing = Doing::Listing;
        let dir = self.open_dir(&doing, dir, dir)?;
        self.entries(&doing, &dir.path)
    }

    fn find(&self, path: &VolPath) -> Result<Option<Found>, VolumeError> {
        let doing = Doing::LookingFor;
        if path.is_root() {
            return self.base.find(path);
        }
        let at = match self.locate(&doing, path) {
            Ok(at) => at,
            Err(VolumeError::NotFound { .. } | VolumeError::NotADirectory { .. }) => return Ok(None),
            Err(e) => return Err(e),
        };
        let base = match self.root.borrow().at(&at.path)? {
            At::File(file) => return Ok(Some(file.borrow().found(at.path))),
            At::Gone => return Ok(None),
            At::Base(base) => base,
            At::Dir(DirNode { base: Some(base), .. }) => base.clone(),
            At::Dir(dir) => {
                return Ok(Some(Found { path: at.path, kind: Kind::Dir, len: 0, links: 1, modified: dir.modified }))
            }
        };
        let found = self.base.find(&base).map_err(Self::retell(&doing, path, &base, &at.path))?;
        Ok(found.map(|found| Found { path: at.path, ..found }))
    }

    fn read(&self, path: &VolPath, limit: u64) -> Result<Vec<u8>, VolumeError> {
        let doing = Doing::Reading;
        match self.open_file(&doing, path)? {
            (Content::Base(base), at) => {
                self.base.read(&base, limit).map_err(Self::retell(&doing, path, &base, &at.path))
            }
            (Content::Changed(file), at) => {
                let file = file.borrow();
                let len = usize::try_from(file.len()).ok().filter(|_| file.len() <= limit);
                let Some(len) = len else {
                    return Err(VolumeError::TooLarge { doing, path: at.path, len: file.len(), limit });
                };
                let mut data = vec![0; len];
                let got = file.read_at(self.base, 0, &mut data)?;
                data.truncate(got);
                Ok(data)
            }
        }
    }

    fn read_at(&self, path: &VolPath, offset: u64, buf: &mut [u8]) -> Result<usize, VolumeError> {
        let doing = Doing::Reading;
        match self.open_file(&doing, path)? {
            (Content::Base(base), at) => {
                self.base.read_at(&base, offset, buf).map_err(Self::retell(&doing, path, &base, &at.path))
            }
            (Content::Changed(file), _) => file.borrow().read_at(self.base, offset, buf),
        }
    }

    fn read_link(&self, path: &VolPath) -> Result<OsString, VolumeError> {
        let doing = Doing::Reading;
        let at = self.locate(&doing, path)?;
        if at.kind != Kind::Link {
            return Err(VolumeError::NotALink { doing, path: at.path, found: at.kind });
        }
        let base = match self.root.borrow().at(&at.path)? {
            At::Base(base) => base,
            _ => at.path.clone(), // links are never made here
        };
        self.base.read_link(&base).map_err(Self::retell(&doing, path, &base, &at.path))
    }

    fn free_space(&self) -> Result<u64, VolumeError> {
        Ok(self.base.free_space()?.saturating_sub(self.changed_bytes()))
    }

    fn writable(&self) -> Result<Writability, VolumeError> {
        Ok(Writability::ReadWrite)
    }

    fn mount_info(&self) -> Option<MountInfo> {
        self.base.mount_info()
    }

    fn serial(&self) -> Option<u64> {
        self.base.serial()
    }

    fn is_running_system(&self) -> bool {
        self.base.is_running_system()
    }

    fn open_storage(&self, path: &VolPath) -> Result<Box<dyn Storage + '_>, VolumeError> {
        let doing = Doing::OpeningForWriting;
        let (file, real) = self.open_for_writing(doing.clone(), path)?;
        match OverlayStorage::open(self.base, file) {
            Some(storage) => Ok(Box::new(storage)),
            None => Err(VolumeError::Locked { doing, path: real }),
        }
    }

    fn create_dir(&self, path: &VolPath, protection: Protection) -> Result<Protected, VolumeError> {
        let at = self.locate_new(&Doing::CreatingFolder, path, path)?;
        let asked = protection == Protection::AdministratorsOnly;
        let protected = self.protected(&at.parent.path, asked);
        self.put(at, Node::Dir(DirNode::created(protected)))?;
        Ok(protected)
    }

    fn protect(&self, dir: &VolPath) -> Result<Protected, VolumeError> {
        let doing = Doing::Protecting;
        let at = self.locate(&doing, dir)?;
        let opened = self.open_dir(&doing, dir, dir)?;
        let protected = self.protected(&at.parent.path, true);
        self.root.borrow_mut().materialise(opened.path.components())?.protected = Some(protected);
        Ok(protected)
    }

    fn protection(&self, path: &VolPath) -> Result<Protected, VolumeError> {
        let doing = Doing::LookingFor;
        let (here, base) = if path.is_root() {
            (path.clone(), path.clone())
        } else {
            let at = self.locate(&doing, path)?;
            let base = match self.root.borrow().at(&at.path)? {
                At::Base(base) => base,
                At::Dir(dir) => match (&dir.protected, &dir.base) {
                    (Some(protected), _) => return Ok(*protected),
                    (None, Some(base)) => base.clone(),
                    (None, None) => return Ok(Protected::Plain),
                },
                At::File(file) => match file.borrow().origin() {
                    Ok(protected) => return Ok(protected),
                    Err(base) => base,
                },
                At::Gone => return Ok(Protected::Plain),
            };
            (at.path, base)
        };
        self.base.protection(&base).map_err(Self::retell(&doing, path, &base, &here))
    }

    fn security(&self, path: &VolPath) -> Result<Option<FileSecurity>, VolumeError> {
        let doing = Doing::LookingFor;
        let here = if path.is_root() { path.clone() } else { self.locate(&doing, path)?.path };
        let base = match self.root.borrow().at(&here)? {
            At::Base(base) => Some(base),
            // What was protected here has another descriptor than the one below.
            At::Dir(dir) => dir.base.clone().filter(|_| dir.protected.is_none()),
            At::File(file) => file.borrow().origin().err(),
            At::Gone => None,
        };
        let Some(base) = base else { return Ok(None) };
        self.base.security(&base).map_err(Self::retell(&doing, path, &base, &here))
    }

    fn write_new(&self, path: &VolPath, data: &[u8]) -> Result<(), VolumeError> {
        let at = self.locate_new(&Doing::CreatingFile, path, path)?;
        // A file that is created is its owner's only, where the file system knows that.
        let ntfs = self.base.mount_info().is_some_and(|m| m.is_ntfs);
        let protected = self.protected(&at.parent.path, !ntfs);
        let file = FileNode::created(data, protected);
        self.put(at, Node::File(file))
    }

    fn append(&self, path: &VolPath, data: &[u8]) -> Result<(), VolumeError> {
        let (file, _) = self.open_for_writing(Doing::Appending, path)?;
        let mut file = file.borrow_mut();
        let end = file.len();
        file.write_at(self.base, end, data)
    }

    fn rename(&self, from: &VolPath, to: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::Renaming { to: to.clone() };
        let (source, new) = self.locate_rename(&doing, from, to)?;
        let gone = source.path.clone();
        match self.take(&source)? {
            Some(node) => self.put(new, node),
            None => Err(VolumeError::NotFound { doing, path: from.clone(), missing: gone }),
        }
    }

    fn remove_file(&self, path: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::RemovingFile;
        let at = self.locate(&doing, path)?;
        match at.kind {
            Kind::File | Kind::Link => self.take(&at).map(|_| ()),
            found => Err(not_a_file(&doing, &at.path, found)),
        }
    }

    fn remove_empty_dir(&self, path: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::RemovingFolder;
        let at = self.locate(&doing, path)?;
        if at.kind != Kind::Dir {
            return Err(VolumeError::NotADirectory { doing, path: path.clone(), at: at.path, found: at.kind });
        }
        if !self.entries(&doing, &at.path)?.is_empty() {
            return Err(VolumeError::NotEmpty { doing, path: at.path });
        }
        self.take(&at).map(|_| ())
    }

    fn sync_dir(&self, dir: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::Flushing;
        let dir = self.open_dir(&doing, dir, dir)?;
        self.entries(&doing, &dir.path).map(|_| ())
    }
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("base", &self.base.describe()).finish_non_exhaustive()
    }
}

/// The moment of a change.
fn now() -> Option<SystemTime> {
    Some(SystemTime::now())
}
