//! notatin 1.0.1 as a judge of power cuts, where the log format is its: HvLE in `.LOG1` and `.LOG2`.
//!
//! The machine whose power fails is the one of `hives/tests/crash.rs`; its source is included here, so that no file and no second
//! Cargo stands between the two. From what every cut leaves, notatin must read the tree that our own recovery reads, and that is the one
//! before or the one after, with every key, value and byte of data.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../../hives/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fmt;

use coldmend_hives::{Hive, HiveError, LogFiles, LogRegime, RecoveryCommit};
use common::power::{commit, logs_for, Files, Loss, Machines, LOSSES};
use common::Random;
use notatin::parser::{Parser, ParserIterator};
use rivals::by_notatin;

const HVLE: LogRegime = LogRegime::Log12HvLe;

/// Values by key: name, type, data.
type Listing = BTreeMap<String, Vec<(String, u32, Vec<u8>)>>;

fn ours(hive: &Hive) -> Listing {
    let mut listing = Listing::new();
    for key in hive.walk().unwrap() {
        let key = key.unwrap().1;
        let values = key.values().unwrap();
        let values = values.iter().map(|v| (v.name(), v.data_type(), v.data().unwrap().into_owned())).collect();
        assert!(listing.insert(key.path().unwrap(), values).is_none());
    }
    listing
}

fn theirs(parser: &Parser) -> Listing {
    let mut listing = Listing::new();
    for key in ParserIterator::new(parser).iter() {
        let values = key.value_iter();
        let values = values
            .map(|v| {
                let data = v.detail.value_bytes().unwrap_or_default();
                (v.detail.value_name(), v.detail.data_type_raw(), data)
            })
            .collect();
        // Its paths begin with the root's own name.
        let path = key.path.trim_start_matches('\\').split_once('\\').map_or("", |(_, path)| path).to_owned();
        assert!(listing.insert(path, values).is_none());
    }
    listing
}

fn by_notatin(primary: &[u8], logs: &LogFiles) -> Listing {
    let logs = [&logs.log1, &logs.log2].into_iter().flatten().cloned().collect();
    theirs(&by_notatin::open_bytes(primary.to_vec(), logs).unwrap())
}

fn is_dirty(primary: &[u8]) -> bool {
    primary[4..8] != primary[8..12]
}

/// How often notatin judged what.
#[derive(Default)]
struct Judged {
    before: usize,
    after: usize,
    replayed: usize,
}

impl Judged {
    fn all(&self) -> usize {
        self.before + self.after + self.replayed
    }

    /// Asks notatin about what a cut has left.
    fn ask(&mut self, files: &Files, sides: &[&Listing], what: &str) {
        let expected = ours(&Hive::recover(files.primary.clone(), &files.logs).unwrap().hive);
        assert!(sides.contains(&&expected), "{what}: ours is neither before nor after");
        assert!(by_notatin(&files.primary, &files.logs) == expected, "{what}: notatin reads another tree");
        *match (is_dirty(&files.primary), expected == *sides[0]) {
            (true, _) => &mut self.replayed,
            (false, true) => &mut self.before,
            (false, false) => &mut self.after,
        } += 1;
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, replayed } = self;
        write!(f, "{}: {before} clean before, {after} clean after, {replayed} dirty and replayed", self.all())
    }
}

