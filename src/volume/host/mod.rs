//! A volume that is a folder of this machine: a mount point, or any folder that holds a Windows.
//!
//! Everything goes through handles: the folder is opened once, and from there every component by
//! itself, relative to the handle of the one before, never following a link (`O_NOFOLLOW`, or
//! Windows' flag for reparse points). No path is ever given to the system as a whole, so nothing on
//! the volume can lead elsewhere, not even a link that is planted between two steps. How that is
//! done is in `sys`, one file per system: `cap-std` and `rustix` on Unix, Windows' native calls there.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

use coldmend_hives::Storage;

use super::error::{Doing, VolumeError};
use super::escape::escape_text;
use super::fold::FoldedName;
use super::path::VolPath;
use super::walk::{not_a_file, only_one, Located, Walk};
use super::{Entry, FileSecurity, Found, Kind, MountInfo, Protected, Protection, Volume, Writability};

mod listing;
mod storage;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

mod dacl;
#[cfg(unix)]
pub(crate) mod mountinfo;

use listing::{Cache, Index};
pub use storage::HostStorage;
use sys::Dir;

/// A folder of this machine as a volume.
#[derive(Debug)]
pub struct HostVolume {
    root: Dir,
    /// What the user gave, for messages only.
    given: PathBuf,
    /// On which mount the root lies; anything else inside is another file system.
    mount: sys::MountId,
    cache: Mutex<Cache>,
    /// Whether all of an NTFS is what was opened; asked for when it matters.
    whole_ntfs: OnceLock<bool>,
}

/// A folder on the way, open.
pub(super) struct OpenDir {
    dir: Dir,
    /// As spelled on the volume.
    path: VolPath,
}

/// What the system says of a file, folder or link.
#[derive(Debug, Clone)]
struct Meta {
    kind: Kind,
    /// Length in bytes.
    len: u64,
    /// How many names it has.
    links: u64,
    modified: Option<SystemTime>,
    /// What tells whether a name still means the same thing.
    identity: sys::Identity,
}

/// For what a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// To be read; others may do with it what they like.
    Read,
    /// To be read and written in place.
    InPlace,
    /// To be written at its end.
    Append,
    /// It is made, and written; a name that is taken is an error.
    Create,
}

impl HostVolume {
    /// Opens a folder of this machine as a volume. The path is the user's own: links in it are
    /// followed, as everywhere on the host; below it, none is.
    ///
    /// # Errors
    /// [`VolumeError::Open`] if it does not exist, is no folder, or may not be read.
    pub fn open(path: impl AsRef<Path>) -> Result<HostVolume, VolumeError> {
        let given = path.as_ref().to_path_buf();
        let open = || -> io::Result<(Dir, sys::MountId)> {
            let root = sys::open_root(&given)?;
            let mount = sys::mount_id(&root)?;
            Ok((root, mount))
        };
        match open() {
            Ok((root, mount)) => {
                Ok(HostVolume { root, given, mount, cache: Mutex::default(), whole_ntfs: OnceLock::new() })
            }
            Err(e) => Err(VolumeError::Open { host: given, cause: e.into() }),
        }
    }

    /// The path that was opened, as the user gave it.
    #[must_use]
    pub fn host_path(&self) -> &Path {
        &self.given
    }

    fn io<'a>(doing: &'a Doing, path: &'a VolPath) -> impl Fn(io::Error) -> VolumeError + 'a {
        move |e| VolumeError::from_io(doing.clone(), path, e)
    }

    /// Forgets what folders hold, before and after a change of our own.
    fn forget(&self) {
        if let Ok(mut cache) = self.cache.lock() {
            cache.clear();
        }
    }

