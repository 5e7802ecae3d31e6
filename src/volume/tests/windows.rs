//! What only Windows has, by its own calls: descriptors, share modes, volumes. Under Wine as far as that goes; what it does
//! otherwise is told where it matters.

use std::io;
use std::os::windows::fs::{symlink_dir, OpenOptionsExt as _};

use super::*;

const SYSTEM: &str = "Windows/System32/config/SYSTEM";

/// A volume of its own.
fn volume() -> (tempfile::TempDir, HostVolume) {
    let dir = tempfile::tempdir().unwrap();
    windows(dir.path());
    let volume = HostVolume::open(dir.path()).unwrap();
    (dir, volume)
}

/// Whether this is Wine, which has no reparse points of its own and keeps permission bits instead of descriptors.
fn is_wine() -> bool {
    std::env::var_os("WINEPREFIX").is_some()
}

#[test]
fn opening() {
    let dir = tempfile::tempdir().unwrap();
    let error = HostVolume::open(dir.path().join("no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    std::fs::write(dir.path().join("file"), b"").unwrap();
    let error = HostVolume::open(dir.path().join("file")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
}

#[test]
fn a_rename_never_replaces_even_if_nobody_looked() {
    let (dir, volume) = volume();
    // Not through the volume, which looks first: the call itself must refuse.
    volume.rename(&p("Windows/SoftwareDistribution"), &p("Windows/SoftwareDistribution.old")).unwrap();
    let root = std::fs::OpenOptions::new().access_mode(1).custom_flags(0x0200_0000).open(dir.path()).unwrap();
    use crate::windows::calls::file::{access, open_at, rename, Request};
    use std::os::windows::io::AsHandle as _;
    for (name, content) in [("a", "1"), ("b", "2")] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let a = open_at(&root, "a".as_ref(), &Request::new(access::DELETE | access::ATTRIBUTES)).unwrap();
    let error = rename(&a, Some(root.as_handle()), "b".as_ref()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
    assert_eq!(std::fs::read(dir.path().join("b")).unwrap(), b"2");
    rename(&a, Some(root.as_handle()), "c".as_ref()).unwrap();
    drop(a);
    assert_eq!(names(&volume, ""), ["Windows", "b", "c"]);
    for bad in ["..", r"x\y", "x:y"] {
        let c = open_at(&root, "c".as_ref(), &Request::new(access::DELETE | access::ATTRIBUTES)).unwrap();
        assert!(rename(&c, Some(root.as_handle()), bad.as_ref()).is_err());
        assert!(open_at(&root, bad.as_ref(), &Request::new(access::ATTRIBUTES)).is_err());
    }
}

#[test]
fn a_folder_for_administrators() {
    let (_dir, volume) = volume();
    let made = volume.create_dir(&p("coldmend"), Protection::AdministratorsOnly).unwrap();
    let read_back = volume.protection(&p("coldmend")).unwrap();
    volume.write_new(&p("coldmend/plan.json"), b"{}").unwrap();
    let inside = volume.protection(&p("coldmend/plan.json")).unwrap();
    let again = volume.protect(&p("coldmend")).unwrap();
    eprintln!("made {made:?}, read back {read_back:?}, a file inside {inside:?}, again {again:?}");
    assert_eq!(made, read_back);
    assert_eq!(again, read_back);
    if !is_wine() {
        assert_ne!(made, Protected::Plain);
        assert_eq!(inside, made);
    }
    assert_eq!(volume.read(&p("coldmend/plan.json"), 9).unwrap(), b"{}");
    assert_eq!(volume.create_dir(&p("plain"), Protection::Plain).unwrap(), Protected::Plain);
    assert!(matches!(volume.protection(&p("x")), Err(VolumeError::NotFound { .. })));
}

#[test]
fn a_file_that_another_program_uses() {
    let (dir, volume) = volume();
    let path = dir.path().join(SYSTEM);
    // A loaded hive: nobody else gets in.
    let other = std::fs::OpenOptions::new().read(true).write(true).share_mode(0).open(&path).unwrap();
    for (error, doing) in [
        (volume.open_storage(&p(SYSTEM)).err().unwrap(), Doing::OpeningForWriting),
        (volume.read(&p(SYSTEM), 1 << 20).unwrap_err(), Doing::Reading),
        (volume.append(&p(SYSTEM), b"x").unwrap_err(), Doing::Appending),
    ] {
        assert_eq!(error, VolumeError::Locked { doing, path: p(SYSTEM) });
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.hint().unwrap().contains("reg unload"));
    }
    assert_eq!(volume.find(&p(SYSTEM)).unwrap().unwrap().len, 10_000);
    drop(other);
    // Somebody who only reads, and lets others only read.
    let reader = std::fs::OpenOptions::new().read(true).share_mode(1).open(&path).unwrap();
    assert!(volume.read(&p(SYSTEM), 1 << 20).is_ok());
    assert!(matches!(volume.open_storage(&p(SYSTEM)).err(), Some(VolumeError::Locked { .. })));
    drop(reader);
    // Ours: others may read, and not write.
    let storage = volume.open_storage(&p(SYSTEM)).unwrap();
    assert!(volume.read(&p(SYSTEM), 1 << 20).is_ok());
    assert!(std::fs::OpenOptions::new().write(true).open(&path).is_err());
    drop(storage);
    assert!(volume.open_storage(&p(SYSTEM)).is_ok());
}

#[test]
fn what_windows_says_of_the_volume() {
    let (dir, volume) = volume();
    assert!(volume.free_space().unwrap() > 0);
    assert_eq!(volume.writable().unwrap(), Writability::ReadWrite);
    let info = volume.mount_info().unwrap();
    eprintln!("{info:?}, serial {:?}, running {}", volume.serial(), volume.is_running_system());
    assert_eq!(info.is_ntfs, info.fs_type == "NTFS");
    assert!(!info.target_is_mount_root);
    // The system's own folder is found to be that, whatever it is called.
    let windows = std::env::var_os("SystemRoot").unwrap();
    assert!(HostVolume::open(&windows).unwrap().is_running_system());
    let verbatim = std::fs::canonicalize(&windows).unwrap();
    assert!(HostVolume::open(verbatim).unwrap().is_running_system());
    drop(dir);
}

#[test]
fn what_is_read_only() {
    let (dir, volume) = volume();
    let path = dir.path().join(SYSTEM);
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    if !is_wine() {
        // To root, who runs Wine here, nothing is read-only.
        assert_eq!(volume.open_storage(&p(SYSTEM)).err().unwrap().kind(), ErrorKind::Denied);
    }
    assert_eq!(volume.read_head(&p(SYSTEM), 1).unwrap(), [7]);
    // Removed all the same, as on Unix.
    volume.remove_file(&p(SYSTEM)).unwrap();
    assert_eq!(volume.find(&p(SYSTEM)).unwrap(), None);
}

#[test]
fn names_as_they_are() {
    let (_dir, volume) = volume();
    let long = "l".repeat(200);
    let mut path = VolPath::root();
    for _ in 0..5 {
        path = path.child(&long).unwrap();
        volume.create_dir(&path, Protection::Plain).unwrap();
    }
    volume.write_new(&path.child("f").unwrap(), b"deep").unwrap();
    assert_eq!(volume.read(&path.child("F").unwrap(), 9).unwrap(), b"deep");
    volume.rename(&path.child("f").unwrap(), &p("out")).unwrap();
    assert_eq!(volume.read(&p("OUT"), 9).unwrap(), b"deep");
}

#[test]
fn links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("volume"), dir.path().join("outside"));
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("x"), b"secret").unwrap();
    windows(&root);
    // Wine says yes, and makes none.
    if symlink_dir(&outside, root.join("Windows/link")).is_err()
        || std::fs::symlink_metadata(root.join("Windows/link")).is_err()
    {
        eprintln!("skipped: no links can be made here");
        return;
    }
    let volume = HostVolume::open(&root).unwrap();
    let link = p("Windows/link");
    assert_eq!(volume.find(&link).unwrap().unwrap().kind, Kind::Link);
    assert!(matches!(volume.read(&p("Windows/link/x"), 9), Err(VolumeError::LinkOnPath { .. })));
    assert!(volume.read_link(&link).unwrap().to_string_lossy().ends_with("outside"));
    volume.rename(&link, &p("Windows/link.old")).unwrap();
    volume.remove_file(&p("Windows/link.old")).unwrap();
    assert_eq!(std::fs::read(outside.join("x")).unwrap(), b"secret");
}
