//! A real NTFS through ntfs-3g: junctions, other reparse points, access control, names, the
//! fallback to read-only.

use std::process::Command;

use rustix::fs::XattrFlags;

use super::super::fold::upcase_unit;
use super::mounts::Ntfs;
use super::*;

const REPARSE: &str = "system.ntfs_reparse_data";
const ACL: &str = "system.ntfs_acl";

fn attribute(path: &Path, name: &str) -> Vec<u8> {
    let mut bytes = vec![0u8; 0x1_0000];
    let len = rustix::fs::lgetxattr(path, name, &mut bytes[..]).unwrap();
    bytes.truncate(len);
    bytes
}

/// REPARSE_DATA_BUFFER of a junction ([MS-FSCC] 2.1.2.5).
fn junction(target: &str) -> Vec<u8> {
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let (substitute, print) = (wide(&format!("\\??\\{target}")), wide(target));
    let n = |n: usize| u16::try_from(n).unwrap().to_le_bytes();
    let mut names = Vec::new();
    names.extend(n(0));
    names.extend(n(substitute.len()));
    names.extend(n(substitute.len() + 2));
    names.extend(n(print.len()));
    names.extend(&substitute);
    names.extend([0, 0]);
    names.extend(&print);
    names.extend([0, 0]);
    reparse(0xa000_0003, &names)
}

fn reparse(tag: u32, data: &[u8]) -> Vec<u8> {
    let mut buffer = tag.to_le_bytes().to_vec();
    buffer.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
    buffer.extend([0, 0]);
    buffer.extend(data);
    buffer
}

#[test]
fn how_it_is_mounted() {
    let Some(ntfs) = Ntfs::mounted() else { return };
    let volume = ntfs.open();
    let info = volume.mount_info().unwrap();
    assert!(info.is_ntfs && info.target_is_mount_root, "{info:?}");
    assert!(info.fs_type.starts_with("fuse"), "{info:?}");
    assert_eq!(info.source, ntfs.image());
    assert_eq!(info.mount_point, ntfs.root());
    assert_eq!(volume.writable().unwrap(), Writability::ReadWrite);
    let image = std::fs::read(ntfs.image()).unwrap();
    let serial = u64::from_le_bytes(image[0x48..0x50].try_into().unwrap());
    assert!(serial != 0);
    assert_eq!(volume.serial(), Some(serial));
    assert_eq!(Overlay::new(&volume).serial(), Some(serial));
    let free = volume.free_space().unwrap();
    assert!((1 << 20..6 << 20).contains(&free), "{free}");
}

#[test]
fn a_junction_is_a_link_and_renamed_as_itself() {
    let Some(mut ntfs) = Ntfs::mounted() else {
        return;
    };
    windows(ntfs.root());
    let windows = ntfs.root().join("Windows");
    // Inside the volume, on another drive, into nowhere; and reparse points of other sorts.
    let points = [
        ("inside", junction("C:\\Windows\\SoftwareDistribution")),
        ("drive", junction("D:\\SoftwareDistribution")),
        ("nowhere", junction("C:\\nowhere")),
        ("host", junction("Z:\\..\\..\\..\\..\\..\\..\\..\\etc")),
        ("mount", junction("Volume{00000000-0000-0000-0000-000000000000}\\")),
        ("unknown", reparse(0x8000_4242, &[1, 2, 3, 4, 5, 6, 7, 8])),
    ];
    for (name, data) in &points {
        let path = windows.join(name);
        std::fs::create_dir(&path).unwrap();
        rustix::fs::lsetxattr(&path, REPARSE, data, XattrFlags::empty()).unwrap();
    }
    // The kernel still knows them as folders.
    assert!(ntfs.mount(""));
    let volume = ntfs.open();
    let overlay = Overlay::new(&volume);
    let both: [&dyn Volume; 2] = [&overlay, &volume];
    for v in both {
        for (name, _) in &points {
            let path = p("Windows").child(name).unwrap();
            assert_eq!(v.find(&path).unwrap().unwrap().kind, Kind::Link, "{name}");
            let listed = v.list(&p("Windows")).unwrap();
            let entry = listed.iter().find(|e| e.name == *name).unwrap();
            assert_eq!(entry.kind, Kind::Link, "{name}");
            let error = v.list(&path).unwrap_err();
            assert!(matches!(error, VolumeError::LinkOnPath { .. }), "{error}");
            let error = v.write_new(&path.child("x").unwrap(), b"").unwrap_err();
            assert!(matches!(error, VolumeError::LinkOnPath { .. }), "{error}");
            assert!(!v.read_link(&path).unwrap().is_empty());
            let old = p("Windows").child(format!("{name}.old")).unwrap();
            v.rename(&path, &old).unwrap();
            assert_eq!(v.find(&path).unwrap(), None);
            assert_eq!(v.find(&old).unwrap().unwrap().kind, Kind::Link);
        }
        assert_eq!(names(v, "Windows/SoftwareDistribution"), ["DataStore", "Download"]);
    }
    for (name, data) in &points {
        let old = windows.join(format!("{name}.old"));
        assert_eq!(&attribute(&old, REPARSE), data, "{name}");
    }
}

