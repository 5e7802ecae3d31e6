//! The check ends, keeps its limits, and what it accepts the reader can walk.
//!
//! Checksum and sequence numbers are made right first: a fuzzer does not guess them.
#![no_main]

use coldmend_hives::{check_bytes, Hive, KEPT_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    let asis = check_bytes(&bytes);
    assert!(asis.faults.len() <= KEPT_MAX && asis.notes.len() <= KEPT_MAX);
    coldmend_hives_fuzz::seal(&mut bytes);
    let report = check_bytes(&bytes);
    assert!(report.faults.len() <= KEPT_MAX && report.notes.len() <= KEPT_MAX);
    for fault in report.faults.iter().chain(&report.notes).take(20) {
        let _ = fault.to_string();
    }
    let Ok(hive) = Hive::open(bytes) else {
        assert!(!report.is_sound());
        return;
    };
    let mut keys = 0;
    for key in hive.walk().into_iter().flatten() {
        keys += 1;
        let read = key.and_then(|(_, key)| {
            key.class()?;
            key.security_descriptor()?;
            key.values()?.iter().try_for_each(|v| v.data().map(|_| ()))
        });
        assert!(read.is_ok() || !report.is_sound());
    }
    assert!(!report.is_sound() || keys == report.stats.keys);
});
