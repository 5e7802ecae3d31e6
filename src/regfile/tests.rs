//! What is exported comes back the same, and a difference makes the second hive out of the first.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use coldmend_hives::{FileTime, Hive, NewHive};

use super::*;

const NOW: FileTime = FileTime(133_500_000_000_000_000);

fn odd_hive() -> Hive {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    let names = ["plain", "a\"b\\c", "line\r\nend", "=hex:", "]", "[x]", "@", " spaces ", "\u{1}\u{7f}", "ü€😀", ""];
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let data: Vec<(u32, Vec<u8>)> = vec![
        (0, vec![]),
        (0, vec![1, 2, 3]),
        (1, vec![]),
        (1, wide("text\0")),
        (1, wide("text")),
        (1, wide("a\"\\\0")),
        (1, wide("two\r\nlines\0")),
        (1, wide("a\0b\0")),
        (1, wide("ü€😀\0")),
        (1, vec![0x41, 0, 0]),
        (1, vec![0x00, 0xd8, 0, 0]),
        (1, vec![0x00, 0xdc, 0x41, 0, 0, 0]),
        (2, wide("%x%\0")),
        (3, vec![]),
        (3, (0..=255).collect()),
        (4, vec![1, 2, 3, 4]),
        (4, vec![1, 2]),
        (5, vec![1, 2, 3, 4]),
        (7, wide("a\0b\0\0")),
        (11, vec![1; 8]),
        (0x8000_0001, vec![9; 70]),
        (u32::MAX, vec![9; 16_344]),
        (3, vec![9; 100_000]),
    ];
    for (place, name) in names.iter().enumerate() {
        for (number, (data_type, data)) in data.iter().enumerate() {
            let key = if name.is_empty() || name.contains('\\') {
                format!("k{number}")
            } else {
                format!("{name}\\k{number}")
            };
            if hive.find_key(&key).unwrap().is_none() {
                hive.create_key(&key, NOW).unwrap();
            }
            let kind = data_type.wrapping_add(0);
            hive.set_value(&key, name, kind, data, NOW).unwrap();
            hive.set_value(&key, &format!("n{place}"), kind, data, NOW).unwrap();
        }
    }
    hive
}

type Values = BTreeMap<(String, String), (u32, Vec<u8>)>;

fn values(hive: &Hive) -> Values {
    let mut all = Values::new();
    for (_, key) in hive.walk().unwrap().map(Result::unwrap) {
        let path = key.path().unwrap();
        all.insert((path.clone(), "\0key".into()), (0, vec![]));
        for value in key.values().unwrap() {
            all.insert((path.clone(), value.name()), (value.data_type(), value.data().unwrap().into_owned()));
        }
    }
    all
}

fn text(write: impl FnOnce(&mut RegWriter<'_>), encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = RegWriter::new(&mut out, encoding);
    write(&mut writer);
    assert_eq!(writer.finish().unwrap(), 0);
    out
}

fn apply(hive: &mut Hive, edits: Vec<Edit>) {
    for edit in edits {
        match edit {
            Edit::CreateKey(key) if hive.find_key(&key).unwrap().is_some() => {}
            Edit::CreateKey(key) => hive.create_key(&key, NOW).unwrap(),
            Edit::DeleteKey(key) => hive.delete_key(&key, NOW).unwrap(),
            Edit::SetValue(key, name, value) => hive.set_value(&key, &name, value.data_type, &value.data, NOW).unwrap(),
            Edit::DeleteValue(key, name) => hive.delete_value(&key, &name, NOW).unwrap(),
        }
    }
}

#[test]
fn everything_comes_back_the_same() {
    let hive = odd_hive();
    for encoding in [Encoding::Utf8, Encoding::Utf16] {
        for naming in [Naming::FromRoot, Naming::Prefix("HKEY_LOCAL_MACHINE\\SYSTEM".into())] {
            let text = text(|out| export(out, &hive.root().unwrap(), "", &naming).unwrap(), encoding);
            let mut again = Hive::create(&NewHive::default(), NOW).unwrap();
            apply(&mut again, parse(text, Some("HKEY_LOCAL_MACHINE\\SYSTEM")).unwrap());
            assert_eq!(values(&again), values(&hive));
        }
    }
}

#[test]
fn lines_of_hex_are_as_long_as_regedits() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    hive.set_value("", "ü", 3, &[0xab; 200], NOW).unwrap();
    let text = text(|out| export(out, &hive.root().unwrap(), "", &Naming::FromRoot).unwrap(), Encoding::Utf8);
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("ab,ab")).collect();
    assert!(lines.len() > 5 && lines[0].starts_with("\"ü\"=hex:ab,") && lines[1].starts_with("  ab,"), "{text}");
    for line in &lines[..lines.len() - 1] {
        assert!(line.ends_with(",\\") && (76..=80).contains(&line.chars().count()), "{line}");
    }
}