#[test]
fn our_folder_is_protected_on_disk() {
    let Some(mut ntfs) = Ntfs::mounted() else {
        return;
    };
    windows(ntfs.root());
    let steps = |v: &dyn Volume| {
        let made = v.create_dir(&p("coldmend"), Protection::AdministratorsOnly).unwrap();
        assert_eq!(made, Protected::Dacl);
        // What is created inside, at any depth, however it is asked for.
        let made = v.create_dir(&p("coldmend/0001"), Protection::Plain).unwrap();
        assert_eq!(made, Protected::Dacl);
        v.write_new(&p("coldmend/0001/plan.json"), b"{}").unwrap();
        v.create_dir(&p("Coldmend/0001/backup"), Protection::AdministratorsOnly).unwrap();
        v.write_new(&p("coldmend/0001/backup/SYSTEM"), b"secret").unwrap();
        for path in [
            "coldmend",
            "coldmend/0001",
            "coldmend/0001/plan.json",
            "coldmend/0001/backup",
            "coldmend/0001/backup/SYSTEM",
        ] {
            assert_eq!(v.protection(&p(path)).unwrap(), Protected::Dacl, "{path}");
        }
        // Elsewhere nothing changes.
        let made = v.create_dir(&p("Windows/plain"), Protection::Plain).unwrap();
        assert_eq!(made, Protected::Plain);
        v.write_new(&p("Windows/plain/f"), b"").unwrap();
        assert_eq!(v.protection(&p("Windows/plain/f")).unwrap(), Protected::Plain);
        assert_eq!(v.protection(&p("Windows")).unwrap(), Protected::Plain);
    };
    let before = snapshot(ntfs.root());
    steps(&Overlay::new(&ntfs.open()));
    assert_eq!(snapshot(ntfs.root()), before);
    steps(&ntfs.open());

    // As it is on the disk, after mounting it anew: O:BAG:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA).
    assert!(ntfs.mount(""));
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let entries = |flags: &str| {
        format!(
            "02003400020000000\
             0{flags}1400ff011f00010100000000000512000000\
             00{flags}1800ff011f0001020000000000052000000020020000"
        )
    };
    for (path, flags) in [
        ("coldmend", "03"),
        ("coldmend/0001", "03"),
        ("coldmend/0001/plan.json", "00"),
        ("coldmend/0001/backup/SYSTEM", "00"),
    ] {
        let sd = hex(&attribute(&ntfs.root().join(path), ACL));
        assert!(sd.contains(&entries(flags)), "{path}: {sd}");
        assert_eq!(&sd[4..8], "0490", "{path}: DACL present and protected");
    }
}