#[test]
fn notatin_reads_before_or_after_wherever_a_commit_is_cut() {
    let logs = logs_for("HvLE");
    let (before, commit) = commit(HVLE, &logs);
    let (old, new) = (ours(&Hive::open(before.clone()).unwrap()), ours(commit.hive()));
    let start = Files { primary: before, logs };
    let mut judged = Judged::default();
    for seed in 0..10 {
        let mut random = Random(seed);
        for cut in 0.. {
            let mut machines = Machines::new(&start, cut);
            if machines.run(|p, l| commit.execute(p, l)).is_ok() {
                break;
            }
            for how in LOSSES {
                let files = machines.after_cut(how, &mut random);
                judged.ask(&files, &[&old, &new], &format!("commit, seed {seed}, cut {cut}, {how:?}"));
                if seed == 0 {
                    // Finishing and taking back from there, cut again.
                    for back in [false, true] {
                        for again in 0.. {
                            let mut machines = Machines::new(&files, again);
                            let work =
                                |p: &mut dyn coldmend_hives::Storage, l: &mut coldmend_hives::LogStorages<'_>| {
                                    if back {
                                        commit.take_back(p, l)
                                    } else {
                                        commit.finish(p, l)
                                    }
                                };
                            if machines.run(work).is_ok() {
                                break;
                            }
                            let files = machines.after_cut(LOSSES[again % LOSSES.len()], &mut random);
                            let what = format!("cut {cut}, {how:?}, back {back}, cut {again}");
                            judged.ask(&files, &[&old, &new], &what);
                        }
                    }
                }
            }
        }
    }
    println!("cut points of commits that notatin judged: {judged}; passed over: 0");
    assert!(judged.all() > 1000 && judged.replayed > 300, "{judged}");
}

#[test]
fn notatin_reads_the_recovered_tree_wherever_a_recovery_is_cut() {
    let (start, new) = armed();
    let recovery = prepare(&start);
    let mut judged = Judged::default();
    for seed in 0..10 {
        let mut random = Random(seed);
        for cut in 0.. {
            let mut machines = Machines::new(&start, cut);
            if machines.run(|p, l| recovery.execute(p, l)).is_ok() {
                break;
            }
            for how in LOSSES {
                let files = machines.after_cut(how, &mut random);
                judged.ask(&files, &[&Listing::new(), &new], &format!("recovery, seed {seed}, cut {cut}, {how:?}"));
            }
        }
    }
    println!("cut points of recoveries that notatin judged: {judged}; passed over: 0");
    assert!(judged.all() > 300 && judged.replayed > 200, "{judged}");
}

/// Why notatin is not asked about base blocks whose checksum is wrong: it puts the log's base block in place, as it should; but the
/// two sequence numbers in there are equal, as they are in every log, so it then takes the hive for clean, and does not replay the log.
#[test]
fn notatin_forgets_the_log_when_the_base_block_is_broken() {
    let (mut start, new) = armed();
    start.primary[508] ^= 0x55;
    assert!(matches!(Hive::open(start.primary.clone()), Err(HiveError::Dirty { .. })));
    assert!(ours(prepare(&start).hive()) == new);
    // What it reads is the old pages under the log's base block: replay has no part in it.
    let read = by_notatin(&start.primary, &start.logs);
    let log = start.logs.log1.as_ref().unwrap();
    assert!(!is_dirty(log), "the log's own numbers are equal");
    let mut unreplayed = start.primary.clone();
    unreplayed[..512].copy_from_slice(&log[..512]);
    assert!(read == by_notatin(&unreplayed, &LogFiles::default()));
    assert!(read != new);
}

fn prepare(files: &Files) -> RecoveryCommit {
    RecoveryCommit::prepare(Hive::recover(files.primary.clone(), &files.logs).unwrap()).unwrap()
}

/// A hive as a cut commit leaves it: the log is armed, the base block says dirty, no page is written. And the tree that the log holds.
fn armed() -> (Files, Listing) {
    let logs = logs_for("HvLE");
    let (before, commit) = commit(HVLE, &logs);
    let start = Files { primary: before, logs };
    let files = (0..)
        .map(|cut| {
            let mut machines = Machines::new(&start, cut);
            assert!(machines.run(|p, l| commit.execute(p, l)).is_err(), "it never was dirty");
            machines.after_cut(Loss::Dropped, &mut Random(3))
        })
        .find(|files| is_dirty(&files.primary))
        .unwrap();
    (files, ours(commit.hive()))
}
