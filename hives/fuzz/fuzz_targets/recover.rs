//! Recovery: a hive and two logs, cut out of one input by the lengths in its first eight bytes. What comes back is no longer dirty.
#![no_main]

use coldmend_hives::{Hive, LogFiles, RecoveryCommit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((lengths, rest)) = bytes.split_at_checked(8) else { return };
    let length =
        |at: usize| u32::from_le_bytes([lengths[at], lengths[at + 1], lengths[at + 2], lengths[at + 3]]) as usize;
    let (hive, rest) = rest.split_at(length(0).min(rest.len()));
    let (log1, log2) = rest.split_at(length(4).min(rest.len()));
    let (hive, mut log1, mut log2) = (hive.to_vec(), log1.to_vec(), log2.to_vec());
    for log in [&mut log1, &mut log2] {
        coldmend_hives_fuzz::checksum(log);
        coldmend_hives_fuzz::entry_hashes(log);
    }
    let logs = LogFiles { log: Some(log1.clone()), log1: Some(log1), log2: Some(log2) };
    if let Ok(recovered) = Hive::recover(hive, &logs) {
        let image = recovered.hive.bytes().to_vec();
        let sound = recovered.hive.check().is_sound();
        if RecoveryCommit::prepare(recovered).is_ok() {
            assert!(sound || Hive::open(image).is_ok());
        }
    }
});