#[test]
fn a_folder_that_somebody_planted_is_seen_and_can_be_protected() {
    let Some(ntfs) = Ntfs::mounted() else { return };
    std::fs::create_dir(ntfs.root().join("coldmend")).unwrap();
    let volume = ntfs.open();
    let dir = p("coldmend");
    for v in [&Overlay::new(&volume) as &dyn Volume, &volume] {
        assert_eq!(v.protection(&dir).unwrap(), Protected::Plain);
        assert_eq!(v.protect(&dir).unwrap(), Protected::Dacl);
        assert_eq!(v.protection(&dir).unwrap(), Protected::Dacl);
        v.write_new(&p("coldmend/f"), b"").unwrap();
        assert_eq!(v.protection(&p("coldmend/f")).unwrap(), Protected::Dacl);
    }
}

#[test]
fn what_is_created_elsewhere_inherits_as_on_windows() {
    let Some(ntfs) = Ntfs::mounted() else { return };
    // O:BAG:SYD:P(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;BU): Users may read.
    let users = "01020000000000052000000021020000";
    let parent = format!(
        "0100049048000000580000000000000014000000020034000200000000031400ff011f00\
         01010000000000051200000000031800a9001200{users}\
         01020000000000052000000020020000010100000000000512000000"
    );
    let bytes: Vec<u8> =
        (0..parent.len()).step_by(2).map(|i| u8::from_str_radix(&parent[i..i + 2], 16).unwrap()).collect();
    let dir = ntfs.root().join("Downloader");
    std::fs::create_dir(&dir).unwrap();
    rustix::fs::setxattr(&dir, ACL, &bytes, XattrFlags::empty()).unwrap();
    let volume = ntfs.open();
    for v in [&Overlay::new(&volume) as &dyn Volume, &volume] {
        let made = v.create_dir(&p("Downloader/old"), Protection::Plain).unwrap();
        assert_eq!(made, Protected::Plain);
        v.write_new(&p("Downloader/old/f"), b"x").unwrap();
        assert_eq!(v.protection(&p("Downloader/old/f")).unwrap(), Protected::Plain);
    }
    let hex = |name: &str| -> String { attribute(&dir.join(name), ACL).iter().map(|b| format!("{b:02x}")).collect() };
    let everyone = "010100000000000100000000";
    for (name, flags) in [("old", "13"), ("old/f", "10")] {
        let sd = hex(name);
        assert!(sd.contains(&format!("00{flags}1800a9001200{users}")), "{name}: {sd}");
        assert!(!sd.contains(everyone), "{name}: {sd}");
    }
}

