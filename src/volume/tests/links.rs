//! The part of the suite that needs links, odd names, pipes and permission bits.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::*;

const SD: &str = "Windows/SoftwareDistribution";

/// A volume with every sort of link that leads out, beside a secret that it must not reach.
fn with_links(root: &Path) {
    windows(root);
    let outside = outside(root);
    symlink(&outside, root.join("Windows/absolute")).unwrap();
    symlink("../../..", root.join("Windows/System32/up")).unwrap();
    symlink("System32/config", root.join("Windows/inside")).unwrap();
    symlink("nowhere", root.join("Windows/dangling")).unwrap();
    symlink(outside.join("SYSTEM"), root.join("Windows/System32/config/SAM")).unwrap();
    symlink("loop", root.join("Windows/loop")).unwrap();
}

/// The folder of the host beside the volume that nothing may reach; `on_both` watches it.
fn outside(root: &Path) -> std::path::PathBuf {
    root.parent().unwrap().join("outside")
}

#[test]
fn no_link_is_followed() {
    on_both(with_links, |v| {
        for name in ["absolute", "inside", "dangling", "loop"] {
            let path = p("Windows").child(name).unwrap();
            let found = v.find(&path).unwrap().unwrap();
            assert_eq!((found.kind, &found.path), (Kind::Link, &path));
            let inner = path.child("x").unwrap();
            let error = VolumeError::LinkOnPath { doing: Doing::LookingFor, path: inner.clone(), link: path.clone() };
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert_eq!(v.find(&inner), Err(error));
            // In the middle, whatever is done.
            let link = |e: VolumeError| assert!(matches!(e, VolumeError::LinkOnPath { .. }), "{e}");
            link(v.list(&path).unwrap_err());
            link(v.list(&inner).unwrap_err());
            link(v.read(&inner, 9).unwrap_err());
            link(v.write_new(&inner, b"").unwrap_err());
            link(v.append(&inner, b"").unwrap_err());
            link(v.create_dir(&inner, Protection::Plain).unwrap_err());
            link(v.rename(&inner, &p("y")).unwrap_err());
            link(v.rename(&p(SD), &inner).unwrap_err());
            link(v.remove_file(&inner).unwrap_err());
            link(v.remove_empty_dir(&inner).unwrap_err());
            link(v.sync_dir(&path).unwrap_err());
            link(v.open_storage(&inner).err().unwrap());
        }
        // At the end.
        let sam = p("windows/system32/config/sam");
        let not_a_file = |e: VolumeError| {
            assert!(matches!(e, VolumeError::NotAFile { found: Kind::Link, .. }), "{e}");
        };
        not_a_file(v.read(&sam, 1 << 20).unwrap_err());
        not_a_file(v.read_head(&sam, 1).unwrap_err());
        not_a_file(v.append(&sam, b"x").unwrap_err());
        not_a_file(v.open_storage(&sam).err().unwrap());
        assert_eq!(v.write_new(&sam, b"x").unwrap_err().kind(), ErrorKind::Exists);
        let error = v.create_dir(&p("Windows/Dangling"), Protection::Plain).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert!(matches!(
            v.remove_empty_dir(&p("Windows/absolute")),
            Err(VolumeError::NotADirectory { found: Kind::Link, .. })
        ));
        assert_eq!(v.read_link(&p("windows/DANGLING")).unwrap(), "nowhere");
        assert!(matches!(v.read_link(&p("windows")), Err(VolumeError::NotALink { found: Kind::Dir, .. })));
    });
}

#[test]
fn a_link_is_renamed_and_removed_as_itself() {
    on_both(with_links, |v| {
        for name in ["absolute", "inside", "dangling", "loop"] {
            let old = p("Windows").child(name).unwrap();
            let target = v.read_link(&old).unwrap();
            let new = p("Windows/System32").child(format!("{name}.old")).unwrap();
            v.rename(&old, &new).unwrap();
            assert_eq!(v.find(&old).unwrap(), None);
            assert_eq!(v.find(&new).unwrap().unwrap().kind, Kind::Link);
            assert_eq!(v.read_link(&new).unwrap(), target);
            // Never onto a link, dangling or not.
            let error = v.rename(&p(SD), &new).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exists);
            v.remove_file(&new).unwrap();
            assert_eq!(v.find(&new).unwrap(), None);
        }
        assert_eq!(names(v, SD), ["DataStore", "Download"]);
    });
}

#[test]
fn a_config_folder_that_leads_out() {
    let set_up = |root: &Path| {
        std::fs::create_dir_all(root.join("Windows/System32")).unwrap();
        symlink(outside(root), root.join("Windows/System32/config")).unwrap();
    };
    on_both(set_up, |v| {
        let system = p("Windows/System32/config/SYSTEM");
        let error = v.read(&system, 1 << 20).unwrap_err();
        assert_eq!(
            error,
            VolumeError::LinkOnPath { doing: Doing::Reading, path: system.clone(), link: p("Windows/System32/config") }
        );
        assert!(error.to_string().contains("Windows\\System32\\config is a symbolic link"));
        assert!(v.open_storage(&system).is_err());
    });
}

