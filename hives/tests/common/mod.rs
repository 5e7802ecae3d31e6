//! What the tests share: the corpus, a tree that can be compared, and a small random generator.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

pub mod hostile;
pub mod model;
pub mod power;
pub mod seal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coldmend_hives::{FileTime, Hive, KeyRef, LogFiles};

pub const NOW: FileTime = FileTime(133_800_000_000_000_000);

/// The corpus of real hives, or `None` with a line that says so.
pub fn corpus(test: &str) -> Option<PathBuf> {
    match std::env::var_os("COLDMEND_CORPUS") {
        Some(dir) => Some(PathBuf::from(dir)),
        None => {
            println!("skipped: {test} needs COLDMEND_CORPUS");
            None
        }
    }
}

/// Every hive of the corpus (no logs), with its path relative to `hives/`.
pub fn hives(corpus: &Path) -> Vec<(String, PathBuf)> {
    let root = corpus.join("hives");
    let mut found = Vec::new();
    for dir in std::fs::read_dir(&root).unwrap() {
        let dir = dir.unwrap().path();
        for file in std::fs::read_dir(&dir).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if ![".LOG", ".LOG1", ".LOG2"].iter().any(|e| name.ends_with(e)) {
                found.push((name, path));
            }
        }
    }
    found.sort();
    assert!(found.len() > 50, "the corpus is incomplete");
    found
}

/// Healthy hives up to `limit` bytes: clean, or recovered from their logs.
pub fn healthy(corpus: &Path, limit: u64) -> Vec<(String, Vec<u8>)> {
    hives(corpus)
        .into_iter()
        .filter(|(_, path)| path.metadata().unwrap().len() <= limit)
        .filter_map(|(name, path)| {
            let recovered = Hive::recover(std::fs::read(&path).unwrap(), &logs(&path)).ok()?;
            recovered.hive.check().is_sound().then(|| (name, recovered.hive.bytes().to_vec()))
        })
        .collect()
}

/// The logs beside a hive.
pub fn logs(path: &Path) -> LogFiles {
    let read = |extension: &str| std::fs::read(format!("{}{extension}", path.to_str().unwrap())).ok();
    LogFiles { log: read(".LOG"), log1: read(".LOG1"), log2: read(".LOG2") }
}

/// A key with all that it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    pub name: String,
    pub class: Option<String>,
    pub security: Vec<u8>,
    /// By upper-cased name (ASCII is enough here; see [`map_name`]): name, type, data.
    pub values: BTreeMap<String, (String, u32, Vec<u8>)>,
    /// By upper-cased name; see [`map_name`].
    pub keys: BTreeMap<String, Tree>,
}

pub fn tree(hive: &Hive) -> Tree {
    key_tree(&hive.root().unwrap())
}

fn key_tree(key: &KeyRef<'_>) -> Tree {
    let values = key.values().unwrap();
    Tree {
        name: key.name(),
        class: key.class().unwrap(),
        security: key.security_descriptor().unwrap().to_vec(),
        values: values
            .iter()
            .map(|v| (map_name(&v.name_units()), (v.name(), v.data_type(), v.data().unwrap().into_owned())))
            .collect(),
        keys: key.subkeys().unwrap().iter().map(|k| (map_name(&k.name_units()), key_tree(k))).collect(),
    }
}

/// A name as the maps of [`Tree`] have it: in capitals, with unpaired surrogates (which real hives have) as private characters, so that they stay apart.
fn map_name(units: &[u16]) -> String {
    let private = |unit: u16| char::from_u32(0xF_0000 + u32::from(unit)).unwrap();
    let name = char::decode_utf16(units.iter().copied());
    name.map(|c| c.unwrap_or_else(|e| private(e.unpaired_surrogate())).to_ascii_uppercase()).collect()
}

/// SplitMix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// A descriptor: owner Administrators, group SYSTEM, SYSTEM with the given access mask.
pub fn descriptor(mask: u32) -> Vec<u8> {
    let system: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
    let administrators: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
    let mut sd = vec![1, 0, 4, 0x80];
    for offset in [20u32, 36, 0, 48] {
        sd.extend_from_slice(&offset.to_le_bytes());
    }
    sd.extend_from_slice(administrators);
    sd.extend_from_slice(system);
    sd.extend_from_slice(&[2, 0, 28, 0, 1, 0, 0, 0, 0, 2, 20, 0]);
    sd.extend_from_slice(&mask.to_le_bytes());
    sd.extend_from_slice(system);
    sd
}
