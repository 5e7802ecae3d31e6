//! The checks of files and servicing: healthy volumes of every version give none of them, and each fault, made with plain files and with
//! hivex' own tools, gives exactly the finding that it must, and nothing else.
//!
//! Needs `hivexregedit` (libhivex-bin) for faults in hives; without it those are skipped, and said.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coldmend_fixtures::{Damage, Version, VolumeSpec};
use common::{coldmend, copied, find, skip, try_find, volume};

/// Id, severity and subject.
type Found = BTreeSet<(String, String, String)>;

const CBS: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
const SERVICES: &str = "ControlSet001\\Services";
const IDENTIFIER: &str = "916ae75edb30da0146730000dc1be027";

fn findings(root: &Path) -> (Found, serde_json::Value) {
    let json = coldmend("diagnose --format json", root).json();
    let text = |f: &serde_json::Value, name: &str| f[name].as_str().unwrap().to_owned();
    let all = json["findings"].as_array().unwrap_or_else(|| panic!("{json}"));
    let found = all.iter().map(|f| (text(f, "id"), text(f, "severity"), text(f, "subject"))).collect();
    (found, json)
}

fn small(version: Version) -> VolumeSpec {
    VolumeSpec { ballast_keys: 5, ..VolumeSpec::new(version) }
}

/// Merges the text of a .reg file, without its first line, into a hive. Sections are paths from the hive's root.
fn merge(root: &Path, hive: &str, text: &str) {
    // The tool makes no parents by itself.
    let mut parents = String::new();
    for key in text.lines().filter_map(|l| l.strip_prefix("[\\")?.strip_suffix(']')) {
        let ends = key.match_indices('\\').map(|(at, _)| at);
        ends.for_each(|end| parents.push_str(&format!("[\\{}]\n\n", &key[..end])));
    }
    let text = &format!("{parents}{text}");
    let reg = root.with_extension("reg");
    fs::write(&reg, format!("Windows Registry Editor Version 5.00\n\n{text}")).unwrap();
    let path = find(root, &format!("Windows/System32/config/{hive}"));
    let output =
        Command::new("hivexregedit").arg("--merge").arg(&path).arg(&reg).stdin(Stdio::null()).output().unwrap();
    fs::remove_file(&reg).unwrap();
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
}

fn hex(ty: u32, text: &str) -> String {
    let bytes: Vec<String> = text.encode_utf16().flat_map(u16::to_le_bytes).map(|b| format!("{b:02x}")).collect();
    format!("hex({ty}):{}", bytes.join(","))
}

/// A service's key.
fn service(root: &Path, name: &str, start: u32, ty: u32, image: Option<&str>) {
    let image = image.map_or(String::new(), |i| format!("\"ImagePath\"={}\n", hex(2, &format!("{i}\0"))));
    merge(
        root,
        "SYSTEM",
        &format!("[\\{SERVICES}\\{name}]\n\"Start\"=dword:{start:08x}\n\"Type\"=dword:{ty:08x}\n{image}"),
    );
}

fn remove(root: &Path, path: &str) {
    let path = find(root, path);
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut at: PathBuf = root.into();
    for part in folder.split('/').filter(|p| !p.is_empty()) {
        at = try_find(&at, part).unwrap_or_else(|| at.join(part));
        fs::create_dir_all(&at).unwrap();
    }
    fs::write(at.join(name), bytes).unwrap();
}

fn pending_xml(operations: &str) -> String {
    format!("<?xml version='1.0' encoding='utf-8'?><PendingTransaction Version=\"3.1\" Identifier=\"{IDENTIFIER}\"><Transactions></Transactions><POQ postAction=\"reboot\">{operations}</POQ><POQ></POQ><InstallerQueue Length=\"0x00000000\"></InstallerQueue></PendingTransaction>")
}

