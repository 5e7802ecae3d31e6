//! `package-state` and `driver-operations`: stuck packages, states and operations that servicing can't read; and what looks like them and
//! is healthy.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use coldmend_fixtures::Version::{self, *};
use common::diagnosis::expect;
use common::inject::{has_hivexregedit, merge};

const CBS: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
const NAME: &str = "Package_for_KB5034203~31bf3856ad364e35~amd64~~19041.3930.1.0";
const SINCE_VISTA: &[Version] = &[Vista, Seven, EightOne, Server2016, Ten22H2, Eleven24H2];

fn software(root: &Path, text: &str) {
    merge(root, "SOFTWARE", text);
}

/// A package with its files, so that only its state is out of the way.
fn package(root: &Path, name: &str, state: &str) {
    software(root, &format!("[\\{CBS}\\Packages\\{name}]\n\"CurrentState\"={state}\n"));
    for ending in ["mum", "cat"] {
        std::fs::write(common::find(root, "Windows/servicing/Packages").join(format!("{name}.{ending}")), b"x")
            .unwrap();
    }
}

#[test]
fn a_package_that_nothing_will_finish_is_stuck() {
    if !has_hivexregedit("a_package_that_nothing_will_finish_is_stuck") {
        return;
    }
    let found = format!("suspect package-state {NAME}");
    let command = format!("DISM /Image:DRIVE:\\ /Remove-Package /PackageName:{NAME}");
    expect(SINCE_VISTA, &|r| package(r, NAME, "dword:00000060"), &[&found], &command);
    expect(&[Seven, Ten22H2], &|r| package(r, NAME, "dword:00000005"), &[&found], "uninstall-pending");
    // In company of what waits it is no more than a part of that.
    let waiting = |r: &Path| {
        package(r, NAME, "dword:00000060");
        software(r, &format!("[\\{CBS}\\RebootPending]\n"));
    };
    let wanted = [format!("note package-state {NAME}"), "note pending-servicing servicing".to_owned()];
    expect(&[Seven, Ten22H2], &waiting, &[&wanted[0], &wanted[1]], "with the rest");
    let restart = |r: &Path| {
        package(r, NAME, "dword:00000060");
        software(r, "[\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired]\n");
    };
    expect(&[Ten22H2], &restart, &[&wanted[0], &wanted[1]], "");
    // Other states are healthy.
    for state in ["00000070", "00000050", "00000040", "00000020", "00000000"] {
        expect(&[Ten22H2], &|r| package(r, NAME, &format!("dword:{state}")), &[], "");
    }
    // No command is made of a name that somebody made up.
    let hostile =
        |r: &Path| software(r, &format!("[\\{CBS}\\Packages\\a & format c:]\n\"CurrentState\"=dword:00000060\n"));
    let wanted = ["suspect package-state a & format c:", "suspect package-files a & format c:.mum"];
    expect(&[Ten22H2], &hostile, &wanted, "a state that is not pending");
}

#[test]
fn a_state_that_is_no_number_is_found() {
    if !has_hivexregedit("a_state_that_is_no_number_is_found") {
        return;
    }
    let found = format!("suspect package-state {NAME}");
    expect(SINCE_VISTA, &|r| package(r, NAME, "\"112\""), &[&found], "0x8007000D");
    expect(&[Seven, Ten22H2], &|r| package(r, NAME, "hex(b):70,00,00,00,00,00,00,00"), &[&found], "REG_DWORD");

    // As 7 has them: all texts. As 10 has them: all numbers. And one that is not like the others.
    let detect = |ordinary: &str, odd: &str| {
        let values: String = (0..40).map(|n| format!("\"Package_{n}_for_KB5001347\"={ordinary}\n")).collect();
        format!("[\\{CBS}\\ComponentDetect\\amd64_a_0.0.0.0_none_1]\n{values}{odd}\n")
    };
    let text = "\"6.1.7601.17514@4\"";
    let odd = "\"Package_7762_for_KB5001347\"=\"x\"";
    for version in [Seven, Ten22H2] {
        expect(&[version], &|r| software(r, &detect(text, "")), &[], "");
        expect(&[version], &|r| software(r, &detect("dword:00000004", "")), &[], "");
    }
    let wanted = ["suspect package-state amd64_a_0.0.0.0_none_1"];
    expect(
        &[Server2016, Ten22H2, Eleven24H2],
        &|r| software(r, &detect("dword:00000004", odd)),
        &wanted,
        "Package_7762_for_KB5001347",
    );
    expect(&[Seven, EightOne], &|r| software(r, &detect("dword:00000004", odd)), &[], "");
    expect(&[Ten22H2], &|r| software(r, &detect(text, odd)), &[], "");
}

#[test]
fn driver_operations() {
    if !has_hivexregedit("driver_operations") {
        return;
    }
    let whole = "\"Identity\"=\"dual_vmxnet3.inf\"\n\"Inf\"=\"vmxnet3.inf\"\n\"Arch\"=dword:00000009\n";
    let operations = |broken: &str| {
        format!("[\\{CBS}\\DriverOperations\\1]\n\n[\\{CBS}\\DriverOperations\\1\\1714]\n{whole}\n[\\{CBS}\\DriverOperations\\1\\1715]\n{broken}\n")
    };
    expect(&[Vista, Seven, Ten22H2, Eleven24H2], &|r| software(r, &operations(whole)), &[], "");
    let wanted = ["suspect driver-operations DriverOperations\\1"];
    for (broken, words) in [
        ("\"Inf\"=\"vmxnet3.inf\"\n\"Arch\"=dword:00000009\n", "1715\\Identity"),
        ("\"Identity\"=\"a\"\n\"Inf\"=\"vmxnet3.inf\"\n", "1715\\Arch"),
    ] {
        expect(&[Vista, Seven, Ten22H2, Eleven24H2], &|r| software(r, &operations(broken)), &wanted, words);
    }
}
