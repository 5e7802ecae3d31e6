//! Disks that can't be written to, are full, or fail in the middle: the volume is left as it was, and what happened is said.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::trace::{self, words};
use common::{broken_ten, coldmend, copied, copy, files, hive, scratch, tree};
use tempfile::TempDir;

/// A mount that ends with the value.
struct Mount(TempDir);

impl Mount {
    /// A file system in memory of this size, or why there is none.
    fn tmpfs(kib: u64) -> Result<Self, String> {
        let dir = scratch();
        mount(&["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0755"), "tmpfs"], dir.path())?;
        Ok(Mount(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> Result<(), String> {
    if !common::is_root() {
        return Err("only root can mount".into());
    }
    let out = Command::new("mount").args(arguments).arg(at).output().map_err(|e| e.to_string())?;
    if out.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&out.stderr).trim().to_string())
    }
}

#[test]
fn a_mount_that_is_read_only() {
    let volume = match Mount::tmpfs(16 << 10) {
        Ok(volume) => volume,
        Err(why) => return common::leave_out("a_mount_that_is_read_only", &why),
    };
    copy(broken_ten().path(), volume.path());
    mount(&["-o", "remount,ro"], volume.path()).unwrap();
    let before = tree(volume.path());
    coldmend("diagnose", volume.path()).expect(1);
    coldmend("repair --dry-run", volume.path()).expect(0);
    for words in ["repair --yes", "repair --yes --format json"] {
        let run = coldmend(words, volume.path()).expect(3);
        assert!(run.stderr.contains("read-only") && run.stderr.contains("Mount it read-write"), "{run:?}");
    }
    // Backups elsewhere do not help.
    let elsewhere = scratch();
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o700)).unwrap();
    coldmend(&format!("repair --yes --state-dir {}", elsewhere.path().display()), volume.path()).expect(3);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(tree(volume.path()), before);
}

#[test]
fn a_disk_without_room_for_the_backups() {
    let broken = broken_ten();
    // Room for the changes (a MiB for the log, and the hives' growth), not for the backups beside them.
    let volume = match Mount::tmpfs(16 << 10) {
        Ok(volume) => volume,
        Err(why) => return common::leave_out("a_disk_without_room_for_the_backups", &why),
    };
    copy(broken.path(), volume.path());
    let df = Command::new("df").args(["-k", "--output=used"]).arg(volume.path()).output().unwrap();
    let used: u64 = String::from_utf8(df.stdout).unwrap().lines().last().unwrap().trim().parse().unwrap();
    mount(&["-o", &format!("remount,size={}k", used + 1600)], volume.path()).unwrap();
    let before = tree(volume.path());
    for words in ["repair --yes", "repair --yes --format json"] {
        let run = coldmend(words, volume.path()).expect(3);
        assert!(run.stderr.contains("too little room") && run.stderr.contains("--state-dir"), "{run:?}");
        assert!(run.stderr.chars().any(|c| c.is_ascii_digit()), "{run:?}");
    }
    assert_eq!(tree(volume.path()), before);
    let values = hive::values(volume.path(), false);
    let elsewhere = scratch();
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let named = format!("--state-dir {}", elsewhere.path().display());
    coldmend(&format!("repair --yes {named}"), volume.path()).expect(0);
    coldmend("diagnose", volume.path()).expect(0);
    coldmend(&format!("undo --yes {named}"), volume.path()).expect(0);
    assert_eq!(hive::values(volume.path(), false), values);

    // A state directory that is full is refused as well.
    let full = Mount::tmpfs(64).unwrap();
    fs::set_permissions(full.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let before = tree(volume.path());
    let run = coldmend(&format!("repair --yes --state-dir {}", full.path().display()), volume.path()).expect(3);
    assert!(run.stderr.contains("too little room"), "{run:?}");
    assert_eq!(tree(volume.path()), before);
}

/// What a user has written to a file of his own is whole, or not there.
#[test]
fn reports_and_plans_on_a_full_disk() {
    let volume = broken_ten();
    let full = match Mount::tmpfs(4) {
        Ok(full) => full,
        Err(why) => return common::leave_out("reports_and_plans_on_a_full_disk", &why),
    };
    let before = tree(volume.path());
    for (command, name) in [("diagnose --report", "page.html"), ("repair --save-plan", "plan.json")] {
        let file = full.path().join(name);
        let run = coldmend(&format!("{command} {}", file.display()), volume.path());
        assert!(!matches!(run.status, Some(0 | 1)), "{command}: {run:?}");
        assert!(run.stderr.contains("removed again") && run.stderr.contains(name), "{command}: {run:?}");
        assert!(fs::read_dir(full.path()).unwrap().next().is_none(), "{command}: {run:?}");
    }
    assert_eq!(tree(volume.path()), before);
}

/// Every call of a repair that changes the volume fails once (`+` added to `when`: from then on for ever), a share of them.
fn failing(error: &str, for_ever: bool, step: usize) {
    let broken = broken_ten();
    let repair = |root: &Path| -> Vec<PathBuf> { words(&["repair", "--yes"], root) };
    let whole = copied(broken.path());
    let (run, calls) = trace::writing(whole.path(), &repair(whole.path()));
    run.expect(0);
    let (values, names) = (hive::values(broken.path(), false), files(broken.path()));
    let after = hive::values(whole.path(), false);
    let mut taken_back = 0;
    for call in calls.iter().filter(|call| !call.name.starts_with("open")).step_by(step) {
        let volume = copied(broken.path());
        let root = volume.path();
        let when = format!("{}{}", call.number, if for_ever { "+" } else { "" });
        let run = trace::injected(&call.name, &when, &format!("error={error}"), &repair(root));
        let what = format!("{error} at {when}, {}: {run:?}", call.line);
        assert!(matches!(run.status, Some(3..=5)), "{what}");
        if !for_ever {
            // With `write` broken for ever, not even the message gets out.
            assert!(run.stderr.contains("coldmend: error: "), "{what}");
        }
        for (place, name) in hive::HIVES.iter().enumerate() {
            let now = hive::values_of(&hive::recovered(root, name).unwrap(), false);
            assert!(now == values[place] || now == after[place], "{what}: {name} is neither before nor after");
        }
        let diagnosis = coldmend("diagnose --format json", root).expect(1).json();
        let unfinished = diagnosis["findings"].as_array().unwrap().iter().any(|f| f["id"] == "unfinished-repair");
        if run.status != Some(5) {
            assert!(!unfinished, "{what}: said to be without effect, and unfinished");
        }
        if unfinished {
            coldmend("undo --yes", root).expect(0);
            taken_back += 1;
        }
        assert_eq!(hive::values(root, false), values, "{what}");
        assert_eq!(files(root), names, "{what}");
        coldmend("repair --yes", root).expect(0);
        assert_eq!(hive::values(root, false), after, "{what}; then repair");
    }
    println!("{error}, for ever: {for_ever}: {taken_back} had to be taken back by undo");
}

#[test]
fn a_disk_that_fills_up_at_any_write() {
    match trace::available() {
        Ok(()) => failing("ENOSPC", false, 5),
        Err(why) => common::skip("a_disk_that_fills_up_at_any_write", &why),
    }
}

#[test]
fn a_disk_that_fails_for_good_at_any_write() {
    match trace::available() {
        Ok(()) => failing("EIO", true, 7),
        Err(why) => common::skip("a_disk_that_fails_for_good_at_any_write", &why),
    }
}
