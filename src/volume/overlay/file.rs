//! A file whose changes are in memory: pages of 4 KiB over the file below.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::SystemTime;

use coldmend_hives::Storage;

use super::super::error::VolumeError;
use super::super::path::VolPath;
use super::super::{Found, Kind, Protected, Volume};

/// A page: what a hive's dirty pages, and most file systems' blocks, are.
const PAGE: usize = 4096;
const PAGE_U64: u64 = 4096;

/// A file that several handles share.
pub(super) type SharedFile = Rc<RefCell<FileNode>>;

/// Where a file comes from.
#[derive(Debug)]
enum Origin {
    /// From the volume below. The first `valid` bytes there still count; what is behind reads as
    /// zero.
    Below { path: VolPath, valid: u64 },
    /// Made in the overlay.
    Created(Protected),
}

/// A new or changed file.
#[derive(Debug)]
pub(super) struct FileNode {
    origin: Origin,
    len: u64,
    /// Changed pages, by number; always whole, zero behind the end of the file.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    locked: bool,
    modified: Option<SystemTime>,
}

impl FileNode {
    /// A file of the volume below that is about to be changed.
    pub(super) fn over(path: VolPath, found: &Found) -> SharedFile {
        Rc::new(RefCell::new(FileNode {
            origin: Origin::Below { path, valid: found.len },
            len: found.len,
            pages: BTreeMap::new(),
            locked: false,
            modified: found.modified,
        }))
    }

    /// A new file.
    pub(super) fn created(data: &[u8], protected: Protected) -> SharedFile {
        let pages = (0..).zip(data.chunks(PAGE).map(|chunk| {
            let mut page = Box::new([0; PAGE]);
            for (to, from) in page.iter_mut().zip(chunk) {
                *to = *from;
            }
            page
        }));
        Rc::new(RefCell::new(FileNode {
            origin: Origin::Created(protected),
            len: u64::try_from(data.len()).unwrap_or(u64::MAX),
            pages: pages.collect(),
            locked: false,
            modified: super::now(),
        }))
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.pages.len()).map_or(u64::MAX, |n| n.saturating_mul(PAGE_U64))
    }

    /// The protection of a new file, or where to ask for it below.
    pub(super) fn origin(&self) -> Result<Protected, VolPath> {
        match &self.origin {
            Origin::Below { path, .. } => Err(path.clone()),
            Origin::Created(protected) => Ok(*protected),
        }
    }

    pub(super) fn found(&self, path: VolPath) -> Found {
        Found { path, kind: Kind::File, len: self.len, links: 1, modified: self.modified }
    }

    /// Fills `buf` from `offset` on as far as the file goes; returns how much that was.
    pub(super) fn read_at(&self, base: &dyn Volume, offset: u64, buf: &mut [u8]) -> Result<usize, VolumeError> {
        let left = self.len.saturating_sub(offset);
        let count = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let Some(buf) = buf.get_mut(..count) else {
            return Ok(0);
        };
        buf.fill(0);
        if let Origin::Below { path, valid } = &self.origin {
            let there = valid.saturating_sub(offset);
            let there = usize::try_from(there).map_or(count, |there| there.min(count));
            // Not if all of it is changed: a page that is replaced need not be readable.
            if there > 0 && !self.covers(offset, there) {
                if let Some(part) = buf.get_mut(..there) {
                    base.read_at(path, offset, part)?;
                }
            }
        }
        let end = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        for (&number, page) in self.pages.range(offset / PAGE_U64..end.div_ceil(PAGE_U64)) {
            let start = number.saturating_mul(PAGE_U64);
            // The page's bytes from `from` on go to `buf` from `to` on.
            let from = usize::try_from(offset.saturating_sub(start)).unwrap_or(PAGE);
            let to = usize::try_from(start.saturating_sub(offset)).unwrap_or(usize::MAX);
            if let (Some(source), Some(target)) = (page.get(from..), buf.get_mut(to..)) {
                for (to, from) in target.iter_mut().zip(source) {
                    *to = *from;
                }
            }
        }
        Ok(count)
    }

    /// Whether every page that holds a part of `count` bytes at `offset` is changed.
    fn covers(&self, offset: u64, count: usize) -> bool {
        let first = offset / PAGE_U64;
        let end = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX)).div_ceil(PAGE_U64);
        u64::try_from(self.pages.range(first..end).count()) == Ok(end.saturating_sub(first))
    }

    /// Writes `data` at `offset`; a gap reads as zeros.
    pub(super) fn write_at(&mut self, base: &dyn Volume, offset: u64, data: &[u8]) -> Result<(), VolumeError> {
        let mut offset = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let number = offset / PAGE_U64;
            let within = usize::try_from(offset % PAGE_U64).unwrap_or(0);
            let count = rest.len().min(PAGE.saturating_sub(within));
            let (now, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            if !self.pages.contains_key(&number) {
                let mut page = Box::new([0; PAGE]);
                if count < PAGE {
                    let start = number.saturating_mul(PAGE_U64);
                    self.read_at(base, start, &mut page[..])?;
                }
                self.pages.insert(number, page);
            }
            if let Some(target) = self.pages.get_mut(&number).and_then(|p| p.get_mut(within..)) {
                for (to, from) in target.iter_mut().zip(now) {
                    *to = *from;
                }
            }
            offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            self.len = self.len.max(offset);
            rest = later;
        }
        self.modified = super::now();
        Ok(())
    }

    fn set_len(&mut self, len: u64) {
        if let Origin::Below { valid, .. } = &mut self.origin {
            *valid = len.min(*valid);
        }
        self.pages.split_off(&len.div_ceil(PAGE_U64));
        let within = usize::try_from(len % PAGE_U64).unwrap_or(0);
        if within > 0 {
            if let Some(page) = self.pages.get_mut(&(len / PAGE_U64)) {
                page.iter_mut().skip(within).for_each(|b| *b = 0);
            }
        }
        self.len = len;
        self.modified = super::now();
    }
}

/// A file of an overlay, open for reading and writing in place.
pub(super) struct OverlayStorage<'v> {
    base: &'v dyn Volume,
    file: SharedFile,
}

impl<'v> OverlayStorage<'v> {
    /// Opens and locks the file; `None` if it is locked.
    pub(super) fn open(base: &'v dyn Volume, file: SharedFile) -> Option<Self> {
        if std::mem::replace(&mut file.borrow_mut().locked, true) {
            return None;
        }
        Some(OverlayStorage { base, file })
    }
}

impl Drop for OverlayStorage<'_> {
    fn drop(&mut self) {
        self.file.borrow_mut().locked = false;
    }
}

impl Storage for OverlayStorage<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.borrow().len)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let got = self.file.borrow().read_at(self.base, offset, buf)?;
        if got == buf.len() {
            return Ok(());
        }
        Err(super::super::ends_early(offset, got, buf.len()))
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        Ok(self.file.borrow_mut().write_at(self.base, offset, data)?)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.borrow_mut().set_len(len);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
