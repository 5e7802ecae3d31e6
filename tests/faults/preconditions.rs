//! Faults of what a diagnosis rests on: hives, control sets, setup, hibernation, room.

use std::fs;

use coldmend_fixtures::hive::dirty_pair;
use coldmend_fixtures::Version::{self, *};

use crate::common::{find, inject};
use crate::table::{row, Row, Tool, ALL, SINCE_10};

const SELECT: &str = "[\\Select]\n";
const SETUP: &str = "[\\Setup]\n";

/// A change to a hive's bytes.
fn hive_bytes(row: Row, hive: &'static str, change: fn(&mut Vec<u8>)) -> Row {
    row.make(Tool::Files, move |root, _| {
        let path = find(root, &format!("Windows/System32/config/{hive}"));
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    })
}

/// The hive as it was before an edit, with the edit in its log only: power failed in between.
fn cut_commit(hive: &'static str, edit: &'static str) -> impl Fn(&std::path::Path, Version) {
    move |root, version| {
        let path = find(root, &format!("Windows/System32/config/{hive}"));
        let before = fs::read(&path).unwrap();
        inject::merge(root, hive, edit);
        let after = fs::read(&path).unwrap();
        let (primary, log) = dirty_pair(&before, &after, version.log_format());
        fs::write(&path, primary).unwrap();
        let ending = if version.build() < 6000 { "LOG" } else { "LOG1" };
        inject::put(root, &format!("Windows/System32/config/{hive}.{ending}"), &log);
    }
}

pub fn rows() -> Vec<Row> {
    let hive = |what: &str| row("hive-state", what);
    vec![
        hive("SYSTEM was not written to its end; its log has the rest")
            .on(ALL)
            .with(Tool::Hivexregedit)
            .make(
                Tool::LogBytes,
                cut_commit("SYSTEM", "[\\ControlSet001\\Services\\Coldmend]\n\"Start\"=dword:00000004\n"),
            )
            .note("SYSTEM"),
        hive("SOFTWARE was not written to its end, and its log switches Windows Update off")
            .with(Tool::Hivexregedit)
            .make(
                Tool::LogBytes,
                cut_commit(
                    "SOFTWARE",
                    "[\\Policies\\Microsoft\\Windows\\WindowsUpdate]\n\"DisableWindowsUpdateAccess\"=dword:00000001\n",
                ),
            )
            .note("SOFTWARE")
            .finds("policy-update-access", "problem", "DisableWindowsUpdateAccess"),
        hive_bytes(hive("SYSTEM was not written to its end, and its logs are of no use"), "SYSTEM", |bytes| {
            // The first sequence number is ahead of the second while a hive is written.
            bytes[4] = bytes[4].wrapping_add(1);
            inject::checksum(bytes);
        })
        .refused()
        .says("log"),
        hive_bytes(hive("SYSTEM is empty"), "SYSTEM", Vec::clear).refused(),
        hive_bytes(hive("SYSTEM is no hive"), "SYSTEM", |bytes| bytes[..4].fill(0x41)).refused(),
        hive_bytes(hive("SOFTWARE is cut in half"), "SOFTWARE", |bytes| {
            // Half of what the base block says: Windows makes the file larger than that in advance.
            let length = u32::from_le_bytes(bytes[40..44].try_into().unwrap());
            bytes.truncate(4096 + length as usize / 2);
        })
        .refused(),
        hive_bytes(hive("SOFTWARE is overwritten with zeros behind its base block"), "SOFTWARE", |bytes| {
            bytes[4096..].fill(0)
        })
        .refused(),
        hive("SOFTWARE is gone").gone("Windows/System32/config/SOFTWARE").refused().says("there is no"),
        row("setup-in-progress", "setup is running (SystemSetupInProgress is 1)")
            .on(ALL)
            .reg("SYSTEM", format!("{SETUP}\"SystemSetupInProgress\"=dword:00000001\n"))
            .suspect("Setup"),
        row("setup-in-progress", "setup goes on at the next start (SetupType is 2)")
            .reg("SYSTEM", format!("{SETUP}\"SetupType\"=dword:00000002\n"))
            .suspect("Setup"),
        row("hibernation", "Windows is hibernated (HIBR)")
            .on(ALL)
            .file("hiberfil.sys", [b"HIBR".to_vec(), vec![0; 4096]].concat())
            .note("hiberfil.sys"),
        row("hibernation", "Windows is hibernated (hibr)")
            .file("hiberfil.sys", [b"hibr".to_vec(), vec![0; 4096]].concat())
            .note("hiberfil.sys"),
        row("control-set", "the control set of the next boot is not there")
            .on(ALL)
            .reg("SYSTEM", format!("{SELECT}\"Default\"=dword:00000009\n"))
            .problem("Select"),
        row("control-set", "the next boot uses another control set than the last")
            .on(&[Xp, Vista, Seven])
            .reg("SYSTEM", format!("{SELECT}\"Default\"=dword:00000002\n\"LastKnownGood\"=dword:00000001\n"))
            .note("Select"),
        row("control-set", "Windows fell back to the last known good configuration")
            .reg("SYSTEM", format!("{SELECT}\"Failed\"=dword:00000003\n"))
            .note("Select"),
        row("control-set", "no control set is named that is there")
            .reg("SYSTEM", format!("{SELECT}\"Default\"=dword:00000009\n\"Current\"=dword:00000009\n"))
            .refused()
            .says("names no control set"),
        row("os-upgrade", "AllowOSUpgrade is set")
            .on(ALL)
            .reg(
                "SOFTWARE",
                "[\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\OSUpgrade]\n\"AllowOSUpgrade\"=dword:00000001\n",
            )
            .note("AllowOSUpgrade"),
        // ntfs-3g owns what is made through it: the note on WinSxS comes with that, not with the room.
        row("free-space", "less than a GiB is free")
            .on(&[Vista, Seven, EightOne, Ten22H2, Server2022])
            .on_ntfs(64)
            .suspect("volume")
            .finds("file-access", "note", "WinSxS"),
        row("free-space", "less than 10 GiB are free, too little for a feature update")
            .on(SINCE_10)
            .on_ntfs(6 << 10)
            .note("volume")
            .finds("file-access", "note", "WinSxS"),
    ]
}
