//! `session-manager` and its remedy: what installers and disk checks leave for the next start is no fault; what is no such list is said. What is a fault
//! stands in the table of faults (`tests/faults`).
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use coldmend_fixtures::Version::{self, *};
use common::diagnosis::expect;
use common::inject::{bytes_value, has_hivexregedit, list_value, merge, put, utf16};
use common::{coldmend, hive};

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
    let open = |root: &Path| manager(root, RENAMES, &bytes_value(7, &utf16("\\??\\C:\\a\0\0")));
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
    let odd = ["dword:00000001".to_owned(), bytes_value(7, b"abc"), bytes_value(7, &utf16("\\??\\C:\\a"))];
    for value in odd {
        let volume = common::broken(Ten22H2, &[]);
        manager(volume.path(), RENAMES, &value);
        let json = coldmend("diagnose --format json", volume.path()).json();
        let unchecked = json["could_not_check"].as_array().unwrap();
        assert!(unchecked.iter().any(|one| one["id"] == "session-manager"), "{value}: {unchecked:?}");
        assert!(!json["findings"].as_array().unwrap().iter().any(|f| f["id"] == "session-manager"), "{value}: {json}");
    }
}

/// Only the pairs that take the update stack's files go, from both lists; undo brings them back.
#[test]
fn the_pairs_are_taken_out_and_given_back() {
    if !has_hivexregedit("the_pairs_are_taken_out_and_given_back") {
        return;
    }
    let volume = common::broken(Ten22H2, &[]);
    let root = volume.path();
    let (library, queue) = (r"\??\C:\Windows\System32\wuaueng.dll", r"*1\??\c:\WINDOWS\System32\qmgr.dll");
    let others = [r"\??\C:\Windows\Temp\a.tmp", "", r"\??\C:\b", r"!\??\C:\c"];
    // The same file twice: without the first, the second would take it.
    let list = [others[0], others[1], library, "", others[2], others[3], library, r"\??\C:\old.dll"];
    manager(root, RENAMES, &list_value(&list));
    manager(root, "PendingFileRenameOperations2", &list_value(&[queue, ""]));
    let before = hive::values(root, false);
    let plan = coldmend("repair --dry-run --format json", root).expect(0).json();
    let actions: Vec<&str> =
        plan["actions"].as_array().unwrap().iter().map(|a| a["remedy"].as_str().unwrap()).collect();
    assert_eq!(actions, ["pending-renames"; 2], "{plan:#}");
    let text = coldmend("repair --dry-run", root).expect(0).stdout;
    assert!(text.contains(r#"wuaueng.dll, "", \??\C:\b"#), "the list as people read it: {text}");
    assert_eq!(hive::values(root, false), before);
    coldmend("repair --yes", root).expect(0);
    let after = hive::values(root, false);
    let place = |name: &str| format!(r"[ControlSet001\Control\Session Manager] {name}");
    let text: String = others.iter().map(|one| format!("{one}\0")).collect::<String>() + "\0";
    assert_eq!(after[0].get(&place(RENAMES)), Some(&format!("7 {:02x?}", utf16(&text))));
    assert_eq!(after[0].get(&place("PendingFileRenameOperations2")), None);
    let changed = hive::difference(&before[0], &after[0]);
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert_eq!(before[1], after[1]);
    coldmend("diagnose", root).expect(0);
    let again = coldmend("repair --dry-run --format json", root).expect(0).json();
    assert_eq!(again["actions"].as_array().unwrap().len(), 0, "{again:#}");
    coldmend("undo --yes", root).expect(0);
    assert_eq!(hive::values(root, false), before);
}