/// All parts of an operation that waits and would finish.
fn pending(root: &Path, version: Version, xml: &[u8]) {
    put(root, "Windows/WinSxS/pending.xml", xml);
    merge(root, "COMPONENTS", &format!("[\\]\n\"PendingXmlIdentifier\"={}\n", hex(3, IDENTIFIER)));
    let command = hex(7, "%SystemRoot%\\System32\\poqexec.exe /display_progress \\SystemRoot\\WinSxS\\pending.xml\0\0");
    if version.build() >= 10240 {
        let key = "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Configuration";
        merge(root, "SOFTWARE", &format!("[\\{key}]\n\"PoqexecCmdline\"={command}\n"));
    } else {
        merge(root, "SYSTEM", &format!("[\\ControlSet001\\Control\\Session Manager]\n\"SetupExecute\"={command}\n"));
    }
    merge(root, "SYSTEM", &format!("[\\{SERVICES}\\TrustedInstaller]\n\"Start\"=dword:00000002\n"));
}

const LINK: &str = "<HardlinkFile source=\"\\SystemRoot\\WinSxS\\a\\x.dll\" destination=\"\\??\\C:\\Windows\\x.dll\"/>";

struct Fault {
    what: &'static str,
    versions: &'static [Version],
    make: fn(&Path, Version),
    expected: &'static [(&'static str, &'static str, &'static str)],
    /// Words of the title or evidence.
    words: &'static str,
}

use Version::{EightOne, Eleven24H2, Server2016, Server2025, Seven, Ten22H2, Vista, Xp};
const ALL: &[Version] = &[Xp, Seven, Ten22H2, Server2025];
const SINCE_VISTA: &[Version] = &[Vista, EightOne, Ten22H2, Eleven24H2];
const SINCE_7: &[Version] = &[Seven, Server2016, Eleven24H2];
const SINCE_8: &[Version] = &[EightOne, Ten22H2, Server2025];
const SINCE_10: &[Version] = &[Server2016, Ten22H2, Eleven24H2];