#[test]
fn a_failing_disk_is_an_error() {
    let Some(mut ntfs) = Ntfs::mounted() else {
        return;
    };
    windows(ntfs.root());
    let big = ntfs.root().join("Windows/big");
    std::fs::write(&big, vec![1; 3 << 20]).unwrap();
    assert!(ntfs.mount(""));
    let volume = ntfs.open();
    assert_eq!(volume.find(&p("windows/big")).unwrap().unwrap().len, 3 << 20);
    // Most of the medium is gone.
    let image = std::fs::File::options().write(true).open(ntfs.image()).unwrap();
    image.set_len(1 << 20).unwrap();
    let error = volume.read(&p("windows/big"), 4 << 20).unwrap_err();
    assert!(matches!(error, VolumeError::Unreadable { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unreadable);
    let error = Overlay::new(&volume).read(&p("windows/big"), 4 << 20).unwrap_err();
    assert!(matches!(error, VolumeError::Unreadable { .. }), "{error}");
    image.set_len(6 << 20).unwrap();
}

#[test]
fn read_only_by_option_and_by_fallback() {
    let Some(mut ntfs) = Ntfs::mounted() else {
        return;
    };
    windows(ntfs.root());
    assert!(ntfs.mount(",ro"));
    let check = |volume: &HostVolume| {
        let Writability::ReadOnly { why } = volume.writable().unwrap() else {
            panic!("not seen");
        };
        assert!(why.contains("is mounted read-only on"), "{why}");
        let sd = p("Windows/SoftwareDistribution");
        for error in [
            volume.rename(&sd, &p("Windows/x")).unwrap_err(),
            volume.write_new(&p("x"), b"").unwrap_err(),
            volume.open_storage(&p("Windows/System32/config/SYSTEM")).err().unwrap(),
        ] {
            assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        }
        assert_eq!(names(volume, "windows"), ["SoftwareDistribution", "System32"]);
    };
    check(&ntfs.open());

    // Hibernated: ntfs-3g mounts it read-only, whatever was asked for.
    assert!(ntfs.mount(""));
    let mut hiberfil = vec![0; 8192];
    hiberfil[..4].copy_from_slice(b"hibr");
    std::fs::write(ntfs.root().join("hiberfil.sys"), hiberfil).unwrap();
    ntfs.mount("");
    check(&ntfs.open());
    assert_eq!(ntfs.open().read_head(&p("HIBERFIL.sys"), 4).unwrap(), b"hibr");
}

#[test]
fn unpaired_surrogates_in_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let Some(ntfs) = Ntfs::mounted() else { return };
    // The high surrogate D800 alone, as ntfs-3g spells it.
    let name = std::ffi::OsStr::from_bytes(b"x\xed\xa0\x80y");
    if std::fs::write(ntfs.root().join(name), b"odd").is_err() {
        eprintln!("skipped: this ntfs-3g makes no names with unpaired surrogates");
        return;
    }
    let volume = ntfs.open();
    let listed = volume.list(&VolPath::root()).unwrap();
    assert!(listed.iter().any(|e| e.name == name), "{listed:?}");
    let path = VolPath::root().child(name).unwrap();
    let stored = serde_json::to_string(&path).unwrap();
    assert_eq!(stored, r#""x%ED%A0%80y""#);
    let path: VolPath = serde_json::from_str(&stored).unwrap();
    assert_eq!(volume.read(&path, 9).unwrap(), b"odd");
    volume.rename(&path, &p("plain")).unwrap();
    volume.rename(&p("plain"), &path).unwrap();
    assert_eq!(volume.read(&path, 9).unwrap(), b"odd");
}

#[test]
fn a_full_ntfs() {
    let Some(ntfs) = Ntfs::mounted() else { return };
    let volume = ntfs.open();
    volume.write_new(&p("journal"), b"first\n").unwrap();
    let room = usize::try_from(volume.free_space().unwrap()).unwrap();
    let error = volume.write_new(&p("big"), &vec![1; room + 100_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(names(&volume, ""), ["journal"]);
    let error = volume.append(&p("journal"), &vec![1; room + 100_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(volume.read(&p("journal"), 99).unwrap(), b"first\n");
}

#[test]
fn hard_links_on_ntfs_stay_on_the_volume() {
    let Some(ntfs) = Ntfs::mounted() else { return };
    windows(ntfs.root());
    let config = ntfs.root().join("Windows/System32/config");
    std::fs::hard_link(config.join("SYSTEM"), config.join("SYSTEM2")).unwrap();
    let path = p("Windows/System32/config/SYSTEM");
    let volume = ntfs.open();
    assert_eq!(volume.find(&path).unwrap().unwrap().links, 1);
    assert!(volume.open_storage(&path).is_ok());
    // Not if only a folder of it was opened.
    let part = HostVolume::open(config).unwrap();
    assert!(matches!(part.open_storage(&p("SYSTEM")).err(), Some(VolumeError::HardLinked { .. })));
}

#[test]
fn names_are_compared_by_the_table_that_mkntfs_writes() {
    let Some(mut ntfs) = Ntfs::mounted() else {
        return;
    };
    ntfs.unmount();
    // $UpCase is file number 10.
    let table = Command::new("ntfscat")
        .args(["-f", "-i", "10"])
        .arg(ntfs.image())
        .output()
        .map(|out| out.stdout)
        .unwrap_or_default();
    if table.len() != 0x2_0000 {
        eprintln!("skipped: ntfscat gives no $UpCase here");
        return;
    }
    for (unit, entry) in (0..=u16::MAX).zip(table.chunks_exact(2)) {
        let expected = u16::from_le_bytes([entry[0], entry[1]]);
        assert_eq!(upcase_unit(unit), expected, "{unit:04x}");
    }
}

/// What stands in the attributes that the driver shows is what is read, through the overlay too, as long as it is the same thing.
#[test]
fn descriptors_and_attributes_are_read_as_they_are() {
    let Some(ntfs) = Ntfs::mounted() else { return };
    windows(ntfs.root());
    let volume = ntfs.open();
    let cache = p("Windows/SoftwareDistribution");
    let on_disk = |path: &str| attribute(&ntfs.root().join(path), ACL);
    // Compressed, through the other attribute, and a descriptor of another length.
    let folder = ntfs.root().join("Windows/SoftwareDistribution");
    let bits = 0x0800_u32.to_ne_bytes();
    rustix::fs::lsetxattr(&folder, "system.ntfs_attrib", &bits, XattrFlags::empty()).unwrap();
    let mine = crate::security::Descriptor::from_sddl("O:BAG:SYD:P(A;OICI;FA;;;SY)").unwrap().to_bytes();
    rustix::fs::lsetxattr(&folder, ACL, &mine, XattrFlags::empty()).unwrap();
    assert_eq!(on_disk("Windows/SoftwareDistribution").len(), mine.len());
    let overlay = Overlay::new(&volume);
    let both: [&dyn Volume; 2] = [&volume, &overlay];
    for v in both {
        let found = v.security(&p("WINDOWS/softwaredistribution")).unwrap().unwrap();
        assert_eq!(found.descriptor, on_disk("Windows/SoftwareDistribution"));
        assert_eq!(found.attributes.map(|bits| bits & 0x0810), Some(0x0810), "compressed, and a folder");
        let file = v.security(&p("Windows/System32/config/SYSTEM")).unwrap().unwrap();
        assert_eq!(file.descriptor, on_disk("Windows/System32/config/SYSTEM"));
        assert_eq!(file.attributes.map(|bits| bits & 0x0810), Some(0));
        let root = v.security(&VolPath::root()).unwrap().unwrap();
        assert_eq!(root.descriptor, on_disk(""));
        assert!(matches!(v.security(&p("Windows/nothing")), Err(VolumeError::NotFound { .. })));
    }
    // Moved it is the same folder; a new one in its place has nothing yet.
    overlay.rename(&cache, &p("Windows/old")).unwrap();
    overlay.create_dir(&cache, Protection::Plain).unwrap();
    let moved = overlay.security(&p("Windows/old")).unwrap().unwrap();
    assert_eq!(moved.descriptor, on_disk("Windows/SoftwareDistribution"));
    assert_eq!(overlay.security(&cache).unwrap(), None);
    assert_eq!(
        overlay.security(&p("Windows/old/DataStore")).unwrap().unwrap().descriptor,
        on_disk("Windows/SoftwareDistribution/DataStore")
    );
    // A junction is not followed, and has nothing to show.
    let junction_at = ntfs.root().join("Windows/junction");
    std::fs::create_dir(&junction_at).unwrap();
    rustix::fs::lsetxattr(&junction_at, REPARSE, &junction("C:\\Windows\\SoftwareDistribution"), XattrFlags::empty())
        .unwrap();
    let mut ntfs = ntfs;
    drop(volume);
    assert!(ntfs.mount(""));
    let volume = ntfs.open();
    assert_eq!(volume.security(&p("Windows/junction")).unwrap(), None);
    assert!(matches!(volume.security(&p("Windows/junction/DataStore")), Err(VolumeError::LinkOnPath { .. })));
}

/// A folder of Linux keeps none, which is no error.
#[test]
fn a_plain_folder_has_no_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    windows(dir.path());
    let volume = HostVolume::open(dir.path()).unwrap();
    for path in ["", "Windows", "Windows/System32/config/SYSTEM"] {
        let path = if path.is_empty() { VolPath::root() } else { p(path) };
        assert_eq!(volume.security(&path).unwrap(), None);
        assert_eq!(Overlay::new(&volume).security(&path).unwrap(), None);
    }
}
