//! The structural check on the corpus: no false alarm, no damage missed.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use coldmend_hives::{check_bytes, Hive, Rule};
use common::{corpus, hives, logs};

/// What was damaged on purpose, and the rules it breaks.
const DAMAGED: [(&str, &[Rule]); 12] = [
    ("libyal+libregf/file_header.1", &[Rule::V1]),
    ("libyal+libregf/hive_bins_list.1", &[Rule::V1]),
    ("log2timeline+plaso/regf__corrupt_sub_key_list.hiv", &[Rule::V3]),
    ("msuhanov+yarp/BadListHive", &[Rule::V3, Rule::V5]),
    ("msuhanov+yarp/DeletedDataHiveTruncated", &[Rule::V3]),
    ("msuhanov+yarp/DuplicateSubkeysHive", &[Rule::V6]),
    ("msuhanov+yarp/EffectiveSizeHive", &[Rule::V1]),
    ("msuhanov+yarp/GarbageHive", &[Rule::V1]),
    ("msuhanov+yarp/InvalidParentHive", &[Rule::V5]),
    ("msuhanov+yarp/TruncatedDirtyHive", &[Rule::V1]),
    ("msuhanov+yarp/TruncatedNameHive", &[Rule::V5]),
    ("janstarke+dfir-toolkit/hivescan__NewDirtyHive1__NewDirtyHive.clean1", &[Rule::V1]),
];

#[test]
fn healthy_hives_have_no_fault_and_damaged_ones_have() {
    let Some(corpus) = corpus("the check of the corpus") else { return };
    let (mut healthy, mut damaged) = (0, 0);
    for (name, path) in hives(&corpus) {
        let bytes = std::fs::read(&path).unwrap();
        if let Some((_, rules)) = DAMAGED.iter().find(|(n, _)| *n == name) {
            let report = check_bytes(&bytes);
            for rule in *rules {
                assert!(report.faults.iter().any(|f| f.rule == *rule), "{name}: {rule:?} not reported");
            }
            damaged += 1;
            continue;
        }
        // Dirty ones: as their logs make them, else as they are.
        let hive = match Hive::recover(bytes.clone(), &logs(&path)) {
            Ok(recovered) => recovered.hive,
            Err(_) => Hive::recover_without_logs(bytes, &logs(&path)).unwrap_or_else(|e| panic!("{name}: {e}")).hive,
        };
        let report = hive.check();
        assert!(report.is_sound(), "{name}: {:?}", report.faults);
        let walked = hive.walk().unwrap().map(Result::unwrap).count() as u64;
        assert_eq!(walked, report.stats.keys, "{name}");
        healthy += 1;
    }
    println!("{healthy} healthy, {damaged} damaged");
    assert_eq!(damaged, DAMAGED.len());
    assert!(healthy >= 80);
}
