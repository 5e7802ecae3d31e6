//! Edits of any hive that opens: an edit that fails changes nothing, and a sound hive stays sound.
#![no_main]

use coldmend_hives::{Commit, FileTime, Hive, LogFiles, LogRegime};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut hive) = Hive::open(bytes.to_vec()) else { return };
    let sound = hive.check().is_sound();
    let paths: Vec<String> =
        hive.walk().into_iter().flatten().flatten().filter_map(|(_, key)| key.path()).take(50).collect();
    let now = FileTime(1);
    for (number, path) in paths.iter().enumerate() {
        let before = hive.bytes().to_vec();
        let result = match number % 5 {
            0 => hive.set_value(path, "Fuzz", 3, &vec![1; number * 997], now),
            1 => hive.create_key(&format!("{path}\\Fuzz"), now),
            2 => hive.set_class(path, Some("Fuzz"), now),
            3 => hive.delete_value(path, "", now),
            _ => hive.delete_key(path, now),
        };
        if result.is_err() {
            assert!(hive.bytes() == before);
        }
    }
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, now);
    assert!(commit.is_ok() || !sound);
});
