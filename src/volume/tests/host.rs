//! What only a folder of the host has: mounts, devices, full and read-only disks, locks, times.

use std::os::unix::fs::{symlink, MetadataExt as _};

use super::*;

#[test]
fn opening() {
    let dir = tempfile::tempdir().unwrap();
    let error = HostVolume::open(dir.path().join("no")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("mounted"));
    std::fs::write(dir.path().join("file"), b"").unwrap();
    let error = HostVolume::open(dir.path().join("file")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    // The user's own argument may be a link; it is the host's.
    std::fs::create_dir(dir.path().join("volume")).unwrap();
    symlink("volume", dir.path().join("link")).unwrap();
    std::fs::write(dir.path().join("volume/f"), b"x").unwrap();
    let volume = HostVolume::open(dir.path().join("link")).unwrap();
    assert_eq!(volume.read(&p("F"), 1).unwrap(), b"x");
    // And it stays what was opened, whatever happens to the link.
    std::fs::remove_file(dir.path().join("link")).unwrap();
    assert_eq!(volume.read(&p("F"), 1).unwrap(), b"x");
    assert!(volume.describe().ends_with("/link"));
    assert!(!volume.is_running_system());
    assert_eq!(volume.writable().unwrap(), Writability::ReadWrite);
    assert!(volume.free_space().unwrap() > 0);
}

#[test]
fn looking_writes_nothing_not_even_access_times() {
    let dir = tempfile::tempdir().unwrap();
    windows(dir.path());
    // Accessed long before it was changed: with `relatime`, any access would be recorded.
    let old = rustix::fs::Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    let keep = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    let all = ["", "Windows", "Windows/System32", "Windows/System32/config", "Windows/System32/config/SYSTEM"];
    for path in all {
        rustix::fs::utimensat(
            rustix::fs::CWD,
            dir.path().join(path),
            &rustix::fs::Timestamps { last_access: old, last_modification: keep },
            rustix::fs::AtFlags::empty(),
        )
        .unwrap();
    }
    let volume = HostVolume::open(dir.path()).unwrap();
    let system = p("windows/system32/config/system");
    volume.find(&system).unwrap().unwrap();
    volume.list(&p("windows/system32")).unwrap();
    volume.list(&VolPath::root()).unwrap();
    volume.read(&system, 1 << 20).unwrap();
    volume.read_head(&system, 100).unwrap();
    volume.protection(&system).unwrap();
    volume.protection(&p("Windows")).unwrap();
    volume.writable().unwrap();
    volume.free_space().unwrap();
    volume.mount_info();
    for path in all {
        let meta = std::fs::metadata(dir.path().join(path)).unwrap();
        assert_eq!(meta.atime(), 1_000_000_000, "{path:?}");
    }
}

#[test]
fn a_file_that_somebody_locked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), b"x").unwrap();
    let volume = HostVolume::open(dir.path()).unwrap();
    let other = std::fs::File::open(dir.path().join("f")).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockShared).unwrap();
    let error = volume.open_storage(&p("f")).err().unwrap();
    assert!(matches!(error, VolumeError::Locked { .. }));
    assert_eq!(error.kind(), ErrorKind::Refused);
    drop(other);
    assert!(volume.open_storage(&p("f")).is_ok());
}

#[test]
fn what_others_change_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let volume = HostVolume::open(dir.path()).unwrap();
    assert_eq!(volume.find(&p("x")).unwrap(), None);
    std::fs::write(dir.path().join("X"), b"").unwrap();
    assert!(volume.find(&p("x")).unwrap().is_some());
    std::fs::write(dir.path().join("x"), b"").unwrap();
    assert!(matches!(volume.find(&p("x")), Err(VolumeError::Ambiguous { .. })));
    std::fs::remove_file(dir.path().join("X")).unwrap();
    std::fs::remove_file(dir.path().join("x")).unwrap();
    assert_eq!(volume.find(&p("x")).unwrap(), None);
}

#[cfg(target_os = "linux")]
mod mounted {
    use super::super::mounts::Mount;
    use super::*;