#[test]
fn a_difference_makes_the_second_of_the_first() {
    let one = odd_hive();
    let mut two = odd_hive();
    two.delete_key("plain\\k3", NOW).unwrap();
    two.delete_value("]\\k2", "]", NOW).unwrap();
    two.set_value("PLAIN\\k4", "Plain", 4, &[9; 4], NOW).unwrap();
    two.set_value("plain\\k5", "new", 3, &[9; 4000], NOW).unwrap();
    two.create_key("new\\below", NOW).unwrap();
    let diff = |one: &Hive, two: &Hive| {
        text(
            |out| {
                let different = diff(out, &one.root().unwrap(), &two.root().unwrap(), &Naming::FromRoot).unwrap();
                assert_eq!(different, !out.is_empty());
            },
            Encoding::Utf16,
        )
    };
    for (from, to) in [(&one, &two), (&two, &one)] {
        let mut made = from.clone();
        apply(&mut made, parse(diff(from, to), None).unwrap());
        assert!(diff(&made, to).is_empty());
        assert_eq!(values(&made).len(), values(to).len());
    }
    assert!(diff(&one, &one).is_empty());
}

/// Makes the first unit of the name `\u{4e00}…` an unpaired surrogate; answers where the name is.
fn unpair(image: &mut [u8], rest: &str) -> usize {
    let name: Vec<u8> = format!("\u{4e00}{rest}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = image.windows(name.len()).position(|window| window == name).unwrap();
    image[at..at + 2].copy_from_slice(&0xd800u16.to_le_bytes());
    at
}

/// A hive with a value and a key that can't be told; with `number` in a value below each.
fn untold(number: u8) -> Vec<u8> {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    hive.set_value("", "\u{4e00}value", 3, &[number; 9], NOW).unwrap();
    hive.create_key("\u{4e00}key\\below", NOW).unwrap();
    hive.set_value("\u{4e00}key\\below", "x", 3, &[number; 9], NOW).unwrap();
    let mut image = hive.bytes().to_vec();
    unpair(&mut image, "value");
    unpair(&mut image, "key");
    image
}

#[test]
fn what_cannot_be_told_is_compared() {
    let compare = |one: &Hive, two: &Hive| {
        let mut out = Vec::new();
        let mut writer = RegWriter::new(&mut out, Encoding::Utf8);
        let different = diff(&mut writer, &one.root().unwrap(), &two.root().unwrap(), &Naming::FromRoot).unwrap();
        let left_out = writer.finish().unwrap();
        assert!(out.is_empty(), "{}", String::from_utf8_lossy(&out));
        (different, left_out)
    };
    let [one, two] = [1, 2].map(|number| Hive::open(untold(number)).unwrap());
    let empty = Hive::create(&NewHive::default(), NOW).unwrap();
    assert_eq!(compare(&one, &one), (false, 0));
    for (from, to) in [(&one, &two), (&one, &empty), (&empty, &one)] {
        assert_eq!(compare(from, to), (true, 2));
    }
}

#[test]
fn a_writer_that_is_stopped_ends_the_walk() {
    let hive = Hive::open(untold(1)).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(true);
    let mut out = Vec::new();
    let mut writer = RegWriter::new(&mut out, Encoding::Utf8).stopped_by(&stop);
    let root = hive.root().unwrap();
    assert!(export(&mut writer, &root, "", &Naming::FromRoot).is_err());
    assert!(diff(&mut writer, &root, &root, &Naming::FromRoot).is_err());
}

#[test]
fn the_data_of_what_cannot_be_told_is_not_read() {
    let mut hive = Hive::create(&NewHive::default(), NOW).unwrap();
    hive.set_value("", "\u{4e00}value", 3, &[1; 9], NOW).unwrap();
    let mut image = hive.bytes().to_vec();
    let at = unpair(&mut image, "value");
    // The value's name is 20 bytes into it, and where its data is 8 bytes into it.
    image[at - 12..at - 8].copy_from_slice(&[0xf0; 4]);
    let hive = Hive::open(image).unwrap();
    let mut out = Vec::new();
    let mut writer = RegWriter::new(&mut out, Encoding::Utf8);
    export(&mut writer, &hive.root().unwrap(), "", &Naming::FromRoot).unwrap();
    assert_eq!(writer.finish().unwrap(), 1);
}
