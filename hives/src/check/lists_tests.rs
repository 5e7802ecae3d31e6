//! The order of a list: by the table of one generation of Windows from its beginning to its end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::{check_bytes, FileTime, Hive, NewHive, Rule};

const NOW: FileTime = FileTime(133_500_000_000_000_000);

/// A hive whose root has keys named by these units, in this order. Version 1.3 has no hashes that would have to fit.
fn with_names(units: &[u16]) -> Vec<u8> {
    let mut hive = Hive::create(&NewHive { minor: 3, ..NewHive::default() }, NOW).unwrap();
    // Made with names that every Windows sorts alike, and then renamed in place.
    let stand_in = |at: usize| 0x4E00 + u16::try_from(at).unwrap();
    for at in 0..units.len() {
        hive.create_key(&String::from_utf16(&[stand_in(at)]).unwrap(), NOW).unwrap();
    }
    let mut bytes = hive.bytes().to_vec();
    for (at, unit) in units.iter().enumerate() {
        let name = stand_in(at).to_le_bytes();
        let places: Vec<usize> =
            (0..bytes.len() - 80).filter(|&p| bytes[p..].starts_with(b"nk") && bytes[p + 76..p + 78] == name).collect();
        assert_eq!(places.len(), 1);
        bytes[places[0] + 76..places[0] + 78].copy_from_slice(&unit.to_le_bytes());
    }
    bytes
}

#[test]
fn a_list_has_one_order() {
    // U+0180 and U+0250 are small letters for Vista and later (U+0243, U+2C6F), and have no case before.
    for (names, sound) in [
        (&[0x200, 0x180][..], true),            // Vista's order
        (&[0x250, 0x300], true),                // XP's
        (&[0x200, 0x180, 0x250], true),         // Vista's
        (&[0x180, 0x200, 0x250, 0x300], true),  // XP's
        (&[0x200, 0x180, 0x250, 0x300], false), // each pair by one of them, the list by none
        (&[0x300, 0x200], false),
        (&[0x200, 0x200], false),
    ] {
        let report = check_bytes(&with_names(names));
        assert_eq!(report.is_sound(), sound, "{names:x?}: {:?}", report.faults);
        if !sound {
            assert_eq!(report.faults.len(), 1, "{names:x?}: {:?}", report.faults);
            assert_eq!(report.faults[0].rule, Rule::V6);
        }
    }
}
