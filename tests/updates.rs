//! `coldmend updates`: what an installation lists, on volumes whose list was written by hivexsh (not ours), and on a real SOFTWARE hive.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use coldmend_fixtures::Version;
use common::{broken, coldmend, find, tree};
use serde_json::Value;

const PACKAGES: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages";

/// Runs hivexsh's commands on a volume's SOFTWARE; `false` if it is not installed.
fn hivexsh(root: &Path, script: &str) -> bool {
    let hive = find(root, "Windows/System32/config/SOFTWARE");
    let shell = Command::new("hivexsh").arg("-w").arg(&hive).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut shell) = shell else { return false };
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let done = shell.wait_with_output().unwrap();
    assert!(done.status.success(), "hivexsh: {}", String::from_utf8_lossy(&done.stderr));
    true
}

/// The commands that make `path` and go there.
fn make(root: &Path, path: &str) -> String {
    let software = common::hive::recovered(root, "SOFTWARE").unwrap();
    let mut script = "cd \\\n".to_owned();
    let mut so_far = String::new();
    for name in path.split('\\') {
        so_far = if so_far.is_empty() { name.to_owned() } else { format!("{so_far}\\{name}") };
        if software.find_key(&so_far).unwrap().is_none() {
            script += &format!("add {name}\n");
        }
        script += &format!("cd {name}\n");
    }
    script
}

fn package(identity: &str, state: u32, visible: u32, client: &str) -> String {
    format!(
        "add {identity}\ncd {identity}\nsetval 5\nCurrentState\ndword:{state:#x}\nVisibility\ndword:{visible}\n\
         InstallClient\nstring:{client}\nInstallTimeHigh\ndword:0x01cc6ec0\nInstallTimeLow\ndword:0xc6be06e3\ncd ..\n"
    )
}

fn updates(words: &str, root: &Path) -> Vec<Value> {
    coldmend(&format!("updates --format json {words}"), root).expect(0).json()["updates"].as_array().unwrap().clone()
}

fn states(updates: &[Value]) -> Vec<(&str, &str)> {
    updates.iter().map(|u| (u["name"].as_str().unwrap(), u["state"].as_str().unwrap())).collect()
}

#[test]
fn packages_of_servicing_are_listed_with_their_state() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    let mut script = make(root, PACKAGES);
    script += &package("Package_for_KB5031356~31bf3856ad364e35~amd64~~10.0.1.2", 0x70, 1, "WindowsUpdateAgent");
    script += &package("Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.3570.1.2", 0x60, 2, "UpdateAgentLCU");
    script += &package("Package_for_KB4000000~31bf3856ad364e35~amd64~~10.0.1.0", 0x50, 2, "WindowsUpdateAgent");
    script += &package("Package_for_KB4000001~31bf3856ad364e35~amd64~~10.0.1.0", 0x40, 2, "DISM");
    script += &package("Package_7_for_KB4000001~31bf3856ad364e35~amd64~~10.0.1.0", 0x70, 2, "DISM");
    script += &package("Windows-Feature~31bf3856ad364e35~amd64~~10.0.1.0", 0x70, 2, "DISM");
    script += &package("Windows-Odd", 0x63, 2, "DISM");
    script += "commit\nquit\n";
    if !hivexsh(root, &script) {
        return common::skip("packages_of_servicing_are_listed_with_their_state", "hivexsh is not installed");
    }
    let before = tree(root);
    let found = updates("", root);
    assert_eq!(
        states(&found),
        [
            ("Package_for_KB4000000", "superseded"),
            ("Package_for_KB4000001", "staged"),
            ("Package_for_KB5031356", "installed"),
            ("Package_for_RollupFix", "install-pending"),
            ("Package_for_RollupFix", "installed"), // the volume's own
        ]
    );
    assert_eq!(found[2]["kb"], "KB5031356");
    assert_eq!(found[2]["version"], "10.0.1.2");
    assert_eq!(found[2]["installed"], "2011-09-09T07:19:13Z");
    assert_eq!(found[2]["client"], "WindowsUpdateAgent");
    let all = updates("--all", root);
    assert_eq!(all.len(), 8);
    assert!(states(&all).contains(&("Windows-Odd", "state 0x63")));
    let text = coldmend("updates", root).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[2].contains("install-pending"), "what is pending comes first: {text}");
    assert!(
        text.contains("1 install-pending, 2 installed, 1 staged, 1 superseded; --all shows 3 more packages."),
        "{text}"
    );
    assert_eq!(tree(root), before, "looking wrote something");
}

#[test]
fn hotfixes_of_xp_are_listed_once() {
    let volume = broken(Version::Xp, &[]);
    let root = volume.path();
    let mut script = make(root, "Microsoft\\Updates\\Windows XP\\SP4\\KB979687");
    script +=
        "setval 3\nDescription\nstring:Security Update for Windows XP (KB979687)\nInstalledDate\nstring:11/3/2010\n";
    script += "InstalledBy\nstring:Administrator\n";
    script += &make(root, "Microsoft\\Windows NT\\CurrentVersion\\HotFix\\KB979687");
    script +=
        "setval 1\nInstalled\ndword:1\ncd ..\nadd Q147222\ncd Q147222\nsetval 1\nInstalled\ndword:0\ncommit\nquit\n";
    if !hivexsh(root, &script) {
        return common::skip("hotfixes_of_xp_are_listed_once", "hivexsh is not installed");
    }
    let found = updates("", root);
    assert_eq!(states(&found), [("KB979687", "installed"), ("Q147222", "unknown")]);
    assert_eq!(found[0]["installed"], "11/3/2010");
    assert_eq!(found[0]["description"], "Security Update for Windows XP (KB979687)");
    assert_eq!(found[0]["client"], "Administrator");
}

#[test]
fn an_installation_without_a_list_has_none() {
    let volume = broken(Version::Xp, &[]);
    assert!(updates("--all", volume.path()).is_empty());
    assert!(coldmend("updates", volume.path()).expect(0).stdout.contains("No updates."));
}

#[test]
fn a_real_list() {
    let Some(corpus) = std::env::var_os("COLDMEND_CORPUS") else {
        println!("skipped: the list of a real 7 SP1 needs COLDMEND_CORPUS");
        return;
    };
    let hive = std::fs::read(Path::new(&corpus).join("hives/pypi+dfwinreg/SOFTWARE")).unwrap();
    let mut spec = coldmend_fixtures::VolumeSpec::new(Version::Seven);
    spec.software_hive = Some(hive);
    let volume = common::volume(&spec);
    let all = updates("--all", volume.path());
    // Counted with another reader.
    let count = |state: &str| all.iter().filter(|u| u["state"] == state).count();
    assert_eq!((all.len(), count("installed"), count("superseded"), count("staged")), (1034, 524, 507, 3));
    assert_eq!(all.iter().filter(|u| u["listed"] == true).count(), 148);
    let service_pack: Vec<_> = all.iter().filter(|u| u["kb"] == "KB976932" && u["listed"] == true).collect();
    println!("{} updates, service pack: {service_pack:?}", updates("", volume.path()).len());
    assert!(all.iter().all(|u| u["installed"].as_str().is_none_or(|t| t.starts_with("20") && t.ends_with('Z'))));
}
