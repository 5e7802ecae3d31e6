//! A folder's names, indexed for looking them up without case, and kept while they are true.
//!
//! Every look-up needs all names of a folder (two may differ only in case), and a diagnosis looks
//! into `System32`, with its thousands of entries, dozens of times. An index is used again only
//! while the folder's own identity and times are the same, and only if the folder had not changed
//! for some seconds when it was read: a change within the clock's grain can't hide then.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use super::super::fold::FoldedName;
use super::super::path::VolPath;
use super::super::{Entry, Kind};

/// How long a folder must have been left alone: FAT counts in steps of two seconds.
const SETTLED: Duration = Duration::from_secs(5);

/// Names in the cache at most, all folders together; some tens of megabytes.
const MAX_NAMES: usize = 200_000;

/// What tells whether a folder is still the one that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Device and inode number, or whatever identifies it.
    pub id: (u64, u64),
    /// Times of the last change of content and, where there is one, of attributes.
    pub times: [SystemTime; 2],
}

impl Stamp {
    fn settled(&self, now: SystemTime) -> bool {
        self.times
            .iter()
            .all(|t| now.duration_since(*t).is_ok_and(|age| age > SETTLED))
    }
}

/// All names of a folder.
#[derive(Debug)]
pub(super) struct Index {
    names: HashMap<FoldedName, Vec<(OsString, Kind)>>,
    count: usize,
}

impl Index {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let count = entries.len();
        let mut names: HashMap<FoldedName, Vec<(OsString, Kind)>> = HashMap::with_capacity(count);
        for entry in entries {
            names
                .entry(FoldedName::new(&entry.name))
                .or_default()
                .push((entry.name, entry.kind));
        }
        Index { names, count }
    }

    /// The entries of that name.
    pub(super) fn get(&self, name: &FoldedName) -> Vec<(OsString, Kind)> {
        self.names.get(name).cloned().unwrap_or_default()
    }
}

/// Indexes of folders that were read.
#[derive(Debug, Default)]
pub(super) struct Cache {
    folders: HashMap<VolPath, (Stamp, Index)>,
    count: usize,
}

impl Cache {
    pub(super) fn get(&self, folder: &VolPath, stamp: &Stamp) -> Option<&Index> {
        self.folders
            .get(folder)
            .filter(|(read, _)| read == stamp)
            .map(|(_, index)| index)
    }

    /// Keeps `index` of a folder that had `stamp` before it was read.
    pub(super) fn put(&mut self, folder: &VolPath, stamp: Stamp, index: Index) {
        if !stamp.settled(SystemTime::now()) || index.count > MAX_NAMES {
            return;
        }
        if self.count.saturating_add(index.count) > MAX_NAMES {
            self.clear();
        }
        self.count = self.count.saturating_add(index.count);
        if let Some((_, old)) = self.folders.insert(folder.clone(), (stamp, index)) {
            self.count = self.count.saturating_sub(old.count);
        }
    }

    pub(super) fn clear(&mut self) {
        self.folders.clear();
        self.count = 0;
    }
}
