//! A host's folder and an overlay, given the same random steps, must answer the same: results,
//! errors word for word, and what can be seen afterwards.

use super::overlay::Random;
use super::*;

const NAMES: [&str; 7] = ["a", "b", "B.old", "c", "A", "b.OLD", "lnk"];

fn path(random: &mut Random) -> VolPath {
    let mut path = VolPath::root();
    for _ in 0..=random.below(3) {
        // The first ones more often: they exist.
        let name = NAMES[random.below(NAMES.len()).min(random.below(NAMES.len()))];
        path = path.child(name).unwrap();
    }
    path
}

fn set_up(root: &Path) {
    for dir in ["a/a/b", "a/c", "b/B.old", "c"] {
        std::fs::create_dir_all(root.join(dir)).unwrap();
    }
    for file in ["a/a/c", "a/b", "b/a", "c/A", "c/c"] {
        std::fs::write(root.join(file), file.repeat(1500)).unwrap();
    }
    std::os::unix::fs::symlink("../a", root.join("b/lnk")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("lnk")).unwrap();
    // Two names that differ only in case, where the file system allows it.
    std::fs::write(root.join("c/a"), b"double").unwrap();
}

/// Everything that can be seen of a volume.
fn look(volume: &dyn Volume) -> Vec<String> {
    let mut seen = Vec::new();
    let mut todo = vec![VolPath::root()];
    while let Some(dir) = todo.pop() {
        for entry in volume.list(&dir).unwrap() {
            let path = dir.child(&entry.name).unwrap();
            let found = volume.find(&path).map(|found| found.map(|f| (f.path, f.kind, f.len, f.links)));
            let content = match entry.kind {
                Kind::File => format!("{:?}", volume.read(&path, 1 << 20)),
                Kind::Link => format!("{:?}", volume.read_link(&path)),
                _ => String::new(),
            };
            seen.push(format!("{path}: {found:?} {content}"));
            if entry.kind == Kind::Dir {
                todo.push(path);
            }
        }
    }
    seen.sort();
    seen
}

/// One step; the answer as text.
fn step(volume: &dyn Volume, random: &mut Random) -> String {
    let (one, two) = (path(random), path(random));
    let data = vec![b'x'; random.below(9000)];
    let at = u64::try_from(random.below(12_000)).unwrap();
    match random.below(14) {
        0..=1 => {
            let two = two.with_file_name(["d", "D", "a.old"][random.below(3)]).unwrap();
            format!("rename {one} {two}: {:?}", volume.rename(&one, &two))
        }
        2..=3 => format!("rename {one} {two}: {:?}", volume.rename(&one, &two)),
        4 => format!("create {one}: {:?}", volume.create_dir(&one, Protection::Plain)),
        5 => format!("write {one}: {:?}", volume.write_new(&one, &data)),
        6 => format!("append {one}: {:?}", volume.append(&one, &data)),
        7 => format!("remove {one}: {:?}", volume.remove_file(&one)),
        8 => format!("rmdir {one}: {:?}", volume.remove_empty_dir(&one)),
        9 => {
            let mut buf = vec![0; 5000];
            let got = volume.read_at(&one, at, &mut buf);
            format!("read {one} at {at}: {got:?} {buf:?}")
        }
        10 => {
            let answer = volume.open_storage(&one).map(|mut storage| {
                storage.write_at(at, &data).unwrap();
                storage.set_len(at / 2).unwrap();
            });
            format!("change {one} at {at}: {answer:?}")
        }
        11 => format!("read {one}: {:?}", volume.read(&one, 4000)),
        12 => format!("sync {one}: {:?}", volume.sync_dir(&one)),
        _ => {
            let listed = volume.list(&one).map(|mut entries| {
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                entries
            });
            format!("list {one}: {listed:?}")
        }
    }
}

#[test]
fn host_and_overlay_answer_the_same() {
    let mut done = 0;
    for seed in 0..80 {
        let (real, below) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        set_up(real.path());
        set_up(below.path());
        let before = snapshot(below.path());
        let host = HostVolume::open(real.path()).unwrap();
        let base = HostVolume::open(below.path()).unwrap();
        let overlay = Overlay::new(&base);
        let (mut for_host, mut for_overlay) = (Random(seed), Random(seed));
        let mut steps = Vec::new();
        for _ in 0..150 {
            let expected = step(&host, &mut for_host);
            let got = step(&overlay, &mut for_overlay);
            done += usize::from(expected.starts_with("rename") && expected.ends_with("Ok(())"));
            steps.push(expected.chars().take(200).collect::<String>());
            assert!(got == expected, "seed {seed}\n{}\noverlay: {got:.300}", steps.join("\n"));
        }
        let (expected, got) = (look(&host), look(&overlay));
        assert!(expected == got, "seed {seed}\n{}", steps.join("\n"));
        assert_eq!(snapshot(below.path()), before, "the overlay wrote");
    }
    assert!(done > 200, "only {done} renames went through");
}
