//! Edits of any hive that opens: an edit that fails changes nothing, and a sound hive stays sound and loses no cell.
//!
//! The last 16 bytes of the input choose the edits; the rest is the hive, with checksum and sequence numbers made right.
#![no_main]

use coldmend_hives::{Commit, FileTime, Hive, LogFiles, LogRegime, NewHive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.len().checked_sub(16) else { return };
    let (image, choices) = bytes.split_at(at);
    let mut image = image.to_vec();
    coldmend_hives_fuzz::seal(&mut image);
    let Ok(mut hive) = Hive::open(image) else { return };
    let start = hive.bytes().to_vec();
    let before = hive.check();
    let paths: Vec<String> =
        hive.walk().into_iter().flatten().flatten().filter_map(|(_, key)| key.path()).take(50).collect();
    if paths.is_empty() {
        return;
    }
    let now = FileTime(1);
    let descriptor = NewHive::default().descriptor;
    for pair in choices.chunks(2) {
        let path = &paths[usize::from(pair[1]) % paths.len()];
        let name = hive
            .find_key(path)
            .ok()
            .flatten()
            .and_then(|key| key.values().ok()?.first().map(|v| v.name()))
            .unwrap_or_default();
        let image = hive.bytes().to_vec();
        let size = [0, 1, 4, 5, 100, 16_344, 16_345, 40_000][usize::from(pair[0] >> 4) & 7];
        let result = match pair[0] & 7 {
            0 => hive.set_value(path, "Fuzz", 3, &vec![1; size], now),
            1 => hive.set_value(path, &name, 1, &vec![2; size], now),
            2 => hive.create_key(&format!("{path}\\Fuzz{}\\Sub", pair[1]), now),
            3 => hive.set_class(path, [None, Some("Fuzz"), Some("A longer class")][usize::from(pair[0] >> 4) % 3], now),
            4 => hive.delete_value(path, &name, now),
            5 => hive.rename_value(path, &name, ["F", "A name that is longer"][usize::from(pair[0] >> 4) & 1], now),
            6 => hive.set_key_security(path, &descriptor, now),
            _ => hive.delete_key(path, now),
        };
        if result.is_err() {
            assert!(hive.bytes() == image);
        }
    }
    match Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, now) {
        // Nothing changed: then nothing is checked.
        Ok(commit) if commit.is_empty() => assert!(commit.after() == start),
        Ok(commit) => {
            let after = Hive::open(commit.after().to_vec()).map(|h| h.check());
            assert!(after.as_ref().is_ok_and(|r| r.is_sound()));
            // A cell that nothing refers to may turn up in a list or a name, but none is added to a sound hive.
            assert!(
                !before.is_sound()
                    || after.is_ok_and(|r| r.stats.unreferenced_cells <= before.stats.unreferenced_cells)
            );
        }
        Err(error) => assert!(!before.is_sound(), "a sound hive can't be committed: {error}"),
    }
});
