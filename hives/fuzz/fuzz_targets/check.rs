//! Open and check: what the check accepts, the reader can walk.
#![no_main]

use coldmend_hives::{check_bytes, Hive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let report = check_bytes(bytes);
    let Ok(hive) = Hive::open(bytes.to_vec()) else { return };
    for key in hive.walk().into_iter().flatten() {
        let read = key.and_then(|(_, key)| {
            key.class()?;
            key.security_descriptor()?;
            key.values()?.iter().try_for_each(|v| v.data().map(|_| ()))
        });
        assert!(read.is_ok() || !report.is_sound());
    }
});
