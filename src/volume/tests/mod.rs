//! Tests of the volume: paths and names, one suite of behaviours that runs against a folder of the
//! host and against an overlay of one, a random comparison of the two, what only a host can do, and
//! a real NTFS through ntfs-3g.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;

use super::*;

mod behaviour;
mod names;
mod overlay;

#[cfg(unix)]
mod compare;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod links;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod ntfs3g;
#[cfg(windows)]
#[path = "windows.rs"]
mod on_windows;

fn p(text: &str) -> VolPath {
    VolPath::parse(text).unwrap()
}

/// Everything under a folder of the host, links not followed: type, permission bits, times of the
/// last change, contents. Two equal snapshots: nothing was written in between.
fn snapshot(root: &Path) -> Vec<String> {
    let mut seen = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(path) = todo.pop() {
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let what = if meta.is_dir() {
            for entry in std::fs::read_dir(&path).unwrap() {
                todo.push(entry.unwrap().path());
            }
            String::from("folder")
        } else if meta.is_symlink() {
            format!("link to {:?}", std::fs::read_link(&path).unwrap())
        } else if meta.is_file() {
            format!("file of {:?}", std::fs::read(&path).unwrap())
        } else {
            String::from("something else")
        };
        #[cfg(unix)]
        let extra = {
            use std::os::unix::fs::MetadataExt as _;
            format!(
                "{:o} {} {}.{} {}.{}",
                meta.mode(),
                meta.ino(),
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec()
            )
        };
        #[cfg(not(unix))]
        let extra = format!("{:?}", meta.modified().ok());
        seen.push(format!("{path:?}: {what} {extra}"));
    }
    seen.sort();
    seen
}

/// The names in a folder, sorted.
fn names(volume: &dyn Volume, dir: &str) -> Vec<String> {
    let mut names: Vec<String> =
        volume.list(&p(dir)).unwrap().iter().map(|entry| escape::escape_name(&entry.name)).collect();
    names.sort();
    names
}

/// Runs the same steps on a folder of the host and on overlays over another, equal one; the
/// overlays' must be untouched afterwards, and so must be the folder `outside` beside the volume,
/// whatever leads there.
fn on_both(set_up: impl Fn(&Path), steps: impl Fn(&dyn Volume)) {
    let prepare = || {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("volume"), dir.path().join("outside"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("SYSTEM"), b"the host's secret").unwrap();
        std::fs::write(outside.join("x"), b"the host's x").unwrap();
        set_up(&root);
        (dir, root, outside)
    };
    let (_dir, root, outside) = prepare();
    let before = snapshot(&outside);
    steps(&HostVolume::open(&root).unwrap());
    assert_eq!(snapshot(&outside), before, "it got out of the volume");

    let (dir, root, _) = prepare();
    let before = snapshot(dir.path());
    let base = HostVolume::open(&root).unwrap();
    steps(&Overlay::new(&base));
    assert_eq!(snapshot(dir.path()), before, "the overlay wrote");

    // And on an overlay over an overlay: it asks nothing of a volume but what the trait says.
    let below = Overlay::new(&base);
    steps(&Overlay::new(&below));
    assert_eq!(below.changed_bytes(), 0);
    assert_eq!(snapshot(dir.path()), before, "the overlay wrote");
}

/// The same as [`on_both`], and on a real NTFS, through ntfs-3g, where that is to be had.
fn everywhere(set_up: impl Fn(&Path), steps: impl Fn(&dyn Volume)) {
    #[cfg(target_os = "linux")]
    if let Some(ntfs) = mounts::Ntfs::mounted() {
        set_up(ntfs.root());
        steps(&ntfs.open());
        let ntfs = mounts::Ntfs::mounted().unwrap();
        set_up(ntfs.root());
        let before = snapshot(ntfs.root());
        steps(&Overlay::new(&ntfs.open()));
        assert_eq!(snapshot(ntfs.root()), before, "the overlay wrote");
    }
    on_both(set_up, steps);
}

/// A small Windows-like tree.
fn windows(root: &Path) {
    let config = root.join("Windows/System32/config");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("SYSTEM"), vec![7; 10_000]).unwrap();
    std::fs::write(config.join("SOFTWARE"), b"software").unwrap();
    let sd = root.join("Windows/SoftwareDistribution");
    std::fs::create_dir_all(sd.join("DataStore/Logs")).unwrap();
    std::fs::create_dir_all(sd.join("Download")).unwrap();
    std::fs::write(sd.join("DataStore/DataStore.edb"), b"edb").unwrap();
    std::fs::write(sd.join("DataStore/Logs/edb.log"), b"log").unwrap();
}