    /// Opens a regular file, and nothing else: a device is not even touched.
    fn open_file(
        &self,
        doing: &Doing,
        path: &VolPath,
        access: Access,
    ) -> Result<(File, Meta, Located<OpenDir>), VolumeError> {
        if path.is_root() {
            return Err(not_a_file(doing, path, Kind::Dir));
        }
        let at = self.locate(doing, path)?;
        let io = Self::io(doing, &at.path);
        let before = sys::stat(&at.parent.dir, &at.name).map_err(&io)?;
        if before.kind != Kind::File {
            return Err(not_a_file(doing, &at.path, before.kind));
        }
        let (file, meta) = sys::open_file(&at.parent.dir, &at.name, access).map_err(&io)?;
        if meta.kind != Kind::File {
            return Err(not_a_file(doing, &at.path, meta.kind));
        }
        if sys::mount_id(&file).map_err(&io)? != self.mount {
            return Err(VolumeError::OtherFileSystem { doing: doing.clone(), path: path.clone(), at: at.path.clone() });
        }
        drop(io);
        Ok((file, meta, at))
    }

    fn open_for_reading(&self, path: &VolPath) -> Result<(File, u64, VolPath), VolumeError> {
        let (file, meta, at) = self.open_file(&Doing::Reading, path, Access::Read)?;
        Ok((file, meta.len, at.path))
    }

    fn sync(doing: &Doing, dir: &OpenDir) -> Result<(), VolumeError> {
        sys::sync_dir(&dir.dir).map_err(Self::io(doing, &dir.path))
    }

    fn found(&self, meta: &Meta, path: VolPath) -> Found {
        Found {
            path,
            kind: meta.kind,
            len: if meta.kind == Kind::File { meta.len } else { 0 },
            links: self.outside_links(meta),
            modified: meta.modified,
        }
    }

    /// How many names a file has, if some may lie outside of what was opened: on NTFS all the
    /// names of a file are on the volume.
    fn outside_links(&self, meta: &Meta) -> u64 {
        if meta.links <= 1 || meta.kind != Kind::File {
            return 1;
        }
        let whole_ntfs = || self.mount_info().is_some_and(|m| m.is_ntfs && m.target_is_mount_root);
        if *self.whole_ntfs.get_or_init(whole_ntfs) {
            1
        } else {
            meta.links
        }
    }
}

impl Walk for HostVolume {
    type Dir = OpenDir;

    fn top(&self, doing: &Doing) -> Result<OpenDir, VolumeError> {
        let path = VolPath::root();
        Ok(OpenDir { dir: sys::clone_dir(&self.root).map_err(Self::io(doing, &path))?, path })
    }

    fn place<'d>(&self, dir: &'d OpenDir) -> &'d VolPath {
        &dir.path
    }

    fn lookup(
        &self,
        doing: &Doing,
        wanted: &VolPath,
        dir: &OpenDir,
        name: &OsStr,
    ) -> Result<Option<(OsString, Kind)>, VolumeError> {
        let folded = FoldedName::new(name);
        let pick = |index: &Index| only_one(index.get(&folded), doing, wanted, &dir.path);
        let stamp = sys::stamp(&dir.dir).map_err(Self::io(doing, &dir.path))?;
        if let Ok(cache) = self.cache.lock() {
            if let Some(index) = cache.get(&dir.path, &stamp) {
                return pick(index);
            }
        }
        let index = Index::new(sys::list(&dir.dir, doing, &dir.path)?);
        let picked = pick(&index);
        if let Ok(mut cache) = self.cache.lock() {
            cache.put(&dir.path, stamp, index);
        }
        picked
    }

    fn enter(&self, doing: &Doing, wanted: &VolPath, dir: &OpenDir, name: &OsStr) -> Result<OpenDir, VolumeError> {
        let path = dir.path.child(name)?;
        let opened = sys::open_dir(&dir.dir, name).map_err(Self::io(doing, &path))?;
        let mount = sys::mount_id(&opened).map_err(Self::io(doing, &path))?;
        if mount != self.mount {
            return Err(VolumeError::OtherFileSystem { doing: doing.clone(), path: wanted.clone(), at: path });
        }
        Ok(OpenDir { dir: opened, path })
    }
}

