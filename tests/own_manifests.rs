//! Component manifests as the installation's own truth, on Windows 7: the one in force decides, what can't be read or is not clear leaves the
//! word to the table, and only damage is told of. The manifests are written from the public description of the format; none was captured.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use coldmend_fixtures::Damage::*;
use coldmend_fixtures::Version::{self, *};
use coldmend_fixtures::VolumeSpec;
use common::hive::set_value;
use common::{broken, coldmend, find, tree};
use serde_json::Value;

const BITS: &str = "microsoft-windows-bits-client";
const CORE: &str = "microsoft-windows-w..wsupdateclient-core";
const WINNERS: &str = "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Winners";

/// A manifest that defines a service with these attributes, in the group netsvcs.
fn manifest(service: &str, attributes: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v3" manifestVersion="1.0" copyright="Copyright (c) Microsoft Corporation. All Rights Reserved.">
  <assemblyIdentity name="Microsoft-Windows-X" version="6.1.7601.17514" processorArchitecture="amd64" language="neutral" buildType="release" publicKeyToken="31bf3856ad364e35" versionScope="nonSxS" />
  <file name="x.dll" destinationPath="$(runtime.system32)\" sourceName="x.dll"><securityDescriptor name="WRP_FILE_DEFAULT_SDDL" /></file>
  <memberships>
    <categoryMembership>
      <id name="Microsoft.Windows.Categories" version="1.0.0.0" publicKeyToken="365143bb27e7ac8b" typeName="SvcHost" />
      <categoryInstance subcategory="netsvcs"><serviceGroup position="last" serviceName="{service}" /></categoryInstance>
    </categoryMembership>
    <categoryMembership>
      <id name="Microsoft.Windows.Categories.Services" version="6.1.7601.17514" publicKeyToken="31bf3856ad364e35" typeName="Service" />
      <categoryInstance subcategory="{service}"><serviceData name="{service}" {attributes}>
        <failureActions resetPeriod="86400"><actions><action delay="60000" type="restartService" /></actions></failureActions>
        <securityDescriptor name="ServiceSecurity" />
      </serviceData></categoryInstance>
    </categoryMembership>
  </memberships>
  <trustInfo><security><accessControl><securityDescriptorDefinitions>
    <securityDescriptorDefinition name="WRP_FILE_DEFAULT_SDDL" sddl="O:SYG:SYD:P(A;;FA;;;SY)" operationHint="replace" />
    <securityDescriptorDefinition name="ServiceSecurity" sddl="D:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)" operationHint="replace" />
  </securityDescriptorDefinitions></accessControl></security></trustInfo>
</assembly>
"#
    )
}