#[test]
fn odd_names() {
    let odd: [&[u8]; 6] = [
        b"\xff\xfe",
        b"surrogate \xed\xa0\x80",
        "zero\u{200b}width".as_bytes(),
        b"line\nfeed",
        b"back\\slash",
        "e\u{301}".as_bytes(),
    ];
    let set_up = |root: &Path| {
        windows(root);
        for name in odd {
            let dir = root.join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir(&dir).unwrap();
            std::fs::write(dir.join("f"), name).unwrap();
        }
    };
    on_both(set_up, |v| {
        let listed = v.list(&VolPath::root()).unwrap();
        assert_eq!(listed.len(), odd.len() + 1);
        for name in odd {
            let name = std::ffi::OsStr::from_bytes(name);
            let dir = VolPath::root().child(name).unwrap();
            assert_eq!(v.find(&dir).unwrap().unwrap().path, dir);
            let file = dir.child("F").unwrap();
            assert_eq!(v.read(&file, 99).unwrap(), name.as_bytes());
            let mut old = name.to_owned();
            old.push(".old");
            let old = VolPath::root().child(old).unwrap();
            v.rename(&dir, &old).unwrap();
            assert_eq!(v.read(&old.child("f").unwrap(), 99).unwrap(), name.as_bytes());
        }
        // Composed and decomposed are two names.
        assert_eq!(v.find(&VolPath::root().child("é.old").unwrap()).unwrap(), None);
    });
}

#[test]
fn pipes_and_sockets_are_not_opened() {
    let set_up = |root: &Path| {
        windows(root);
        let fifo = root.join("Windows/pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
    };
    on_both(set_up, |v| {
        let pipe = p("Windows/PIPE");
        assert_eq!(v.find(&pipe).unwrap().unwrap().kind, Kind::Other);
        for error in [
            v.read(&pipe, 9).unwrap_err(),
            v.append(&pipe, b"").unwrap_err(),
            v.open_storage(&pipe).err().unwrap(),
            v.remove_file(&pipe).unwrap_err(),
        ] {
            assert!(matches!(error, VolumeError::NotAFile { found: Kind::Other, .. }), "{error}");
        }
    });
}

#[test]
fn a_file_with_two_names_is_not_written_to() {
    let set_up = |root: &Path| {
        windows(root);
        std::fs::hard_link(root.join("Windows/System32/config/SYSTEM"), root.join("elsewhere")).unwrap();
    };
    on_both(set_up, |v| {
        let system = p("Windows/System32/config/SYSTEM");
        assert_eq!(v.find(&system).unwrap().unwrap().links, 2);
        let error = VolumeError::HardLinked { doing: Doing::OpeningForWriting, path: system.clone(), links: 2 };
        assert_eq!(v.open_storage(&system).err(), Some(error));
        assert!(matches!(v.append(&system, b"x"), Err(VolumeError::HardLinked { .. })));
        assert_eq!(v.read_head(&system, 1).unwrap(), [7]);
    });
}

#[test]
fn protection_on_a_file_system_without_descriptors() {
    on_both(windows, |v| {
        let made = v.create_dir(&p("coldmend"), Protection::AdministratorsOnly);
        assert_eq!(made.unwrap(), Protected::Mode);
        assert_eq!(v.protection(&p("coldmend")).unwrap(), Protected::Mode);
        v.write_new(&p("coldmend/plan.json"), b"{}").unwrap();
        assert_eq!(v.protection(&p("coldmend/plan.json")).unwrap(), Protected::Mode);
        assert_eq!(v.create_dir(&p("plain"), Protection::Plain).unwrap(), Protected::Plain);
        assert_eq!(v.protection(&p("plain")).unwrap(), Protected::Plain);
        assert_eq!(v.protection(&p("Windows")).unwrap(), Protected::Plain);
        // Protected afterwards, as a folder that was there already.
        assert_eq!(v.protect(&p("PLAIN")).unwrap(), Protected::Mode);
        assert_eq!(v.protection(&p("plain")).unwrap(), Protected::Mode);
        let made = v.create_dir(&p("plain/x"), Protection::Plain);
        assert_eq!(made.unwrap(), Protected::Plain);
        assert!(matches!(v.protect(&p("x")), Err(VolumeError::NotFound { .. })));
        assert!(matches!(v.protect(&p("coldmend/plan.json")), Err(VolumeError::NotADirectory { .. })));
        assert!(matches!(v.protection(&p("x")), Err(VolumeError::NotFound { .. })));
    });
}