    #[test]
    fn a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=256k", "none"], dir.path()) else {
            return;
        };
        let volume = HostVolume::open(dir.path()).unwrap();
        volume.create_dir(&p("coldmend"), Protection::AdministratorsOnly).unwrap();
        let free = volume.free_space().unwrap();
        assert!((100_000..=262_144).contains(&free), "{free}");
        let journal = p("coldmend/journal.jsonl");
        volume.write_new(&journal, b"first\n").unwrap();
        let error = volume.write_new(&p("coldmend/backup"), &vec![1; 300_000]).unwrap_err();
        assert_eq!(error, VolumeError::Full { doing: Doing::CreatingFile, path: p("coldmend/backup") });
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(names(&volume, "coldmend"), ["journal.jsonl"], "nothing half-made is left");
        let error = volume.append(&journal, &vec![1; 300_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(volume.read(&journal, 99).unwrap(), b"first\n", "the torn end is cut off");
        let mut storage = volume.open_storage(&journal).unwrap();
        let error = storage.write_at(0, &vec![1; 300_000]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_read_only_mount() {
        let dir = tempfile::tempdir().unwrap();
        let Some(mount) = Mount::new(&["-t", "tmpfs", "-o", "size=1m", "none"], dir.path()) else {
            return;
        };
        windows(dir.path());
        mount.remount_read_only();
        let volume = HostVolume::open(dir.path()).unwrap();
        let Writability::ReadOnly { why } = volume.writable().unwrap() else {
            panic!("not seen");
        };
        assert_eq!(why, format!("none (tmpfs) is mounted read-only on {}", dir.path().display()));
        let info = volume.mount_info().unwrap();
        assert!(info.target_is_mount_root && !info.is_ntfs && info.fs_type == "tmpfs");
        assert_eq!(info.mount_point, dir.path());
        assert!(!HostVolume::open(dir.path().join("Windows")).unwrap().mount_info().unwrap().target_is_mount_root);
        let sd = p("Windows/SoftwareDistribution");
        for error in [
            volume.rename(&sd, &p("Windows/x")).unwrap_err(),
            volume.create_dir(&p("x"), Protection::Plain).unwrap_err(),
            volume.write_new(&p("x"), b"").unwrap_err(),
            volume.append(&p("Windows/System32/config/SYSTEM"), b"").unwrap_err(),
            volume.open_storage(&p("Windows/System32/config/SYSTEM")).err().unwrap(),
            volume.remove_empty_dir(&p("Windows/SoftwareDistribution/Download")).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
            assert!(error.hint().unwrap().contains("read-write"));
        }
        // A dry run works all the same.
        let overlay = Overlay::new(&volume);
        overlay.rename(&sd, &p("Windows/x")).unwrap();
        assert_eq!(names(&overlay, "Windows"), ["System32", "x"]);
    }

    #[test]
    fn other_file_systems_inside_are_not_entered() {
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("volume");
        let outside = outer.path().join("outside");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("SYSTEM"), b"secret").unwrap();
        windows(&dir);
        let download = dir.join("Windows/SoftwareDistribution/Download");
        let config = dir.join("Windows/System32/config");
        let system = config.join("SYSTEM");
        let secret = outside.join("SYSTEM");
        // Another file system; a bind mount of a folder of the same one; one over a single file.
        let Some(_one) = Mount::new(&["-t", "tmpfs", "none"], &download) else {
            return;
        };
        let _two = Mount::new(&["--bind", secret.to_str().unwrap()], &system).unwrap();
        let volume = HostVolume::open(&dir).unwrap();
        let error = volume.read(&p("Windows/System32/config/SYSTEM"), 99).unwrap_err();
        assert!(matches!(error, VolumeError::OtherFileSystem { .. }), "{error}");
        let error = volume.open_storage(&p("Windows/System32/config/SYSTEM")).err().unwrap();
        assert!(matches!(error, VolumeError::OtherFileSystem { .. }), "{error}");
        let _three = Mount::new(&["--bind", outside.to_str().unwrap()], &config).unwrap();
        let overlay = Overlay::new(&volume);
        let both: [&dyn Volume; 2] = [&volume, &overlay];
        for (path, at) in [
            ("Windows/SoftwareDistribution/download/x", "Windows/SoftwareDistribution/Download"),
            ("Windows/System32/config/system", "Windows/System32/config"),
        ] {
            let error = VolumeError::OtherFileSystem { doing: Doing::Reading, path: p(path), at: p(at) };
            assert_eq!(error.kind(), ErrorKind::Refused);
            for v in both {
                assert_eq!(v.read(&p(path), 99), Err(error.clone()));
                assert!(v.list(&p(at)).is_err());
                assert!(v.sync_dir(&p(at)).is_err());
                assert!(v.write_new(&p(path).with_file_name("new").unwrap(), b"").is_err());
            }
        }
        let error = volume.rename(&p("Windows/System32/config"), &p("Windows/c")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn devices_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        windows(dir.path());
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("Windows/zero"),
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::from_raw_mode(0o600),
            rustix::fs::makedev(1, 5),
        );
        if made.is_err() {
            eprintln!("skipped: no right to make devices here");
            return;
        }
        let volume = HostVolume::open(dir.path()).unwrap();
        let zero = p("Windows/zero");
        assert_eq!(volume.find(&zero).unwrap().unwrap().kind, Kind::Other);
        for error in [
            volume.read(&zero, 9).unwrap_err(),
            volume.read_head(&zero, 9).unwrap_err(),
            volume.append(&zero, b"x").unwrap_err(),
            volume.open_storage(&zero).err().unwrap(),
        ] {
            assert!(matches!(error, VolumeError::NotAFile { .. }), "{error}");
        }
    }
}