impl HostVolume {
    /// As [`Volume::open_storage`], as what it is: several threads may read it at once.
    ///
    /// # Errors
    /// As there.
    pub fn open_host_storage(&self, path: &VolPath) -> Result<HostStorage, VolumeError> {
        let doing = Doing::OpeningForWriting;
        let (file, meta, at) = self.open_file(&doing, path, Access::InPlace)?;
        let links = self.outside_links(&meta);
        if links > 1 {
            return Err(VolumeError::HardLinked { doing, path: at.path, links });
        }
        match sys::lock(&file) {
            Ok(true) => Ok(HostStorage::new(file)),
            Ok(false) => Err(VolumeError::Locked { doing, path: at.path }),
            Err(e) => Err(VolumeError::from_io(doing, &at.path, e)),
        }
    }
}

impl Volume for HostVolume {
    fn describe(&self) -> String {
        escape_text(self.given.as_os_str())
    }

    fn list(&self, dir: &VolPath) -> Result<Vec<Entry>, VolumeError> {
        let doing = Doing::Listing;
        let dir = self.open_dir(&doing, dir, dir)?;
        sys::list(&dir.dir, &doing, &dir.path)
    }

    fn find(&self, path: &VolPath) -> Result<Option<Found>, VolumeError> {
        let doing = Doing::LookingFor;
        let (meta, path) = if path.is_root() {
            let meta = sys::stat_dir(&self.root).map_err(Self::io(&doing, path))?;
            (meta, path.clone())
        } else {
            let at = match self.locate(&doing, path) {
                Ok(at) => at,
                Err(VolumeError::NotFound { .. } | VolumeError::NotADirectory { .. }) => return Ok(None),
                Err(e) => return Err(e),
            };
            let meta = sys::stat(&at.parent.dir, &at.name).map_err(Self::io(&doing, &at.path))?;
            (meta, at.path)
        };
        Ok(Some(self.found(&meta, path)))
    }

    fn find_in(&self, dir: &VolPath, names: &[&OsStr]) -> Result<Vec<Option<Found>>, VolumeError> {
        let doing = Doing::LookingFor;
        let folder = match self.open_dir(&doing, dir, dir) {
            Ok(folder) => folder,
            Err(VolumeError::NotFound { .. } | VolumeError::NotADirectory { .. }) => {
                return Ok(vec![None; names.len()])
            }
            Err(e) => return Err(e),
        };
        let find = |name: &&OsStr| {
            let wanted = dir.child(name)?;
            let Some((name, _)) = self.lookup(&doing, &wanted, &folder, name)? else { return Ok(None) };
            let path = folder.path.child(&name)?;
            let meta = sys::stat(&folder.dir, &name).map_err(Self::io(&doing, &path))?;
            Ok(Some(self.found(&meta, path)))
        };
        names.iter().map(find).collect()
    }

    fn read(&self, path: &VolPath, limit: u64) -> Result<Vec<u8>, VolumeError> {
        let (file, len, real) = self.open_for_reading(path)?;
        let too_large = |len| VolumeError::TooLarge { doing: Doing::Reading, path: real.clone(), len, limit };
        if len > limit {
            return Err(too_large(len));
        }
        // One byte more than it claims, to see a file that grows; the limit holds all the same.
        let data = storage::read_up_to(&file, len.saturating_add(1)).map_err(Self::io(&Doing::Reading, &real))?;
        match u64::try_from(data.len()) {
            Ok(got) if got <= limit => Ok(data),
            _ => Err(too_large(file.metadata().map_or(len, |m| m.len()))),
        }
    }

    fn read_at(&self, path: &VolPath, offset: u64, buf: &mut [u8]) -> Result<usize, VolumeError> {
        let (file, _, real) = self.open_for_reading(path)?;
        storage::read_some(&file, offset, buf).map_err(Self::io(&Doing::Reading, &real))
    }

    fn read_link(&self, path: &VolPath) -> Result<OsString, VolumeError> {
        let doing = Doing::Reading;
        let at = self.locate(&doing, path)?;
        if at.kind != Kind::Link {
            return Err(VolumeError::NotALink { doing, path: at.path, found: at.kind });
        }
        sys::read_link(&at.parent.dir, &at.name).map_err(Self::io(&doing, &at.path))
    }

    fn free_space(&self) -> Result<u64, VolumeError> {
        sys::free_space(&self.root).map_err(Self::io(&Doing::AskingFreeSpace, &VolPath::root()))
    }

