//! Recovery against what Windows and yarp made of the same hives.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use coldmend_hives::{Hive, HiveError, LogFiles, LogFormat, LogSlot, MemoryStorage, RecoveryCommit};
use common::{corpus, hives, logs, tree};

/// What Windows 10 itself made of the hive: byte by byte, base block included.
#[test]
fn new_format_is_byte_identical_to_windows_10() {
    let Some(corpus) = corpus("the golden result of Windows 10") else { return };
    let dir = corpus.join("hives/janstarke+dfir-toolkit");
    let path = dir.join("hivescan__NewDirtyHive1__NewDirtyHive");
    let golden = std::fs::read(dir.join("hivescan__NewDirtyHive1__RecoveredHive_Windows10")).unwrap();
    let logs = logs(&path);
    let bytes = std::fs::read(&path).unwrap();
    assert!(matches!(Hive::open(bytes.clone()), Err(HiveError::Dirty { checksum_valid: true, .. })));
    let recovered = Hive::recover(bytes, &logs).unwrap();
    assert_eq!(recovered.report.applied, [(LogSlot::Log1, LogFormat::HvLE, 1), (LogSlot::Log2, LogFormat::HvLE, 3)]);
    assert_eq!(recovered.report.sequence, 6);
    assert!(recovered.hive.bytes() == golden, "differs from Windows' result");
    let commit = RecoveryCommit::prepare(recovered).unwrap();
    assert!(commit.after() == golden, "the commit differs from Windows' result");
}

/// Windows 7's result differs only in the first bin's time stamp and what Windows wrote afterwards.
#[test]
fn old_format_is_what_windows_7_made() {
    let Some(corpus) = corpus("the golden result of Windows 7") else { return };
    let dir = corpus.join("hives/msuhanov+yarp");
    let path = dir.join("OldDirtyHive__OldDirtyHive");
    let golden = std::fs::read(dir.join("OldDirtyHive__RecoveredHive_Windows7")).unwrap();
    let recovered = Hive::recover(std::fs::read(&path).unwrap(), &logs(&path)).unwrap();
    assert_eq!(recovered.report.applied, [(LogSlot::Log1, LogFormat::Dirt, 1)]);
    let ours = recovered.hive.bytes();
    assert_eq!(ours.len(), golden.len());
    let differing: Vec<usize> = (4096..ours.len()).filter(|&i| ours[i] != golden[i]).collect();
    let outside: Vec<_> = differing.iter().filter(|i| !(4116..4124).contains(*i)).collect();
    assert!(outside.len() <= 1, "{outside:x?}");
    assert!(tree(&recovered.hive) == tree(&Hive::open(golden).unwrap()));
}

#[test]
fn trees_are_those_of_yarp() {
    let Some(corpus) = corpus("yarp's results") else { return };
    let mut compared = 0;
    for (name, path) in hives(&corpus) {
        let reference = corpus.join("reference").join(format!("{}.yarp-recovered", name.replace('/', "__")));
        let Ok(reference) = std::fs::read(reference) else { continue };
        let bytes = std::fs::read(&path).unwrap();
        let recovered = Hive::recover(bytes.clone(), &logs(&path)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!recovered.report.was_clean, "{name}");
        let report = recovered.hive.check();
        assert!(report.is_sound(), "{name}: {:?}", report.faults);
        // yarp leaves the base block dirty or clean as it likes; the tree counts.
        let theirs = Hive::recover_without_logs(reference, &LogFiles::default()).unwrap();
        assert!(tree(&recovered.hive) == tree(&theirs.hive), "{name}: another tree than yarp's");

        let logs = logs(&path);
        let commit = RecoveryCommit::prepare(recovered).unwrap();
        let mut primary = MemoryStorage(bytes);
        let mut l1 = logs.log1.clone().map(MemoryStorage);
        let mut l2 = logs.log2.clone().map(MemoryStorage);
        let mut storages = coldmend_hives::LogStorages {
            log: None,
            log1: l1.as_mut().map(|l| l as _),
            log2: l2.as_mut().map(|l| l as _),
        };
        commit.execute(&mut primary, &mut storages).unwrap();
        assert!(primary.0 == commit.after(), "{name}");
        assert!(Hive::open(primary.0).unwrap().check().is_sound(), "{name}");
        let mut after = logs.clone();
        after.neutralise();
        assert_eq!(l1.map(|l| l.0), after.log1);
        compared += 1;
    }
    println!("{compared} dirty hives have yarp's tree");
    assert!(compared >= 12, "{compared}");
}

