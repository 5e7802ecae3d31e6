//! Hostile bytes: mutations of hives and logs never panic, hang or take memory, and what the check accepts the reader can walk.
//!
//! Deterministic. The number of inputs is `COLDMEND_HOSTILE` (default 200,000 hives and a quarter of that of logs).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use coldmend_hives::{check_bytes, Commit, Hive, HiveError, LogFiles, LogRegime, NewHive, RecoveryCommit, Rule};
use common::hostile::{dirty_seeds, edit, length, mutate, seeds};
use common::seal::{checksum, entry_hashes, seal};
use common::{Random, NOW};

fn inputs() -> usize {
    std::env::var("COLDMEND_HOSTILE").ok().and_then(|s| s.parse().ok()).unwrap_or(200_000)
}

#[test]
fn mutated_hives_never_panic() {
    let seeds = seeds();
    let mut random = Random(11);
    let (mut opened, mut sound, mut edits, mut commits) = (0, 0, 0, 0);
    let mut slowest = Duration::ZERO;
    let mut broken: BTreeMap<Rule, usize> = BTreeMap::new();
    for number in 0..inputs() {
        let start = Instant::now();
        let (seed, _) = random.pick(&seeds);
        let mut bytes = seed.clone();
        let used = (4096 + length(&bytes)).min(bytes.len());
        mutate(&mut bytes, &mut random, used);
        if random.below(8) != 0 {
            seal(&mut bytes);
        }
        let report = check_bytes(&bytes);
        let rules: BTreeSet<Rule> =
            report.faults.iter().chain(report.notes.iter().filter(|n| n.rule == Rule::V10)).map(|f| f.rule).collect();
        for rule in rules {
            *broken.entry(rule).or_default() += 1;
        }
        let Ok(mut hive) = Hive::open(bytes) else { continue };
        opened += 1;
        let mut keys = 0;
        for key in hive.walk().into_iter().flatten() {
            let Ok((_, key)) = key else {
                assert!(!report.is_sound());
                continue;
            };
            keys += 1;
            let read = || -> Result<(), HiveError> {
                key.class()?;
                key.security_descriptor()?;
                for value in key.values()? {
                    value.data()?;
                }
                Ok(())
            };
            let result = read();
            assert!(result.is_ok() || !report.is_sound(), "the check accepts what can't be read: {result:?}");
        }
        if report.is_sound() {
            sound += 1;
            assert_eq!(keys, report.stats.keys);
        }
        // Comparing the bytes takes longer than the edit: a share of the inputs.
        edits += edit(&mut hive, &mut random, number % 16 == 0);
        let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW);
        let fine = matches!(commit, Ok(_) | Err(HiveError::SequenceExhausted { .. }));
        assert!(fine || !report.is_sound(), "edits of a sound hive can't be committed: {commit:?}");
        commits += usize::from(commit.is_ok());
        slowest = slowest.max(start.elapsed());
    }
    println!("{} mutated hives: {opened} opened, {sound} sound, {edits} edits, {commits} committed", inputs());
    println!("the slowest took {slowest:?}");
    // A watchdog for hangs, not a measurement: inputs are below 300 KB and take about a millisecond.
    assert!(slowest < Duration::from_secs(60));
    println!("rules broken: {broken:?}");
    assert!(opened > inputs() / 2);
    // Every rule that bytes alone can break; V11 is about an edit.
    use Rule::{V1, V10, V2, V3, V4, V5, V6, V7, V8, V9};
    for rule in [V1, V2, V3, V4, V5, V6, V7, V8, V9, V10] {
        assert!(broken.contains_key(&rule) || inputs() < 100_000, "{rule:?} was never broken");
    }
}

#[test]
fn mutated_logs_never_panic() {
    let mut seeds: Vec<_> = seeds().into_iter().filter(|(_, l)| l.log1.is_some()).collect();
    seeds.extend(dirty_seeds());
    let mut random = Random(12);
    let (mut recovered, mut applied, mut sound, mut forced) = (0, 0, 0, 0);
    for _ in 0..inputs() / 4 {
        let (hive, logs) = random.pick(&seeds);
        let (mut hive, mut logs) = (hive.clone(), logs.clone());
        for log in [&mut logs.log1, &mut logs.log2].into_iter().flatten() {
            if log.is_empty() || random.below(3) == 0 {
                continue;
            }
            // Mostly near the front, where header and entry headers are.
            let used = if random.below(2) == 0 { 700 } else { log.len() };
            mutate(log, &mut random, used);
            // Without right sums nothing behind them is looked at.
            if random.below(4) != 0 {
                seal(log);
                entry_hashes(log);
            }
        }
        if random.below(3) == 0 {
            mutate(&mut hive, &mut random, 600);
            if random.below(2) == 0 {
                checksum(&mut hive);
            }
        }
        forced += usize::from(Hive::recover_without_logs(hive.clone(), &logs).is_ok());
        if let Ok(result) = Hive::recover(hive, &logs) {
            recovered += 1;
            applied += usize::from(!result.report.applied.is_empty());
            let is_sound = result.hive.check().is_sound();
            sound += usize::from(is_sound);
            let commit = RecoveryCommit::prepare(result);
            let fine = matches!(commit, Ok(_) | Err(HiveError::SequenceExhausted { .. }));
            assert!(fine || !is_sound, "a sound recovery can't be committed: {commit:?}");
        }
    }
    println!(
        "{} mutated logs: {recovered} recovered, {applied} from logs, {sound} sound; {forced} forced",
        inputs() / 4
    );
    assert!(applied * 10 > inputs() / 4);
}

/// Thousands of keys that name one long list: the walk neither hangs nor takes memory by their product.
#[test]
fn a_list_named_by_many_keys_is_walked_once() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    for i in 0..20_000 {
        hive.create_key(&format!("Many\\{i}"), NOW).unwrap();
    }
    let many = hive.find_key("Many").unwrap().unwrap();
    let at = |key: &coldmend_hives::KeyRef<'_>| key.file_offset() as usize + 4;
    let from = at(&many);
    let children: Vec<usize> = many.subkeys().unwrap().iter().map(at).collect();
    let mut bytes = hive.bytes().to_vec();
    for child in children {
        bytes.copy_within(from + 20..from + 32, child + 20);
    }
    seal(&mut bytes);
    let report = check_bytes(&bytes);
    assert!(report.stats.faults >= 20_000, "{:?}", report.stats);
    let hive = Hive::open(bytes).unwrap();
    assert!(hive.walk().unwrap().count() <= 20_002);
    let mut hive = hive;
    assert!(hive.delete_key("Many", NOW).is_err());
}