/// Asks for a privilege that nothing else asks for, so that it shows who is believed.
fn asking_for(service: &str, privilege: &str) -> String {
    manifest(service, &format!(r#"start="demand" requiredPrivileges="{privilege}""#))
}

fn file_name(component: &str, version: &str) -> String {
    format!("amd64_{component}_31bf3856ad364e35_{version}_none_0123456789abcdef.manifest")
}

fn put(root: &Path, component: &str, version: &str, text: impl AsRef<[u8]>) {
    fs::write(find(root, "Windows/WinSxS/Manifests").join(file_name(component, version)), text).unwrap();
}

/// The version in force, as a real hive of 7 has it.
fn win(root: &Path, component: &str, version: &str) {
    let branch: Vec<&str> = version.splitn(3, '.').take(2).collect();
    let branch = branch.join(".");
    let key = format!("{WINNERS}\\amd64_{component}_31bf3856ad364e35_none_1f964604deb046fe");
    let wide = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    set_value(root, "SOFTWARE", &key, "", 1, &wide(&branch));
    set_value(root, "SOFTWARE", &format!("{key}\\{branch}"), "", 1, &wide(version));
    set_value(root, "SOFTWARE", &format!("{key}\\{branch}"), version, 3, &[1]);
}

fn diagnose(root: &Path) -> Value {
    let before = tree(root);
    let json = coldmend("diagnose --format json", root).json();
    assert!(before == tree(root), "something was written");
    json
}

/// The privileges that are missed, with the source of that, and what could not be checked.
fn said(root: &Path) -> (Vec<(String, String)>, Vec<String>) {
    let json = diagnose(root);
    let findings = json["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "service-privileges");
    let text = |f: &Value, field: &str| f[field].as_str().unwrap().to_owned();
    let missed =
        findings.map(|f| (text(f, "title").rsplit_once(": ").unwrap().1.to_owned(), text(f, "source"))).collect();
    let unchecked = json["could_not_check"].as_array().unwrap().iter().map(|c| text(c, "why")).collect();
    (missed, unchecked)
}

/// Who is believed: the manifest of this version, which asks for this.
#[track_caller]
fn believed(root: &Path, privilege: &str, component: &str, version: &str) {
    let (missed, unchecked) = said(root);
    assert_eq!(unchecked, [""; 0]);
    let [(found, source)] = missed.as_slice() else { panic!("{missed:?}") };
    assert_eq!(found, privilege);
    let file = file_name(component, version);
    assert_eq!(*source, format!("this installation's own Windows\\WinSxS\\Manifests\\{file}"));
}

/// The table is believed, which has nothing against a healthy volume.
#[track_caller]
fn not_believed(root: &Path) {
    let (missed, unchecked) = said(root);
    assert_eq!((missed, unchecked), (vec![], vec![]));
}

#[test]
fn the_version_in_force_decides() {
    let volume = broken(Seven, &[]);
    let root = volume.path();
    put(root, BITS, "6.1.7601.17514", asking_for("BITS", "SeAPrivilege"));
    believed(root, "SeAPrivilege", BITS, "6.1.7601.17514");
    // Two that do not agree: nobody knows which.
    put(root, BITS, "6.1.7601.22000", asking_for("BITS", "SeBPrivilege"));
    not_believed(root);
    win(root, BITS, "6.1.7601.17514");
    believed(root, "SeAPrivilege", BITS, "6.1.7601.17514");
    win(root, BITS, "6.1.7601.22000");
    believed(root, "SeBPrivilege", BITS, "6.1.7601.22000");
    // The one in force is not there.
    win(root, BITS, "6.1.7601.23000");
    not_believed(root);
}

#[test]
fn several_that_agree_are_believed() {
    let volume = broken(Seven, &[]);
    for version in ["6.1.7600.16385", "6.1.7601.17514"] {
        put(volume.path(), BITS, version, asking_for("BITS", "SeAPrivilege"));
    }
    believed(volume.path(), "SeAPrivilege", BITS, "6.1.7600.16385");
}

#[test]
fn the_update_agent_has_branches_of_its_own() {
    let volume = broken(Seven, &[]);
    let root = volume.path();
    put(root, CORE, "7.3.7600.16385", asking_for("wuauserv", "SeOldPrivilege"));
    put(root, CORE, "7.5.7601.17514", asking_for("wuauserv", "SeNewPrivilege"));
    win(root, CORE, "7.3.7600.16385");
    win(root, CORE, "7.5.7601.17514");
    believed(root, "SeNewPrivilege", CORE, "7.5.7601.17514");
}

#[test]
fn the_server_of_the_same_build_reads_them_as_well_and_eight_does_not() {
    for (version, is_read) in [(Server2008R2, true), (Vista, true), (Eight, false), (Ten22H2, false)] {
        let volume = broken(version, &[]);
        put(volume.path(), BITS, "6.1.7601.17514", asking_for("BITS", "SeAPrivilege"));
        if is_read {
            believed(volume.path(), "SeAPrivilege", BITS, "6.1.7601.17514");
        } else {
            not_believed(volume.path());
        }
    }
}

#[test]
fn a_healthy_volume_with_healthy_manifests_is_healthy() {
    let volume = broken(Seven, &[]);
    let root = volume.path();
    let before = diagnose(root);
    put(
        root,
        BITS,
        "6.1.7601.17514",
        manifest(
            "BITS",
            r#"start="delayedAuto" type="win32ShareProcess" errorControl="normal" imagePath="$(runtime.system32)\svchost.exe -k netsvcs" objectName="LocalSystem" dependOnService="RpcSs,EventSystem" sidType="unrestricted""#,
        ),
    );
    put(
        root,
        CORE,
        "7.5.7601.17514",
        manifest(
            "wuauserv",
            r#"start="delayedAuto" type="win32ShareProcess" errorControl="normal" imagePath="%systemroot%\system32\svchost.exe -k netsvcs" objectName="LocalSystem" dependOnService="rpcss" sidType="unrestricted""#,
        ),
    );
    win(root, BITS, "6.1.7601.17514");
    win(root, CORE, "7.5.7601.17514");
    let after = diagnose(root);
    assert_eq!(after["findings"], before["findings"]);
    assert_eq!(after["could_not_check"], before["could_not_check"]);
}

#[test]
fn every_field_of_a_manifest_is_used() {
    let damages = [
        DisableService("BITS".into()),
        WrongImagePath("BITS".into()),
        WrongAccount("BITS".into()),
        EmptyDacl("BITS".into()),
    ];
    let volume = broken(Seven, &damages);
    let root = volume.path();
    put(
        root,
        BITS,
        "6.1.7601.17514",
        manifest(
            "BITS",
            r#"start="demand" type="win32ShareProcess" imagePath="$(runtime.system32)\svchost.exe -k netsvcs" objectName="LocalSystem" dependOnService="RpcSs""#,
        ),
    );
    let json = diagnose(root);
    let mut sources = std::collections::BTreeMap::new();
    for finding in json["findings"].as_array().unwrap().iter().filter(|f| f["subject"] == "BITS") {
        sources.insert(finding["id"].as_str().unwrap(), finding["source"].as_str().unwrap());
        if finding["id"] == "service-image-path" {
            let expected = finding["evidence"][0]["expected"].as_str().unwrap();
            assert_eq!(expected, "\"%SystemRoot%\\System32\\svchost.exe -k netsvcs\"");
        }
    }
    for id in ["service-start", "service-image-path", "service-account", "service-descriptor"] {
        assert!(sources[id].contains("WinSxS\\Manifests"), "{id}: {sources:?}");
    }
}

#[test]
fn what_is_not_understood_leaves_the_word_to_the_table() {
    let sound = asking_for("BITS", "SeAPrivilege");
    let silent: [Vec<u8>; 6] = [
        [b"DCM\x01PA30".as_slice(), &[7; 200]].concat(),
        sound.replace("demand", "whenever").into_bytes(),
        sound.replace("D:(A;;CC", "D:(A;;??").into_bytes(),
        sound.replace("serviceData", "otherData").into_bytes(),
        // Another service's definition under this component's name.
        asking_for("Themes", "SeAPrivilege").into_bytes(),
        asking_for("wuauserv", "SeAPrivilege").into_bytes(),
    ];
    let volume = broken(Seven, &[]);
    for bytes in silent {
        put(volume.path(), BITS, "6.1.7601.17514", &bytes);
        not_believed(volume.path());
    }
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let damaged: [Vec<u8>; 6] = [
        sound.as_bytes()[..sound.len() / 2].to_vec(),
        Vec::new(),
        vec![0xFF; 300],
        sound.replace("<assembly ", "<!DOCTYPE a [<!ENTITY e 'x'>]><assembly ").into_bytes(),
        deep.into_bytes(),
        vec![b' '; (1 << 20) + 1],
    ];
    for bytes in damaged {
        put(volume.path(), BITS, "6.1.7601.17514", &bytes);
        let (missed, unchecked) = said(volume.path());
        assert_eq!(missed, []);
        assert!(
            unchecked.len() == 1 && unchecked[0].contains(BITS) && unchecked[0].contains("the table is used"),
            "{unchecked:?}"
        );
    }
}

#[test]
fn a_hostile_store_is_bounded() {
    let volume = broken(Seven, &[]);
    let root = volume.path();
    for number in 0..200 {
        put(root, BITS, &format!("6.1.7601.{number}"), asking_for("BITS", "SeAPrivilege"));
    }
    let (missed, unchecked) = said(root);
    assert_eq!(missed, []);
    assert!(unchecked.len() == 1 && unchecked[0].contains("64 manifests"), "{unchecked:?}");
    // A link in a manifest's place is followed nowhere.
    let volume = broken(Version::Seven, &[]);
    let manifests = find(volume.path(), "Windows/WinSxS/Manifests");
    std::os::unix::fs::symlink("/etc/passwd", manifests.join(file_name(BITS, "6.1.7601.17514"))).unwrap();
    not_believed(volume.path());
}

/// The installation's own word holds on a build that no table knows, too.
#[test]
fn on_an_unknown_build_the_installation_still_speaks() {
    let spec = VolumeSpec { ballast_keys: 5, waas_xml: true, ..VolumeSpec::new(Version::Ten22H2) };
    let volume = common::volume(&spec);
    let root = volume.path();
    let text: Vec<u8> = "28888\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for name in ["CurrentBuildNumber", "CurrentBuild"] {
        common::hive::set_value(root, "SOFTWARE", "Microsoft\\Windows NT\\CurrentVersion", name, 1, &text);
    }
    let found = coldmend("diagnose --format json", root).expect(0).json();
    assert!(found["findings"].as_array().unwrap().iter().all(|f| f["severity"] == "note"), "{found:#}");
    let wuauserv = "ControlSet001\\Services\\wuauserv";
    // Automatic is as healthy as manual; disabled is not. BITS is not in that file, and nobody speaks for it.
    common::hive::set_value(root, "SYSTEM", wuauserv, "Start", 4, &2u32.to_le_bytes());
    common::hive::set_value(root, "SYSTEM", "ControlSet001\\Services\\BITS", "Start", 4, &4u32.to_le_bytes());
    coldmend("diagnose", root).expect(0);
    common::hive::set_value(root, "SYSTEM", wuauserv, "Start", 4, &4u32.to_le_bytes());
    let found = coldmend("diagnose --format json", root).expect(1).json();
    let alarms: Vec<_> = found["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note").collect();
    assert_eq!(alarms.len(), 1, "{alarms:#?}");
    assert_eq!((&alarms[0]["id"], &alarms[0]["subject"]), (&"service-start".into(), &"wuauserv".into()));
    assert!(alarms[0]["source"].as_str().unwrap().contains("this installation's own"), "{alarms:#?}");
    coldmend("repair --yes", root).expect(0);
    coldmend("diagnose", root).expect(0);
}