const FAULTS: &[Fault] = &[
    Fault {
        what: "a boot driver's file is gone",
        versions: ALL,
        make: |r, _| remove(r, "Windows/System32/drivers/pci.sys"),
        expected: &[("service-file", "problem", "pci")],
        words: "may not start",
    },
    Fault {
        what: "the file of a driver without ImagePath is gone",
        versions: ALL,
        make: |r, _| remove(r, "Windows/System32/drivers/beep.sys"),
        expected: &[("service-file", "problem", "Beep")],
        words: "drivers\\Beep.sys",
    },
    Fault {
        what: "a driver's file is empty",
        versions: ALL,
        make: |r, _| fs::write(find(r, "Windows/System32/drivers/disk.sys"), b"").unwrap(),
        expected: &[("service-file", "problem", "Disk")],
        words: "0 bytes",
    },
    Fault {
        what: "an update service's library was renamed by a blocker",
        versions: SINCE_VISTA,
        make: |r, _| {
            let f = find(r, "Windows/System32/wuaueng.dll");
            fs::rename(&f, f.with_file_name("wuaueng_BAK.dll")).unwrap();
        },
        expected: &[("service-file", "problem", "wuauserv")],
        words: "wuaueng_BAK.dll",
    },
    Fault {
        what: "an update service's library is no program",
        versions: SINCE_VISTA,
        make: |r, _| fs::write(find(r, "Windows/System32/qmgr.dll"), b"blocked").unwrap(),
        expected: &[("service-file", "problem", "BITS")],
        words: "no Windows program",
    },
    Fault {
        what: "an automatic service of Windows has no program",
        versions: ALL,
        make: |r, _| service(r, "nofile", 2, 0x10, Some("%SystemRoot%\\System32\\nofile.exe -x")),
        expected: &[("service-file", "problem", "nofile")],
        words: "nofile.exe",
    },
    Fault {
        what: "an automatic service elsewhere has no program",
        versions: ALL,
        make: |r, _| service(r, "left", 2, 0x10, Some("\"C:\\Program Files\\Gone\\left.exe\" /s")),
        expected: &[("service-file", "suspect", "left")],
        words: "Program Files\\Gone\\left.exe",
    },
    Fault {
        what: "a manual service has no program",
        versions: ALL,
        make: |r, _| service(r, "left", 3, 0x10, Some("C:\\Program Files\\Gone\\left.exe /s")),
        expected: &[("service-file", "note", "manual services")],
        words: "left.exe",
    },
    Fault {
        what: "the documented manual service has no program",
        versions: SINCE_7,
        make: |r, _| {
            service(
                r,
                "clr_optimization_v4.0.30319_32",
                3,
                0x10,
                Some("C:\\Windows\\Microsoft.NET\\Framework\\v4.0.30319\\mscorsvw.exe"),
            )
        },
        expected: &[("service-file", "suspect", "clr_optimization_v4.0.30319_32")],
        words: "documented",
    },
    Fault {
        what: "a disabled service has no program",
        versions: ALL,
        make: |r, _| service(r, "off", 4, 0x10, Some("C:\\Windows\\off.exe")),
        expected: &[],
        words: "",
    },
    Fault {
        what: "a program on another drive",
        versions: ALL,
        make: |r, _| service(r, "other", 2, 0x10, Some("D:\\Tools\\x.exe")),
        expected: &[],
        words: "on drive D:",
    },
    Fault {
        what: "a program behind a short name",
        versions: ALL,
        make: |r, _| service(r, "short", 2, 0x10, Some("C:\\PROGRA~1\\A\\x.exe")),
        expected: &[],
        words: "short name",
    },
    Fault {
        what: "a program that Windows has compressed",
        versions: SINCE_10,
        make: |r, _| {
            let f = find(r, "Windows/System32/drivers/pci.sys");
            fs::remove_file(&f).unwrap();
            std::os::unix::fs::symlink("unsupported reparse tag 0x80000017", &f).unwrap();
            let f = find(r, "Windows/System32/crypt32.dll");
            fs::write(&f, [0; 4096]).unwrap();
        },
        expected: &[],
        words: "compressed by Windows",
    },
    Fault {
        what: "a driver's key is gone",
        versions: SINCE_7,
        make: |r, _| {
            put(r, "Windows/inf/flpydisk.inf", b"[Version]");
        },
        expected: &[("driver-key", "suspect", "flpydisk")],
        words: "flpydisk.inf",
    },
    Fault {
        what: "WIMMount's key is gone",
        versions: SINCE_7,
        make: |r, _| merge(r, "SYSTEM", &format!("[-\\{SERVICES}\\WIMMount]\n")),
        expected: &[("driver-key", "suspect", "WIMMount")],
        words: "wimmount.sys",
    },
    Fault {
        what: "a file of the update stack is gone",
        versions: ALL,
        make: |r, _| remove(r, "Windows/System32/wintrust.dll"),
        expected: &[("update-stack-file", "problem", "wintrust.dll")],
        words: "sfc /scannow",
    },
    Fault {
        what: "files of the update stack are damaged",
        versions: ALL,
        make: |r, _| {
            fs::write(find(r, "Windows/System32/wups.dll"), b"").unwrap();
            fs::write(find(r, "Windows/System32/crypt32.dll"), b"MZ").unwrap();
        },
        expected: &[("update-stack-file", "problem", "crypt32.dll and 1 more")],
        words: "wups.dll",
    },
    Fault {
        what: "an operation waits",
        versions: SINCE_VISTA,
        make: |r, v| {
            put(r, "Windows/WinSxS/a/x.dll", b"MZ");
            pending(r, v, pending_xml(LINK).as_bytes());
        },
        expected: &[("pending-servicing", "note", "servicing")],
        words: "1 operations",
    },
    Fault {
        what: "an operation in UTF-16 waits",
        versions: SINCE_10,
        make: |r, v| {
            pending(
                r,
                v,
                &[0xfeff]
                    .into_iter()
                    .chain(pending_xml("<CreateKey path='a'/>").encode_utf16())
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<u8>>(),
            )
        },
        expected: &[("pending-servicing", "note", "servicing")],
        words: "1 CreateKey",
    },
    Fault {
        what: "an operation lacks its file",
        versions: SINCE_VISTA,
        make: |r, v| pending(r, v, pending_xml(&format!("<CreateKey path='a'/>{LINK}")).as_bytes()),
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "operation 2 (HardlinkFile)",
    },
    Fault {
        what: "pending.xml is cut",
        versions: SINCE_VISTA,
        make: |r, v| pending(r, v, &pending_xml(LINK).as_bytes()[..200]),
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "ends in the middle",
    },
    Fault {
        what: "pending.xml alone",
        versions: SINCE_VISTA,
        make: |r, _| put(r, "Windows/WinSxS/pending.xml", pending_xml("").as_bytes()),
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "COMPONENTS does not name it",
    },
    Fault {
        what: "pending.xml is gone",
        versions: SINCE_VISTA,
        make: |r, v| {
            pending(r, v, b"");
            remove(r, "Windows/WinSxS/pending.xml");
            merge(r, "SYSTEM", &format!("[\\{SERVICES}\\TrustedInstaller]\n\"Start\"=dword:00000003\n"));
        },
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "pending.xml is gone",
    },
    Fault {
        what: "only the identifier",
        versions: SINCE_VISTA,
        make: |r, _| merge(r, "COMPONENTS", &format!("[\\]\n\"PendingXmlIdentifier\"={}\n", hex(3, IDENTIFIER))),
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "inconsistent",
    },
    Fault {
        what: "another identifier",
        versions: SINCE_VISTA,
        make: |r, v| pending(r, v, pending_xml("").replace("916ae75e", "00000000").as_bytes()),
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "differ",
    },
    Fault {
        what: "servicing is marked as broken",
        versions: SINCE_VISTA,
        make: |r, _| merge(r, "SOFTWARE", &format!("[\\{CBS}]\n\"Unserviceable\"=dword:00000001\n")),
        expected: &[("pending-servicing", "problem", "servicing")],
        words: "Unserviceable",
    },
    Fault {
        what: "packages pending, and nothing would finish them",
        versions: SINCE_VISTA,
        make: |r, _| merge(r, "SOFTWARE", &format!("[\\{CBS}\\PackagesPending]\n")),
        expected: &[("pending-servicing", "suspect", "servicing")],
        words: "PackagesPending",
    },
    Fault {
        what: "a restart is wanted",
        versions: SINCE_VISTA,
        make: |r, _| merge(r, "SOFTWARE", &format!("[\\{CBS}\\RebootPending]\n")),
        expected: &[("pending-servicing", "note", "servicing")],
        words: "RebootPending",
    },
    Fault {
        what: "an empty transaction log",
        versions: SINCE_VISTA,
        make: |r, _| put(r, "Windows/System32/config/TxR/{a}.TxR.blf", b""),
        expected: &[("registry-transactions", "suspect", "TxR")],
        words: "0 bytes",
    },
    Fault {
        what: "COMPONENTS is gone",
        versions: SINCE_VISTA,
        make: |r, _| remove(r, "Windows/System32/config/COMPONENTS"),
        expected: &[("component-store", "problem", "COMPONENTS")],
        words: "gone or destroyed",
    },
    Fault {
        what: "COMPONENTS is destroyed",
        versions: SINCE_VISTA,
        make: |r, _| fs::write(find(r, "Windows/System32/config/COMPONENTS"), [0; 8192]).unwrap(),
        expected: &[("component-store", "problem", "COMPONENTS")],
        words: "no registry hive",
    },
    Fault {
        what: "a manifest is gone",
        versions: SINCE_VISTA,
        make: |r, _| merge(r, "COMPONENTS", "[\\DerivedData\\Components\\amd64_x_31bf3856ad364e35_1.0.0.0_none_0]\n"),
        expected: &[("component-store", "suspect", "manifests")],
        words: "amd64_x_31bf3856ad364e35_1.0.0.0_none_0.manifest",
    },
    Fault {
        what: "a catalog of the store is gone",
        versions: SINCE_VISTA,
        make: |r, _| merge(r, "COMPONENTS", "[\\CanonicalData\\Catalogs\\0123456789abcdef]\n"),
        expected: &[("component-store", "suspect", "catalogs")],
        words: "0123456789abcdef.cat",
    },
    Fault {
        what: "Windows' catalogs are gone",
        versions: ALL,
        make: |r, _| {
            remove(r, "Windows/System32/catroot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}");
        },
        expected: &[("catalogs", "problem", "catroot")],
        words: "nothing",
    },
    Fault {
        what: "a driver package's folder is gone",
        versions: SINCE_8,
        make: |r, _| {
            put(r, "Windows/System32/DriverStore/FileRepository/a.inf_amd64_1/a.inf", b"");
            merge(r, "DRIVERS", "[\\DriverDatabase\\DriverPackages\\a.inf_amd64_1]\n\n[\\DriverDatabase\\DriverPackages\\b.inf_amd64_2]\n");
        },
        expected: &[("driver-store", "problem", "b.inf_amd64_2")],
        words: "DRIVERS\\DriverDatabase",
    },
    Fault {
        what: "a published inf is gone",
        versions: SINCE_8,
        make: |r, _| merge(r, "DRIVERS", "[\\DriverDatabase\\DriverInfFiles\\oem3.inf]\n"),
        expected: &[("driver-store", "suspect", "oem3.inf")],
        words: "INF\\oem3.inf",
    },
    Fault {
        what: "a profile is gone",
        versions: SINCE_10,
        make: |r, _| remove(r, "Users/user"),
        expected: &[("profile-list", "suspect", "ProfileList")],
        words: "C:\\Users\\user",
    },
    Fault {
        what: "a profile is gone, before 10",
        versions: &[Xp],
        make: |r, _| remove(r, "Documents and Settings/user"),
        expected: &[("profile-list", "note", "ProfileList")],
        words: "user",
    },
    Fault {
        what: "a profile was set aside",
        versions: SINCE_10,
        make: |r, _| {
            merge(r, "SOFTWARE", "[\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\S-1-5-21-1-2-3-1001.bak]\n")
        },
        expected: &[("profile-list", "suspect", "ProfileList")],
        words: ".bak",
    },
    Fault {
        what: "TEMP names nothing",
        versions: ALL,
        make: |r, _| {
            merge(
                r,
                "SYSTEM",
                &format!(
                    "[\\ControlSet001\\Control\\Session Manager\\Environment]\n\"TEMP\"={}\n",
                    hex(2, "C:\\Nowhere\0")
                ),
            )
        },
        expected: &[("environment", "suspect", "environment")],
        words: "C:\\Nowhere",
    },
    Fault {
        what: "Path lacks system32",
        versions: ALL,
        make: |r, _| {
            merge(
                r,
                "SYSTEM",
                &format!(
                    "[\\ControlSet001\\Control\\Session Manager\\Environment]\n\"Path\"={}\n",
                    hex(2, "C:\\Tools\0")
                ),
            )
        },
        expected: &[("environment", "suspect", "environment")],
        words: "C:\\Tools",
    },
    Fault {
        what: "SetupConfig.ini is malformed",
        versions: SINCE_10,
        make: |r, _| put(r, "Users/Default/AppData/Local/Microsoft/Windows/WSUS/SetupConfig.ini", b"ShowOobe=None"),
        expected: &[("setup-config", "suspect", "SetupConfig.ini")],
        words: "begins with",
    },
    Fault {
        what: "SetupConfig.ini is sound",
        versions: SINCE_10,
        make: |r, _| {
            put(
                r,
                "Users/Default/AppData/Local/Microsoft/Windows/WSUS/SetupConfig.ini",
                b"[SetupConfig]\r\nShowOobe=None\r\n",
            )
        },
        expected: &[],
        words: "",
    },
];

