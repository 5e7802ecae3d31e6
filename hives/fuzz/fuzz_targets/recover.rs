//! Recovery: a hive and two logs, cut out of one input by the lengths in its first eight bytes.
#![no_main]

use coldmend_hives::{Hive, LogFiles, RecoveryCommit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((lengths, rest)) = bytes.split_at_checked(8) else { return };
    let length =
        |at: usize| u32::from_le_bytes([lengths[at], lengths[at + 1], lengths[at + 2], lengths[at + 3]]) as usize;
    let (hive, rest) = rest.split_at(length(0).min(rest.len()));
    let (log1, log2) = rest.split_at(length(4).min(rest.len()));
    let logs = LogFiles { log: Some(log1.to_vec()), log1: Some(log1.to_vec()), log2: Some(log2.to_vec()) };
    if let Ok(recovered) = Hive::recover(hive.to_vec(), &logs) {
        let _ = RecoveryCommit::prepare(recovered);
    }
});
