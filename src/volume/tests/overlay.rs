//! What only an overlay has, and the numbers that random tests use.

use super::*;

/// Numbers that look random and are the same in every run (splitmix64).
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }
}

#[test]
fn random_writes_read_back_as_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected: Vec<u8> = (0..40_000u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(dir.path().join("f"), &expected).unwrap();
    let base = HostVolume::open(dir.path()).unwrap();
    let overlay = Overlay::new(&base);
    let mut storage = overlay.open_storage(&p("f")).unwrap();
    let mut random = Random(42);
    for round in 0..3000 {
        match random.below(8) {
            0 => {
                let len = random.below(60_000);
                storage.set_len(u64::try_from(len).unwrap()).unwrap();
                expected.resize(len, 0);
            }
            1..=4 => {
                let at = random.below(50_000);
                let data = vec![random.next().to_le_bytes()[0]; random.below(9000)];
                storage.write_at(u64::try_from(at).unwrap(), &data).unwrap();
                if !data.is_empty() {
                    let end = at + data.len();
                    if expected.len() < end {
                        expected.resize(end, 0);
                    }
                    expected[at..end].copy_from_slice(&data);
                }
            }
            _ => {
                let at = random.below(60_000);
                let mut buf = vec![1; random.below(9000)];
                let got = overlay.read_at(&p("f"), u64::try_from(at).unwrap(), &mut buf).unwrap();
                let there = expected.get(at..).unwrap_or_default();
                let there = &there[..there.len().min(buf.len())];
                assert_eq!(got, there.len(), "round {round}");
                assert!(&buf[..got] == there, "round {round}");
            }
        }
        assert_eq!(storage.len().unwrap(), u64::try_from(expected.len()).unwrap());
    }
    drop(storage);
    assert_eq!(overlay.read(&p("f"), 1 << 20).unwrap(), expected);
    assert_eq!(std::fs::read(dir.path().join("f")).unwrap().len(), 40_000);
}

#[test]
fn memory_is_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), vec![1; 10_000_000]).unwrap();
    let base = HostVolume::open(dir.path()).unwrap();
    let overlay = Overlay::new(&base);
    let mut storage = overlay.open_storage(&p("f")).unwrap();
    storage.write_at(5_000_000, b"x").unwrap();
    storage.write_at(4095, b"xy").unwrap();
    drop(storage);
    overlay.rename(&p("f"), &p("g")).unwrap();
    assert_eq!(overlay.changed_bytes(), 3 * 4096);
    let free = base.free_space().unwrap();
    assert!(overlay.free_space().unwrap() <= free);
}

#[test]
fn a_name_freed_of_its_double_is_no_longer_ambiguous() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), b"1").unwrap();
    std::fs::write(dir.path().join("A"), b"2").unwrap();
    if std::fs::read_dir(dir.path()).unwrap().count() < 2 {
        eprintln!("skipped: this file system ignores case");
        return;
    }
    // Not reachable through the overlay's own operations (both names are refused), but a volume
    // below may change: the overlay looks at what is there.
    let base = HostVolume::open(dir.path()).unwrap();
    let overlay = Overlay::new(&base);
    assert!(matches!(overlay.find(&p("a")), Err(VolumeError::Ambiguous { .. })));
    std::fs::remove_file(dir.path().join("A")).unwrap();
    assert_eq!(overlay.read(&p("A"), 9).unwrap(), b"1");
}
