//! Twenty single faults in a real SYSTEM hive: the check sees every one.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod common;

use coldmend_hives::{check_bytes, Hive, Rule};
use common::corpus;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn add(bytes: &mut [u8], at: usize, value: i32) {
    let found = u32_at(bytes, at);
    put(bytes, at, found.wrapping_add_signed(value));
}

fn seal(bytes: &mut [u8]) {
    let sum = bytes[..508].chunks(4).fold(0, |a, c| a ^ u32::from_le_bytes(c.try_into().unwrap()));
    put(bytes, 508, sum);
}

/// File offset of the payload of a cell.
fn payload(cell: u32) -> usize {
    cell as usize + 4100
}

type Damage = fn(&mut Vec<u8>, &Places);

/// Where things are in the hive that is damaged.
struct Places {
    /// Payload of the key `ControlSet001\Services`, with an `lh` list.
    services: usize,
    /// Payload of its list.
    list: usize,
    /// Payload of a service's key.
    key: usize,
    /// Payload of the key's first value with data in a cell.
    value: usize,
    /// Payload of the key's security cell.
    security: usize,
}

const FAULTS: [(&str, Rule, bool, Damage); 20] = [
    ("header checksum", Rule::V1, false, |b, _| b[508] ^= 1),
    ("dirty without logs", Rule::V1, false, |b, _| {
        add(b, 4, 1);
        seal(b);
    }),
    ("subkey list unsorted", Rule::V6, false, |b, p| {
        let (one, two) = (p.list + 4, p.list + 12);
        for i in 0..8 {
            b.swap(one + i, two + i);
        }
    }),
    ("lh hash", Rule::V6, false, |b, p| b[p.list + 8] ^= 1),
    ("subkey count + 1", Rule::V6, false, |b, p| add(b, p.services + 20, 1)),
    ("security reference count + 1", Rule::V8, false, |b, p| add(b, p.security + 12, 1)),
    ("security ring broken", Rule::V8, false, |b, p| add(b, p.security + 4, 8)),
    ("value list dangling", Rule::V3, false, |b, p| add(b, p.key + 40, 8)),
    ("value count + 1", Rule::V7, false, |b, p| {
        // So many that they do not fit in the list's cell.
        let list = payload(u32_at(b, p.key + 40));
        let room = u32_at(b, list - 4).wrapping_neg() / 4 - 1;
        put(b, p.key + 36, room + 1);
    }),
    ("a bin's own offset", Rule::V2, false, |b, _| {
        let second = 4096 + u32_at(b, 4104) as usize;
        add(b, second + 4, 4096);
    }),
    ("key cell marked free", Rule::V3, false, |b, p| {
        let size = u32_at(b, p.key - 4);
        put(b, p.key - 4, size.wrapping_neg());
    }),
    ("maximum subkey name length 0", Rule::V5, true, |b, p| b[p.services + 52..p.services + 54].fill(0)),
    ("value larger than its cell", Rule::V7, false, |b, p| {
        let cell = payload(u32_at(b, p.value + 8));
        let room = u32_at(b, cell - 4).wrapping_neg() - 4;
        put(b, p.value + 4, room + 1);
    }),
    ("parent", Rule::V5, false, |b, p| add(b, p.key + 16, 8)),
    ("key signature", Rule::V5, false, |b, p| b[p.key] = b'x'),
    ("cell overruns its bin", Rule::V2, false, |b, p| put(b, p.key - 4, 0x2000u32.wrapping_neg())),
    ("bins size short by 4096", Rule::V3, false, |b, _| {
        add(b, 40, -4096);
        seal(b);
    }),
    ("duplicate subkey", Rule::V3, false, |b, p| {
        let first: Vec<u8> = b[p.list + 4..p.list + 12].to_vec();
        b[p.list + 12..p.list + 20].copy_from_slice(&first);
    }),
    ("file truncated by 4096", Rule::V1, false, |b, _| {
        let end = 4096 + u32_at(b, 40) as usize - 4096;
        b.truncate(end);
    }),
    ("value name too long", Rule::V7, false, |b, p| b[p.value + 2..p.value + 4].copy_from_slice(&[0, 0x30])),
];

#[test]
fn the_check_sees_twenty_single_faults() {
    let Some(corpus) = corpus("twenty single faults") else { return };
    let mut seen = 0;
    for system in ["mkorman90+regipy/SYSTEM", "fox-it+dissect.regf/SYSTEM"] {
        let healthy = std::fs::read(corpus.join("hives").join(system)).unwrap();
        let places = places(&healthy);
        let sound = check_bytes(&healthy);
        assert!(sound.is_sound());
        for (name, rule, is_note, damage) in FAULTS {
            let mut bytes = healthy.clone();
            damage(&mut bytes, &places);
            let report = check_bytes(&bytes);
            let found = if is_note { &report.notes } else { &report.faults };
            let new = |f: &&coldmend_hives::Fault| f.rule == rule && !sound.notes.contains(f);
            let fault = found.iter().find(new);
            assert!(fault.is_some(), "{system}: {name}: {:?}", report.faults.first());
            if is_note {
                assert!(report.is_sound(), "{name}: {:?}", report.faults);
            }
            seen += 1;
        }
    }
    println!("{seen} of 40 seen");
}

fn places(bytes: &[u8]) -> Places {
    let hive = Hive::open(bytes.to_vec()).unwrap();
    let services = hive.find_key("ControlSet001\\Services").unwrap().unwrap();
    let at = |offset: u64| offset as usize + 4;
    let with_cell = |k: &coldmend_hives::KeyRef<'_>| {
        let value = k.values().unwrap().into_iter().find(|v| v.data_len() > 4 && v.data_len() <= 16_344)?;
        Some((at(k.file_offset()), at(value.file_offset())))
    };
    let (key, value) = services.subkeys().unwrap().iter().find_map(with_cell).unwrap();
    let services = at(services.file_offset());
    let list = payload(u32_at(bytes, services + 28));
    assert_eq!(&bytes[list..list + 2], b"lh");
    Places { services, list, key, value, security: payload(u32_at(bytes, key + 44)) }
}