fn has_hivex() -> bool {
    let there = Command::new("hivexregedit").arg("--help").stdin(Stdio::null()).output().is_ok();
    if !there {
        skip("check_servicing", "there is no hivexregedit");
    }
    there
}

#[test]
fn healthy_volumes_of_every_version_raise_nothing() {
    for version in Version::ALL {
        let (found, json) = findings(volume(&small(version)).path());
        let known = [("service-descriptor", "note")];
        let strange: Vec<_> =
            found.iter().filter(|(id, severity, _)| !known.contains(&(id.as_str(), severity.as_str()))).collect();
        assert!(strange.is_empty(), "{version:?}: {strange:?}");
        assert_eq!(json["could_not_check"].as_array().map(Vec::len), Some(0), "{version:?}: {json}");
    }
}

#[test]
fn every_fault_is_found_and_nothing_else() {
    if !has_hivex() {
        return;
    }
    let mut wrong = Vec::new();
    for version in Version::ALL {
        let healthy = volume(&small(version));
        let (before, _) = findings(healthy.path());
        for fault in FAULTS.iter().filter(|f| f.versions.contains(&version)) {
            let broken = copied(healthy.path());
            (fault.make)(broken.path(), version);
            let (mut found, json) = findings(broken.path());
            found.retain(|f| !before.contains(f));
            let text = |(a, b, c): &(&str, &str, &str)| (a.to_string(), b.to_string(), c.to_string());
            let expected: Found = fault.expected.iter().map(text).collect();
            let said = json.to_string().replace("\\\\", "\\");
            if found != expected || !said.contains(fault.words) {
                wrong.push(format!(
                    "{version:?}: {}: {found:?}, not {expected:?} with {:?}\n{said}",
                    fault.what, fault.words
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Subjects that depend on the version.
#[test]
fn libraries_and_the_servicing_stack_are_found_missing() {
    for (version, file, subject) in [
        (Xp, "wkssvc.dll", "lanmanworkstation"),
        (Seven, "themeservice.dll", "Themes"),
        (Eleven24H2, "wpnservice.dll", "WpnService"),
    ] {
        let root = volume(&small(version));
        remove(root.path(), &format!("Windows/System32/{file}"));
        let (found, _) = findings(root.path());
        assert_eq!(found, Found::from([("service-file".into(), "problem".into(), subject.into())]), "{version:?}");
    }
    for version in [Vista, Seven, Ten22H2, Server2025] {
        for folder in ["Windows/servicing/Version", "Windows/WinSxS"] {
            let root = volume(&small(version));
            for entry in fs::read_dir(find(root.path(), folder)).unwrap().map(|e| e.unwrap()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.contains("servicingstack") || folder.ends_with("Version") {
                    fs::remove_dir_all(entry.path()).unwrap();
                }
            }
            let (found, json) = findings(root.path());
            let ids: Vec<(&str, &str)> =
                found.iter().map(|(id, severity, _)| (id.as_str(), severity.as_str())).collect();
            assert_eq!(ids, [("servicing-stack", "problem")], "{version:?} {folder}: {json}");
        }
    }
}

/// The pair of files of each package, in each state.
#[test]
fn packages_without_their_files_are_found() {
    if !has_hivex() {
        return;
    }
    for version in SINCE_VISTA {
        for (state, ending, severity) in [
            (0x70, "mum", Some("problem")),
            (0x70, "cat", Some("problem")),
            (0x40, "cat", Some("suspect")),
            (0x50, "mum", None),
            (0x20, "mum", None),
        ] {
            let root = volume(&small(*version));
            let name = "Package_for_KB5000001~31bf3856ad364e35~amd64~~10.0.1.1";
            merge(
                root.path(),
                "SOFTWARE",
                &format!("[\\{CBS}\\Packages\\{name}]\n\"CurrentState\"=dword:{state:08x}\n"),
            );
            for other in ["mum", "cat"].iter().filter(|e| **e != ending) {
                put(root.path(), &format!("Windows/servicing/Packages/{name}.{other}"), b"x");
            }
            let (found, json) = findings(root.path());
            let expected: Found = severity
                .map(|s| ("package-files".to_owned(), s.to_owned(), format!("{name}.{ending}")))
                .into_iter()
                .collect();
            assert_eq!(found, expected, "{version:?} {state:#x} {ending}: {json}");
        }
        let root = volume(&small(*version));
        let folder = find(root.path(), "Windows/servicing/Packages");
        let catalog =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "cat").unwrap();
        fs::write(catalog, b"").unwrap();
        let (found, _) = findings(root.path());
        assert!(
            found.iter().any(|(id, severity, _)| id == "package-files" && severity == "problem"),
            "{version:?}: {found:?}"
        );
    }
}

/// A driver that coldmend's own idea of a path must find in every spelling.
#[test]
fn spellings_of_paths_are_understood() {
    if !has_hivex() {
        return;
    }
    for version in [Xp, Ten22H2] {
        let root = volume(&small(version));
        put(root.path(), "Program Files/A B/c.exe", b"MZ");
        put(root.path(), "Windows/System32/drivers/d e.sys", b"MZ");
        for (number, (ty, image)) in [
            (1, "\\SystemRoot\\System32\\drivers\\d e.sys"),
            (1, "\\??\\C:\\WINDOWS\\System32\\drivers\\d e.sys"),
            (2, "system32\\DRIVERS\\d e.sys"),
            (1, "%SystemRoot%\\system32\\drivers\\d e.sys"),
            (0x10, "\"C:\\Program Files\\A B\\c.exe\" -a \"b c\""),
            (0x10, "C:\\Program Files\\A B\\c.exe -a b.exe"),
            (0x110, "C:\\Program Files\\A B\\c -a"),
            (0x10, "%ProgramFiles%\\A B\\\\c.exe"),
            (0x20, "cmd.exe /c x"),
            (0x10, "%SystemDrive%/Program Files/A B/c.exe"),
        ]
        .iter()
        .enumerate()
        {
            service(root.path(), &format!("spelled{number}"), 2, *ty, Some(image));
        }
        let (found, json) = findings(root.path());
        assert_eq!(found, Found::new(), "{version:?}: {json}");
        assert_eq!(json["could_not_check"].as_array().map(Vec::len), Some(0), "{json}");
    }
}

/// A path or library that is itself wrong is told once, by its own check; a missing file of an update service by this one.
#[test]
fn nothing_is_told_twice() {
    let name = || "wuauserv".to_owned();
    for (damage, expected) in [
        (Damage::WrongServiceDll(name()), "service-dll"),
        (Damage::WrongImagePath(name()), "service-image-path"),
        (Damage::MissingServiceFile(name()), "service-file"),
        (Damage::EmptyServiceFile(name()), "service-file"),
    ] {
        for version in [Xp, Seven, Ten22H2, Server2016] {
            let (found, json) = findings(volume(&small(version).damaged(damage.clone())).path());
            let expected = Found::from([(expected.to_owned(), "problem".to_owned(), name())]);
            assert_eq!(found, expected, "{version:?} {damage:?}: {json}");
        }
    }
}

/// Garbage where a file, a folder or a hive belongs is told, or said not to be checked; the rest is still looked at.
#[test]
fn garbage_keeps_nothing_else_from_being_checked() {
    let root = volume(&small(Ten22H2).damaged(Damage::MissingServiceFile("BITS".into())));
    let root = root.path();
    for hive in ["COMPONENTS", "DRIVERS"] {
        let path = find(root, &format!("Windows/System32/config/{hive}"));
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..].fill(0x5a);
        fs::write(&path, bytes).unwrap();
    }
    fs::create_dir_all(find(root, "Windows/WinSxS").join("pending.xml")).unwrap();
    fs::remove_dir_all(find(root, "Windows/servicing")).unwrap();
    fs::write(find(root, "Windows").join("servicing"), b"a file").unwrap();
    fs::remove_dir_all(find(root, "Windows/System32/catroot")).unwrap();
    std::os::unix::fs::symlink("/etc", find(root, "Windows/System32").join("catroot")).unwrap();
    let (found, json) = findings(root);
    assert!(found.contains(&("service-file".into(), "problem".into(), "BITS".into())), "{json}");
    assert!(found.iter().any(|(id, severity, _)| id == "package-files" && severity == "problem"), "{json}");
    let unchecked: BTreeSet<&str> =
        json["could_not_check"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    for id in ["component-store", "driver-store", "catalogs", "pending-servicing"] {
        assert!(unchecked.contains(id), "{id}: {json}");
    }
}

/// Whatever stands in pending.xml: a verdict, and no crash.
#[test]
fn any_pending_xml_gets_a_verdict() {
    let root = volume(&small(Ten22H2));
    let long = format!("<PendingTransaction Identifier='1'><POQ>{}", "<A/>".repeat(200_000));
    for bytes in
        [&b""[..], b"\xff\xfe", b"\xff\xfe<", &[b'<'; 100_000], &[0xd8; 9999], b"<PendingTransaction", long.as_bytes()]
    {
        put(root.path(), "Windows/WinSxS/pending.xml", bytes);
        let (found, json) = findings(root.path());
        assert_eq!(found, Found::from([("pending-servicing".into(), "problem".into(), "servicing".into())]), "{json}");
    }
}
