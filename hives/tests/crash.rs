//! Power cuts at every write and flush of a commit, of its taking back, and of a recovery.
//!
//! A storage keeps a durable and a volatile copy. At each cut the writes since the last flush are dropped, kept, kept in part, or torn between
//! sectors; then Windows' part (recovery from the log) and ours (finish, take back) must each give before or after, to the byte where
//! it is ours.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use coldmend_hives::{
    Commit, DiskState, Hive, HiveError, LogFiles, LogFormat, LogRegime, LogSlot, MemoryStorage, NewHive, RecoveryCommit,
};
use common::power::{commit, logs_for, Event, Files, Loss, Machines, LOSSES, REGIMES};
use common::{corpus, hives, logs, tree, Random, NOW};

/// How often each cut is tried with other sectors lost: `COLDMEND_CRASH_ROUNDS`.
fn rounds() -> usize {
    std::env::var("COLDMEND_CRASH_ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(1)
}

/// What Windows, or we as Windows, make of the files at the next start.
fn restart(files: &Files) -> Result<Hive, HiveError> {
    Hive::recover(files.primary.clone(), &files.logs).map(|r| r.hive)
}

#[test]
fn a_commit_cut_anywhere_is_before_or_after() {
    let mut tried = 0;
    for (name, regime) in REGIMES {
        let logs = logs_for(name);
        let (before, commit) = commit(regime, &logs);
        let (old, new) = (tree(&Hive::open(before.clone()).unwrap()), tree(commit.hive()));
        let start = Files { primary: before.clone(), logs: logs.clone() };
        let mut random = Random(1);
        for cut in 0..500 {
            let mut machines = Machines::new(&start, cut);
            let result = machines.run(|p, l| commit.execute(p, l));
            if let Ok(report) = &result {
                assert_eq!(report.log.is_some(), name != "no log file");
                assert!(machines.primary.now.0 == commit.after());
                assert_eq!(machines.machine.done.get(), cut);
                break;
            }
            for how in (0..rounds()).flat_map(|_| LOSSES) {
                let files = machines.after_cut(how, &mut random);
                tried += 1;
                dump(&format!("{}-{cut}-{tried}", name.replace(['.', ' '], "")), &files, &before, commit.after());
                let position = commit.position(&MemoryStorage(files.primary.clone())).unwrap();
                assert_ne!(position, DiskState::Foreign, "{name}, cut {cut}, {how:?}");
                match restart(&files) {
                    Ok(hive) => {
                        let tree = tree(&hive);
                        assert!(tree == old || tree == new, "{name}, cut {cut}, {how:?}: neither");
                        assert!(hive.check().is_sound());
                        // What Windows makes of it still is a state we know.
                        let after_windows = MemoryStorage(hive.bytes().to_vec());
                        let position = commit.position(&after_windows).unwrap();
                        assert_ne!(position, DiskState::Foreign, "{name}, cut {cut}, {how:?}, after Windows");
                    }
                    Err(e) => assert_eq!(name, "no log file", "cut {cut}, {how:?}: {e}"),
                }
                tried += complete(&commit, &files, &before, &old, &new, name);
            }
        }
    }
    println!("{tried} cut points of commits");
    assert!(tried > 2000, "{tried}");
}

/// With `COLDMEND_CRASH_DUMP=DIR`, every cut is left there for other programs to recover.
fn dump(name: &str, files: &Files, before: &[u8], after: &[u8]) {
    let Some(dir) = std::env::var_os("COLDMEND_CRASH_DUMP") else { return };
    let path = |extension: &str| std::path::Path::new(&dir).join(format!("{name}{extension}"));
    std::fs::write(path(".hive"), &files.primary).unwrap();
    std::fs::write(path(".before"), before).unwrap();
    std::fs::write(path(".after"), after).unwrap();
    for slot in LogSlot::ALL {
        if let Some(log) = files.logs.get(slot) {
            std::fs::write(path(&format!(".hive{}", slot.extension())), log).unwrap();
        }
    }
}

/// Finishing and taking back from a cut, both cut again at every step. Answers the number of cuts.
fn complete(
    commit: &Commit,
    start: &Files,
    before: &[u8],
    old: &common::Tree,
    new: &common::Tree,
    name: &str,
) -> usize {
    let mut tried = 0;
    let mut random = Random(2);
    for back in [false, true] {
        let expected = if back { before } else { commit.after() };
        for cut in 0..500 {
            let mut machines = Machines::new(start, cut);
            let result = machines.run(|p, l| if back { commit.take_back(p, l) } else { commit.finish(p, l) });
            assert!(cut < 200, "{name}: back {back}: never ends: {result:?}");
            if result.is_ok() {
                let files = machines.files();
                assert!(files.primary == expected, "{name}: back {back}: not exact");
                for slot in LogSlot::ALL {
                    let quiet = files.logs.get(slot).is_none_or(|l| l.iter().take(512).all(|&b| b == 0));
                    assert!(quiet, "{name}: {slot:?} is still there");
                }
                break;
            }
            let files = machines.after_cut(LOSSES[cut % LOSSES.len()], &mut random);
            tried += 1;
            if let Ok(hive) = restart(&files) {
                let tree = tree(&hive);
                assert!(tree == *old || tree == *new, "{name}, back {back}, cut {cut}: neither");
            } else {
                assert_eq!(name, "no log file", "back {back}, cut {cut}");
            }
            // And from there once more, to the end, either way.
            for back in [false, true] {
                let mut again = Machines::new(&files, usize::MAX);
                again.run(|p, l| if back { commit.take_back(p, l) } else { commit.finish(p, l) }).unwrap();
                let expected = if back { before } else { commit.after() };
                assert!(again.primary.now.0 == expected, "{name}: again");
            }
        }
    }
    tried
}

#[test]
fn a_recovery_cut_anywhere_can_be_done_again() {
    let mut tried = 0;
    for (name, regime) in REGIMES {
        if name == "no log file" {
            continue;
        }
        let logs = logs_for(name);
        let (before, commit) = commit(regime, &logs);
        let new = tree(commit.hive());
        // A hive as a cut commit leaves it: marked dirty, nothing of the pages written.
        let start = (0..500)
            .map(|cut| {
                let mut machines = Machines::new(&Files { primary: before.clone(), logs: logs.clone() }, cut);
                let _ = machines.run(|p, l| commit.execute(p, l));
                machines.after_cut(Loss::Dropped, &mut Random(3))
            })
            .find(|files| matches!(Hive::open(files.primary.clone()), Err(HiveError::Dirty { .. })))
            .unwrap();
        for broken_base in [false, true] {
            let mut start = start.clone();
            if broken_base {
                if regime != LogRegime::Log12HvLe {
                    continue;
                }
                start.primary[508] ^= 0x55;
            }
            let prepare = |files: &Files| {
                RecoveryCommit::prepare(Hive::recover(files.primary.clone(), &files.logs).unwrap()).unwrap()
            };
            let recovery = prepare(&start);
            assert!(tree(recovery.hive()) == new);
            let mut random = Random(4);
            for cut in 0..500 {
                let mut machines = Machines::new(&start, cut);
                if machines.run(|p, l| recovery.execute(p, l)).is_ok() {
                    assert!(machines.primary.now.0 == recovery.after());
                    break;
                }
                for how in (0..rounds()).flat_map(|_| LOSSES) {
                    tried += 1;
                    let files = machines.after_cut(how, &mut random);
                    let position = recovery.position(&MemoryStorage(files.primary.clone())).unwrap();
                    assert_ne!(position, DiskState::Foreign, "{name}, cut {cut}, {how:?}");
                    let hive = restart(&files).unwrap_or_else(|e| panic!("{name}, cut {cut}, {how:?}: {e}"));
                    assert!(tree(&hive) == new, "{name}, cut {cut}, {how:?}");
                    let mut again = Machines::new(&files, usize::MAX);
                    again.run(|p, l| recovery.finish(p, l)).unwrap();
                    assert!(again.primary.now.0 == recovery.after());
                }
            }
        }
    }
    println!("{tried} cut points of recoveries");
    assert!(tried > 60, "{tried}");
}

/// Real hives with their own logs: an edit, and for dirty ones the recovery before it, cut at every write and flush.
#[test]
fn real_hives_cut_anywhere_are_before_or_after() {
    let Some(corpus) = corpus("cuts of real hives") else { return };
    let limit = if rounds() > 1 { u64::MAX } else { 1 << 20 };
    let (mut commits, mut recoveries, mut tried) = (0, 0, 0);
    for (name, path) in hives(&corpus) {
        let mut random = Random(7);
        let mut start = Files { primary: std::fs::read(&path).unwrap(), logs: logs(&path) };
        if start.primary.len() as u64 > limit {
            continue;
        }
        let Ok(recovered) = Hive::recover(start.primary.clone(), &start.logs) else { continue };
        if !recovered.report.was_clean {
            let recovery = RecoveryCommit::prepare(recovered).unwrap();
            let after = Files { primary: recovery.after().to_vec(), logs: start.logs.clone() };
            for cut in 0..500 {
                let mut machines = Machines::new(&start, cut);
                if machines.run(|p, l| recovery.execute(p, l)).is_ok() {
                    assert!(machines.primary.now.0 == recovery.after());
                    start = machines.files();
                    break;
                }
                for how in (0..rounds()).flat_map(|_| LOSSES) {
                    let files = machines.after_cut(how, &mut random);
                    let hive = restart(&files).unwrap_or_else(|e| panic!("{name}, cut {cut}, {how:?}: {e}"));
                    assert!(is_same(&hive, &after.primary), "{name}, recovery, cut {cut}, {how:?}");
                    tried += 1;
                }
            }
            recoveries += 1;
        }
        let mut hive = Hive::open(start.primary.clone()).unwrap();
        if !hive.verify().is_sound() {
            continue;
        }
        let old_format = start.logs.log1.as_deref().map(coldmend_hives::inspect_log).and_then(|l| l.format);
        let regime = match (&start.logs.log, &start.logs.log1, old_format) {
            (Some(_), None, _) => LogRegime::Dot,
            (_, _, Some(LogFormat::Dirt)) => LogRegime::Log12Dirt,
            _ => LogRegime::Log12HvLe,
        };
        if regime != LogRegime::Dot {
            start.logs.log1.get_or_insert_default();
        }
        hive.create_key("Coldmend\\Cut", NOW).unwrap();
        hive.set_value("Coldmend\\Cut", "Value", 3, &[5; 9000], NOW).unwrap();
        hive.set_value("", "Value", 4, &[1, 0, 0, 0], NOW).unwrap();
        let commit = Commit::prepare(hive, &start.logs, regime, NOW).unwrap();
        for cut in 0..500 {
            let mut machines = Machines::new(&start, cut);
            if machines.run(|p, l| commit.execute(p, l)).is_ok() {
                assert!(machines.primary.now.0 == commit.after());
                break;
            }
            for how in (0..rounds()).flat_map(|_| LOSSES) {
                let files = machines.after_cut(how, &mut random);
                let hive = restart(&files).unwrap_or_else(|e| panic!("{name}, cut {cut}, {how:?}: {e}"));
                let known = is_same(&hive, &start.primary) || is_same(&hive, commit.after());
                assert!(known, "{name}, cut {cut}, {how:?}: neither before nor after");
                tried += 1;
            }
        }
        commits += 1;
    }
    println!("{tried} cut points of {commits} commits and {recoveries} recoveries of real hives");
    assert!(commits > 50 && recoveries > 5, "{commits}, {recoveries}");
}

/// Whether a hive has the same bins as a file, or else the same tree.
fn is_same(hive: &Hive, file: &[u8]) -> bool {
    let length = u32::from_le_bytes(file[40..44].try_into().unwrap()) as usize;
    let bins = |bytes: &[u8]| bytes[4096..4096 + length.min(bytes.len() - 4096)].to_vec();
    // The first bin's time stamp changes with the hive's.
    let rest = |bytes: &[u8]| bins(bytes)[28..].to_vec();
    (hive.base_block().length as usize == length && rest(hive.bytes()) == rest(file))
        || Hive::open(file.to_vec()).is_ok_and(|other| tree(hive) == tree(&other))
}

/// Between the log and the mark, the mark and the pages, the pages and the end lies a flush of what came before.
#[test]
fn every_step_is_flushed_before_the_next() {
    for (name, regime) in REGIMES {
        let logs = logs_for(name);
        let (before, commit) = commit(regime, &logs);
        let mut machines = Machines::new(&Files { primary: before, logs }, usize::MAX);
        machines.run(|p, l| commit.execute(p, l)).unwrap();
        let trace = machines.machine.trace.borrow().clone();
        let mut unflushed: Option<(usize, bool)> = None;
        for event in &trace {
            match *event {
                Event::Flush(file) => {
                    // Without a write before: the file's new length.
                    assert!(unflushed.is_none_or(|u| u.0 == file), "{name}: a flush of the wrong file");
                    unflushed = None;
                }
                Event::Write(file, offset) => {
                    let is_page = file == 0 && offset > 0;
                    if let Some(previous) = unflushed {
                        assert_eq!(previous, (0, true), "{name}: a write before a flush: {trace:?}");
                        assert!(is_page, "{name}: only pages may share a flush");
                    }
                    unflushed = Some((file, is_page));
                }
            }
        }
        assert_eq!(unflushed, None, "{name}: something is not flushed");
        let marks = trace.iter().filter(|e| **e == Event::Write(0, 0)).count();
        assert_eq!(marks, 2, "{name}");
    }
}

#[test]
fn a_file_that_somebody_changed_is_not_written_to() {
    let logs = logs_for("HvLE");
    let (before, commit) = commit(LogRegime::Log12HvLe, &logs);
    for at in [8usize, 5000] {
        let mut other = before.clone();
        other[at] ^= 1;
        for how in 0..3 {
            let mut machines = Machines::new(&Files { primary: other.clone(), logs: logs.clone() }, usize::MAX);
            let result = machines.run(|p, l| match how {
                0 => commit.execute(p, l),
                1 => commit.finish(p, l),
                _ => commit.take_back(p, l),
            });
            assert!(matches!(result, Err(coldmend_hives::CommitError::Foreign { .. })), "{result:?}");
            assert_eq!(machines.machine.done.get(), 0);
        }
    }
}

#[test]
fn stale_entries_are_never_above_the_hive() {
    // A clean hive whose logs hold entries with far higher numbers, which are ignored as long as it is clean.
    let logs = logs_for("HvLE");
    let (before, first) = commit(LogRegime::Log12HvLe, &logs);
    let mut armed = None;
    for cut in 0..500 {
        let mut machines = Machines::new(&Files { primary: before.clone(), logs: logs.clone() }, cut);
        if machines.run(|p, l| first.execute(p, l)).is_ok() {
            break;
        }
        let files = machines.files();
        if coldmend_hives::inspect_log(files.logs.log1.as_deref().unwrap()).entries == 1 {
            armed = Some(files.logs);
            break;
        }
    }
    let stale = armed.unwrap();
    let highest = coldmend_hives::inspect_log(stale.log1.as_deref().unwrap()).last_sequence.unwrap();
    let mut hive = Hive::open(before).unwrap();
    hive.set_value("Services\\Service1", "Start", 4, &[3, 0, 0, 0], NOW).unwrap();
    let second = Commit::prepare(hive, &stale, LogRegime::Log12HvLe, NOW).unwrap();
    assert!(second.hive().base_block().primary_sequence > highest + 1);
}

/// A file that ends within a sector, as copies do: growing it and taking that back, cut anywhere, never leaves a sector that is half of each.
#[test]
fn a_file_of_any_length_can_be_taken_back() {
    for slack in [0usize, 1, 100, 511, 512, 700, 4096, 5000] {
        let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
        hive.create_key("A", NOW).unwrap();
        let first = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW).unwrap();
        let mut before = first.after().to_vec();
        before.resize(before.len() + slack, 0x5A);
        let mut hive = Hive::open(before.clone()).unwrap();
        hive.set_value("A", "Big", 3, &[9; 30_000], NOW).unwrap();
        let logs = logs_for("HvLE");
        let commit = Commit::prepare(hive, &logs, LogRegime::Log12HvLe, NOW).unwrap();
        let done = Files { primary: commit.after().to_vec(), logs };
        let mut random = Random(slack as u64);
        for cut in 0..500 {
            let mut machines = Machines::new(&done, cut);
            if machines.run(|p, l| commit.take_back(p, l)).is_ok() {
                assert!(machines.primary.now.0 == before, "{slack}");
                break;
            }
            for how in LOSSES {
                let files = machines.after_cut(how, &mut random);
                let position = commit.position(&MemoryStorage(files.primary.clone())).unwrap();
                assert_ne!(position, DiskState::Foreign, "slack {slack}, cut {cut}, {how:?}");
                let mut again = Machines::new(&files, usize::MAX);
                again.run(|p, l| commit.take_back(p, l)).unwrap();
                assert!(again.primary.now.0 == before, "slack {slack}, cut {cut}, {how:?}");
            }
        }
    }
}

/// A recovery is written before the edits that come on top of it: one that has edits in it already is refused.
#[test]
fn a_recovery_with_edits_in_it_is_refused() {
    let logs = logs_for("HvLE");
    let (before, commit) = commit(LogRegime::Log12HvLe, &logs);
    let start = Files { primary: before, logs };
    let dirty = (0..500).find_map(|cut| {
        let mut machines = Machines::new(&start, cut);
        let _ = machines.run(|p, l| commit.execute(p, l));
        let files = machines.after_cut(Loss::Dropped, &mut Random(3));
        matches!(Hive::open(files.primary.clone()), Err(HiveError::Dirty { .. })).then_some(files)
    });
    let dirty = dirty.unwrap();
    let mut recovered = Hive::recover(dirty.primary, &dirty.logs).unwrap();
    recovered.hive.create_key("Too early", NOW).unwrap();
    assert!(matches!(RecoveryCommit::prepare(recovered), Err(HiveError::Refused { .. })));
}
