//! Faults of access rights: folders and keys that Windows itself may not use; and what shows only beside a healthy Windows.

use std::path::Path;
use std::process::Command;

use coldmend_fixtures::Version::*;

use crate::common::hive::protect;
use crate::common::{find, inject};
use crate::table::{row, Row, Tool, ALL, SINCE_VISTA};

const CBS: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
/// All rights.
const FULL: u32 = 0x001F_01FF;
/// As large as a disk with room enough, without content.
const ROOMY: u64 = 40 << 10;

pub fn rows() -> Vec<Row> {
    let denied = |what: &str, path: &'static str| {
        row("file-access", what).on_ntfs(ROOMY).make(Tool::Setfattr, move |root, _| {
            deny(&find(root, path), &inject::descriptor(Some(&[(1, FULL, &[18]), (0, FULL, &[18])])));
        })
    };
    let key = |what: &str, descriptor: &'static str| {
        row("servicing-access", what)
            .on(SINCE_VISTA)
            .make(Tool::OwnEngine, move |root, _| protect(root, CBS, descriptor))
    };
    vec![
        denied("SYSTEM is denied SoftwareDistribution", "Windows/SoftwareDistribution")
            .on(&[Xp, Seven, Ten22H2, Server2022])
            .problem("SoftwareDistribution")
            .says("0x80070005"),
        denied("SYSTEM is denied a folder of tasks", "Windows/System32/Tasks/Microsoft/Windows/WindowsUpdate")
            .on(&[EightOne, Ten22H2])
            .suspect("WindowsUpdate"),
        key("TrustedInstaller may not write", "O:BAG:BAD:(A;;KR;;;SY)(A;;KR;;;BA)")
            .problem("Component Based Servicing")
            .says("0x80070005"),
        key("Administrators may not read", "O:TIG:TID:(A;;KA;;;TI)(A;;KR;;;SY)").suspect("Component Based Servicing"),
        row("reference", "a machine was cloned without sysprep")
            .on(ALL)
            .reg("SYSTEM", "[\\ControlSet001\\Control\\ComputerName\\ComputerName]\n\"ComputerName\"=\"ANOTHER-PC\"\n")
            .beside_the_healthy()
            .suspect("SusClientId"),
    ]
}

/// Gives a file a descriptor, through ntfs-3g.
fn deny(path: &Path, descriptor: &[u8]) {
    let hex: String = descriptor.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = Command::new("setfattr");
    command.args(["-n", "system.ntfs_acl", "-v", &format!("0x{hex}")]).arg(path);
    assert!(command.status().unwrap().success(), "{command:?}");
}
