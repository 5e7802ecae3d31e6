//! A folder's names, indexed for looking them up without case, and kept while they are true.
//!
//! Every look-up needs all names of a folder (two may differ only in case), and a diagnosis looks
//! into `System32`, with its thousands of entries, dozens of times. An index is used again only
//! while the folder's own identity and times are the same, and only if the folder had not changed
//! for some seconds when it was read: a change within the clock's grain can't hide then.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{BuildHasher as _, RandomState};
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
        self.times.iter().all(|t| now.duration_since(*t).is_ok_and(|age| age > SETTLED))
    }
}

/// All names of a folder: as they are, and the hashes of their folded forms, in order. A map of folded names would take three
/// times the memory, and most of the time of a look-up in a large folder.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Hash of the folded name, and which entry.
    hashes: Vec<(u64, u32)>,
    /// Keyed: what is on the volume can't choose names that collide.
    hasher: RandomState,
}

impl Index {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        let hasher = RandomState::new();
        let hash = |entry: &Entry| hasher.hash_one(FoldedName::new(&entry.name));
        // No folder has more than MAX_ENTRIES.
        let mut hashes: Vec<(u64, u32)> = entries.iter().map(hash).zip(0..).collect();
        hashes.sort_unstable();
        Index { entries, hashes, hasher }
    }

    fn count(&self) -> usize {
        self.entries.len()
    }

    /// The entries of that name.
    pub(super) fn get(&self, name: &FoldedName) -> Vec<(OsString, Kind)> {
        let hash = self.hasher.hash_one(name);
        let first = self.hashes.partition_point(|&(other, _)| other < hash);
        let of_hash = self.hashes.iter().skip(first).take_while(|&&(other, _)| other == hash);
        let entries = of_hash.filter_map(|&(_, at)| self.entries.get(usize::try_from(at).ok()?));
        let of_name = entries.filter(|entry| FoldedName::new(&entry.name) == *name);
        of_name.map(|entry| (entry.name.clone(), entry.kind)).collect()
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
        self.folders.get(folder).filter(|(read, _)| read == stamp).map(|(_, index)| index)
    }

    /// Keeps `index` of a folder that had `stamp` before it was read.
    pub(super) fn put(&mut self, folder: &VolPath, stamp: Stamp, index: Index) {
        if !stamp.settled(SystemTime::now()) || index.count() > MAX_NAMES {
            return;
        }
        if self.count.saturating_add(index.count()) > MAX_NAMES {
            self.clear();
        }
        self.count = self.count.saturating_add(index.count());
        if let Some((_, old)) = self.folders.insert(folder.clone(), (stamp, index)) {
            self.count = self.count.saturating_sub(old.count());
        }
    }

    pub(super) fn clear(&mut self) {
        self.folders.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn index(names: &[&str]) -> Index {
        let entry = |name: &&str| Entry { name: name.into(), kind: Kind::File };
        Index::new(names.iter().map(entry).collect())
    }

    fn stamp(id: u64, age: Duration) -> Stamp {
        let time = SystemTime::now().checked_sub(age).unwrap();
        Stamp { id: (1, id), times: [time, time] }
    }

    #[test]
    fn only_a_settled_folder_is_kept_and_only_while_it_is_the_same() {
        let folder = VolPath::literal("Windows/System32");
        let mut cache = Cache::default();
        let fresh = stamp(1, Duration::from_secs(1));
        cache.put(&folder, fresh.clone(), index(&["a"]));
        assert!(cache.get(&folder, &fresh).is_none());
        // A clock that is behind: changed in the future, never kept.
        let mut future = stamp(1, Duration::ZERO);
        future.times = [SystemTime::now() + Duration::from_secs(3600); 2];
        cache.put(&folder, future.clone(), index(&["a"]));
        assert!(cache.get(&folder, &future).is_none());

        let old = stamp(1, Duration::from_secs(60));
        cache.put(&folder, old.clone(), index(&["a", "A", "b"]));
        let kept = cache.get(&folder, &old).unwrap();
        assert_eq!(kept.get(&FoldedName::new("a".as_ref())).len(), 2);
        assert_eq!(kept.get(&FoldedName::new("B".as_ref())).len(), 1);
        assert!(kept.get(&FoldedName::new("c".as_ref())).is_empty());
        assert!(cache.get(&VolPath::root(), &old).is_none());
        assert!(cache.get(&folder, &stamp(2, Duration::from_secs(60))).is_none());
        assert!(cache.get(&folder, &stamp(1, Duration::from_secs(61))).is_none());
        cache.clear();
        assert!(cache.get(&folder, &old).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut cache = Cache::default();
        let names: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for n in 0..500u64 {
            let folder = VolPath::root().child(n.to_string()).unwrap();
            cache.put(&folder, stamp(n, Duration::from_secs(60)), index(&names));
            assert!(cache.count <= MAX_NAMES);
            let held: usize = cache.folders.values().map(|(_, index)| index.count()).sum();
            assert_eq!(held, cache.count);
        }
    }
}
