//! `session-manager`: what installers and disk checks leave for the next start is no fault; what is no such list is said. What is a fault
//! stands in the table of faults (`tests/faults`).
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use coldmend_fixtures::Version::{self, *};
use common::coldmend;
use common::diagnosis::expect;
use common::inject::{bytes_value, has_hivexregedit, list_value, merge, put};

const ALL: &[Version] = &[Xp, Vista, Seven, Ten22H2, Server2025];
const RENAMES: &str = "PendingFileRenameOperations";

fn manager(root: &Path, name: &str, value: &str) {
    let key = "ControlSet001\\Control\\Session Manager";
    merge(root, "SYSTEM", &format!("[\\{key}]\n\"{name}\"={value}\n"));
}

fn healthy(versions: &[Version], name: &str, list: &[&str]) {
    expect(versions, &|root| manager(root, name, &list_value(list)), &[], "");
}

#[test]
fn what_installers_leave_is_healthy() {
    if !has_hivexregedit("what_installers_leave_is_healthy") {
        return;
    }
    let library = r"\??\C:\Windows\System32\wuaueng.dll";
    // Others' files, in the forms that occur; on other disks; and a name that is no path.
    healthy(
        ALL,
        RENAMES,
        &[
            r"\??\C:\Windows\Temp\a.tmp",
            "",
            r"*1\??\C:\Program Files\App\app.exe",
            r"*1!\??\C:\Program Files\App\app.old",
            r"\??\D:\Windows\System32\wuaueng.dll",
            "",
            r"\Device\HarddiskVolume1\Windows\System32\wuaueng.dll",
            "",
            r"..\..\wuaueng.dll",
            "",
        ],
    );
    // A file that is replaced by one that is there, whichever is done first in the list's two parts.
    let replaced = |root: &Path| {
        put(root, "Windows/Temp/new.dll", b"MZ");
        let replace = [library, r"\??\C:\Windows\Temp\old.dll", r"\??\C:\Windows\Temp\new.dll", &format!("!{library}")];
        manager(root, RENAMES, &list_value(&replace));
    };
    expect(ALL, &replaced, &[], "");
    let in_two_lists = |root: &Path| {
        put(root, "Windows/Temp/new.dll", b"MZ");
        manager(root, RENAMES, &list_value(&[library, ""]));
        manager(root, "PendingFileRenameOperations2", &list_value(&[r"\??\C:\Windows\Temp\new.dll", library]));
    };
    expect(&[Seven, Ten22H2], &in_two_lists, &[], "");
    // An empty list, and one without an end.
    healthy(&[Seven], RENAMES, &[]);
    let open = |root: &Path| manager(root, RENAMES, &bytes_value(7, &common::inject::utf16("\\??\\C:\\a\0\0")));
    expect(&[Seven], &open, &[], "");
}

#[test]
fn disk_checks_are_healthy() {
    if !has_hivexregedit("disk_checks_are_healthy") {
        return;
    }
    for line in
        [r"autocheck autochk /p \??\C:", r"autocheck autochk /m /P \Device\HarddiskVolume2", "autocheck autochk /k:C *"]
    {
        healthy(&[Xp, Ten22H2], "BootExecute", &[line, "autocheck autochk *"]);
    }
    healthy(&[Seven], "BootExecute", &[r"autocheck autoconv \??\D: /fs:ntfs", "autocheck autochk *"]);
}

#[test]
fn what_is_no_list_is_said() {
    if !has_hivexregedit("what_is_no_list_is_said") {
        return;
    }
    let odd =
        ["dword:00000001".to_owned(), bytes_value(7, b"abc"), bytes_value(7, &common::inject::utf16("\\??\\C:\\a"))];
    for value in odd {
        let volume = common::broken(Ten22H2, &[]);
        manager(volume.path(), RENAMES, &value);
        let json = coldmend("diagnose --format json", volume.path()).json();
        let unchecked = json["could_not_check"].as_array().unwrap();
        assert!(unchecked.iter().any(|one| one["id"] == "session-manager"), "{value}: {unchecked:?}");
        assert!(!json["findings"].as_array().unwrap().iter().any(|f| f["id"] == "session-manager"), "{value}: {json}");
    }
}