#[test]
fn logs_of_another_hive_are_not_applied() {
    let Some(corpus) = corpus("logs of other hives") else { return };
    for name in ["pypi+dfwinreg/NTUSER.DAT", "log2timeline+plaso/NTUSER.DAT", "log2timeline+dfwinreg/NTUSER.DAT"] {
        let path = corpus.join("hives").join(name);
        let bytes = std::fs::read(&path).unwrap();
        // Clean: ignored.
        let recovered = Hive::recover(bytes.clone(), &logs(&path)).unwrap();
        assert!(recovered.report.was_clean && recovered.hive.bytes() == bytes, "{name}");
        // Dirty: not eligible.
        let mut dirty = bytes;
        let mut header: [u8; 512] = dirty[..512].try_into().unwrap();
        header[4] = header[4].wrapping_add(1);
        let sum = header[..508].chunks(4).fold(0, |a, c| a ^ u32::from_le_bytes(c.try_into().unwrap()));
        header[508..].copy_from_slice(&sum.to_le_bytes());
        dirty[..512].copy_from_slice(&header);
        let refused = Hive::recover(dirty, &logs(&path));
        assert!(matches!(refused, Err(HiveError::NotRecoverable { .. })), "{name}: {refused:?}");
    }
}

#[test]
fn dirty_hives_without_a_usable_log_are_refused() {
    let Some(corpus) = corpus("dirty hives without logs") else { return };
    let mut refused = 0;
    for (name, path) in hives(&corpus) {
        let bytes = std::fs::read(&path).unwrap();
        if !matches!(Hive::open(bytes.clone()), Err(HiveError::Dirty { .. })) {
            continue;
        }
        if Hive::recover(bytes.clone(), &logs(&path)).is_ok() {
            continue;
        }
        match Hive::recover(bytes.clone(), &LogFiles::default()) {
            Err(HiveError::NotRecoverable { .. } | HiveError::Damaged(_)) => refused += 1,
            other => panic!("{name}: {other:?}"),
        }
        if let Ok(forced) = Hive::recover_without_logs(bytes, &LogFiles::default()) {
            assert!(forced.report.forced);
        }
    }
    println!("{refused} dirty hives refused");
    assert!(refused >= 10, "{refused}");
}

/// A dirty hive is edited in two transactions: first recovered on disk, then edited, both through the same logs.
#[test]
fn recovery_then_edit() {
    let Some(corpus) = corpus("recovery then edit") else { return };
    let mut done = 0;
    for (name, path) in hives(&corpus) {
        let (bytes, logs) = (std::fs::read(&path).unwrap(), logs(&path));
        let Ok(recovered) = Hive::recover(bytes.clone(), &logs) else { continue };
        if recovered.report.was_clean {
            continue;
        }
        let recovery = RecoveryCommit::prepare(recovered).unwrap();
        let mut logs_between = logs.clone();
        logs_between.neutralise();
        let mut primary = MemoryStorage(bytes);
        let mut l1 = logs.log1.map(MemoryStorage);
        let mut l2 = logs.log2.map(MemoryStorage);
        let storages = |l1: &mut Option<MemoryStorage>,
                        l2: &mut Option<MemoryStorage>,
                        work: &mut dyn FnMut(&mut coldmend_hives::LogStorages<'_>)| {
            work(&mut coldmend_hives::LogStorages {
                log: None,
                log1: l1.as_mut().map(|l| l as _),
                log2: l2.as_mut().map(|l| l as _),
            });
        };
        storages(&mut l1, &mut l2, &mut |l| {
            recovery.execute(&mut primary, l).unwrap();
        });
        let mut hive = recovery.into_hive();
        assert!(!hive.is_changed(), "{name}");
        hive.create_key("Coldmend", common::NOW).unwrap();
        hive.set_value("Coldmend", "Value", 4, &[1, 0, 0, 0], common::NOW).unwrap();
        let regime = coldmend_hives::LogRegime::Log12HvLe;
        let commit = coldmend_hives::Commit::prepare(hive, &logs_between, regime, common::NOW).unwrap();
        storages(&mut l1, &mut l2, &mut |l| {
            assert!(commit.execute(&mut primary, l).unwrap().log.is_some());
        });
        assert!(primary.0 == commit.after(), "{name}");
        let hive = Hive::open(primary.0.clone()).unwrap();
        assert!(hive.find_key("coldmend").unwrap().unwrap().value("VALUE").unwrap().is_some());
        // And back: to the recovered hive, byte by byte.
        storages(&mut l1, &mut l2, &mut |l| {
            commit.take_back(&mut primary, l).unwrap();
        });
        assert!(Hive::open(primary.0).unwrap().find_key("coldmend").unwrap().is_none());
        done += 1;
    }
    println!("{done} dirty hives recovered, edited and taken back");
    assert!(done >= 12);
}