    fn writable(&self) -> Result<Writability, VolumeError> {
        let read_only = sys::is_read_only(&self.root).map_err(Self::io(&Doing::AskingMount, &VolPath::root()))?;
        if !read_only {
            return Ok(Writability::ReadWrite);
        }
        let why = match self.mount_info() {
            Some(mount) => format!(
                "{} ({}) is mounted read-only on {}",
                escape_text(mount.source.as_os_str()),
                escape_text(OsStr::new(&mount.fs_type)),
                escape_text(mount.mount_point.as_os_str())
            ),
            None => format!("{} is read-only", self.describe()),
        };
        Ok(Writability::ReadOnly { why })
    }

    fn mount_info(&self) -> Option<MountInfo> {
        sys::mount_info(&self.root)
    }

    fn serial(&self) -> Option<u64> {
        sys::ntfs_serial(&self.root)
    }

    fn is_running_system(&self) -> bool {
        sys::is_running_system(&self.root, &self.given)
    }

    fn open_storage(&self, path: &VolPath) -> Result<Box<dyn Storage + '_>, VolumeError> {
        Ok(Box::new(self.open_host_storage(path)?))
    }

    fn create_dir(&self, path: &VolPath, protection: Protection) -> Result<Protected, VolumeError> {
        let doing = Doing::CreatingFolder;
        let new = self.locate_new(&doing, path, path)?;
        let (parent, name, real) = (new.parent, new.name.as_os_str(), new.path);
        self.forget();
        sys::create_dir(&parent.dir, name, protection).map_err(Self::io(&doing, &real))?;
        self.forget();
        let finish = || -> Result<Protected, VolumeError> {
            let new = self.enter(&doing, path, &parent, name)?;
            let protected =
                sys::protect_dir(&parent.dir, &new.dir, protection).map_err(Self::io(&Doing::Protecting, &real))?;
            Self::sync(&doing, &new)?;
            Self::sync(&doing, &parent)?;
            Ok(protected)
        };
        finish().inspect_err(|_| {
            // Empty, and made by us a moment ago; the first error is the one that matters.
            let _ = sys::remove_dir(&parent.dir, name);
        })
    }

    fn protect(&self, dir: &VolPath) -> Result<Protected, VolumeError> {
        let doing = Doing::Protecting;
        let at = self.locate(&doing, dir)?;
        let opened = self.open_dir(&doing, dir, dir)?;
        let protected = sys::protect_dir(&at.parent.dir, &opened.dir, Protection::AdministratorsOnly)
            .map_err(Self::io(&doing, &at.path))?;
        Self::sync(&doing, &opened)?;
        Ok(protected)
    }

    fn protection(&self, path: &VolPath) -> Result<Protected, VolumeError> {
        let doing = Doing::LookingFor;
        if path.is_root() {
            return sys::protection(&self.root, None).map_err(Self::io(&doing, path));
        }
        let at = self.locate(&doing, path)?;
        if at.kind == Kind::Dir {
            let dir = self.enter(&doing, path, &at.parent, &at.name)?;
            sys::protection(&dir.dir, None).map_err(Self::io(&doing, &at.path))
        } else {
            sys::protection(&at.parent.dir, Some(&at.name)).map_err(Self::io(&doing, &at.path))
        }
    }

    fn security(&self, path: &VolPath) -> Result<Option<FileSecurity>, VolumeError> {
        let doing = Doing::LookingFor;
        if path.is_root() {
            return sys::security(&self.root, None).map_err(Self::io(&doing, path));
        }
        let at = self.locate(&doing, path)?;
        match at.kind {
            Kind::Dir => {
                let dir = self.enter(&doing, path, &at.parent, &at.name)?;
                sys::security(&dir.dir, None).map_err(Self::io(&doing, &at.path))
            }
            Kind::File => sys::security(&at.parent.dir, Some(&at.name)).map_err(Self::io(&doing, &at.path)),
            Kind::Link | Kind::Other => Ok(None),
        }
    }

    fn write_new(&self, path: &VolPath, data: &[u8]) -> Result<(), VolumeError> {
        let doing = Doing::CreatingFile;
        let new = self.locate_new(&doing, path, path)?;
        let (parent, name, real) = (new.parent, new.name.as_os_str(), new.path);
        let io = Self::io(&doing, &real);
        self.forget();
        let (mut file, _) = sys::open_file(&parent.dir, name, Access::Create).map_err(&io)?;
        self.forget();
        let write = || -> io::Result<()> {
            // Before the content is there for others to read.
            sys::protect_file(&parent.dir, &file)?;
            file.write_all(data)?;
            file.sync_all()
        };
        let mut write = write;
        let written = write().map_err(&io).and_then(|()| Self::sync(&doing, &parent));
        written.inspect_err(|_| {
            let _ = sys::remove_file(&parent.dir, name);
        })
    }

    fn append(&self, path: &VolPath, data: &[u8]) -> Result<(), VolumeError> {
        let doing = Doing::Appending;
        let (mut file, meta, at) = self.open_file(&doing, path, Access::Append)?;
        let links = self.outside_links(&meta);
        if links > 1 {
            return Err(VolumeError::HardLinked { doing, path: at.path, links });
        }
        let io = Self::io(&doing, &at.path);
        let before = meta.len;
        file.write_all(data)
            .and_then(|()| file.sync_all())
            .inspect_err(|_| {
                let _ = file.set_len(before).and_then(|()| file.sync_all());
            })
            .map_err(io)
    }

    fn rename(&self, from: &VolPath, to: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::Renaming { to: to.clone() };
        let (source, new) = self.locate_rename(&doing, from, to)?;
        let stat = |at: &OpenDir, name: &OsStr| match sys::stat(&at.dir, name) {
            Ok(meta) => Ok(Some(meta.identity)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(VolumeError::from_io(doing.clone(), from, e)),
        };
        let before = stat(&source.parent, &source.name)?;
        self.forget();
        sys::rename(&source.parent.dir, &source.name, &new.parent.dir, &new.name).map_err(Self::io(&doing, from))?;
        self.forget();
        // Look: it is there, it is the same thing, and the old name is gone.
        let after = stat(&new.parent, &new.name)?;
        let left = stat(&source.parent, &source.name)?;
        let wrong = if left.is_some() {
            Some(format!("{} is still there", source.path))
        } else if after.is_none() {
            Some(format!("{} is not there", new.path))
        } else if before.is_some() && before != after {
            Some(format!("{} is something else", new.path))
        } else {
            None
        };
        if let Some(found) = wrong {
            return Err(VolumeError::NotAsExpected { doing, path: from.clone(), found });
        }
        // The new name first: if power fails in between, better two names than none.
        Self::sync(&doing, &new.parent)?;
        Self::sync(&doing, &source.parent)
    }

    fn remove_file(&self, path: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::RemovingFile;
        let at = self.locate(&doing, path)?;
        let io = Self::io(&doing, &at.path);
        let meta = sys::stat(&at.parent.dir, &at.name).map_err(&io)?;
        match meta.kind {
            Kind::File | Kind::Link => {}
            found => return Err(not_a_file(&doing, &at.path, found)),
        }
        self.forget();
        sys::remove_file(&at.parent.dir, &at.name).map_err(&io)?;
        self.forget();
        Self::sync(&doing, &at.parent)
    }

    fn remove_empty_dir(&self, path: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::RemovingFolder;
        let at = self.locate(&doing, path)?;
        if at.kind != Kind::Dir {
            return Err(VolumeError::NotADirectory { doing, path: path.clone(), at: at.path, found: at.kind });
        }
        self.forget();
        sys::remove_dir(&at.parent.dir, &at.name).map_err(Self::io(&doing, &at.path))?;
        self.forget();
        Self::sync(&doing, &at.parent)
    }

    fn sync_volume(&self) -> Result<(), VolumeError> {
        sys::sync_volume(&self.root).map_err(Self::io(&Doing::Flushing, &VolPath::root()))
    }

    fn sync_dir(&self, dir: &VolPath) -> Result<(), VolumeError> {
        let doing = Doing::Flushing;
        let dir = self.open_dir(&doing, dir, dir)?;
        Self::sync(&doing, &dir)
    }
}
