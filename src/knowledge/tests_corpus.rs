//! The tables against real hives, read with nt-hive. Needs `COLDMEND_CORPUS`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use nt_hive::{Hive, KeyNode, KeyValueDataType};

use super::*;
use crate::security::{account_sid, judge, Descriptor};

/// File below the corpus, build, and the Windows folder of that installation.
const HIVES: &[(&str, u32, &str)] = &[
    ("hives/pypi+dfwinreg/SYSTEM", 2600, r"C:\WINDOWS"),
    ("hives/BitCurator+bcc-dfa-sample-data/registry__SYSTEM", 2600, r"C:\WINDOWS"),
    ("hives/mkorman90+regipy/SYSTEM", 7601, r"C:\Windows"),
    ("hives/fox-it+dissect.regf/SYSTEM", 19044, r"C:\Windows"),
];

/// A value as it lies in the hive: key relative to the service's, name, type, bytes.
struct Found {
    key: String,
    name: String,
    data_type: KeyValueDataType,
    bytes: Vec<u8>,
}

type Node<'h> = KeyNode<'h, &'h [u8]>;

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("COLDMEND_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: COLDMEND_CORPUS is not set, no real hives to compare with");
    }
    folder
}

fn collect(node: &Node<'_>, key: &str, depth: usize, out: &mut Vec<Found>) {
    for value in node.values().into_iter().flat_map(Result::unwrap) {
        let value = value.unwrap();
        out.push(Found {
            key: key.to_owned(),
            name: value.name().unwrap().to_string_lossy(),
            data_type: value.data_type().unwrap(),
            bytes: value.data().unwrap().into_vec().unwrap(),
        });
    }
    if depth == 0 {
        return;
    }
    for child in node.subkeys().into_iter().flat_map(Result::unwrap) {
        let child = child.unwrap();
        let name = child.name().unwrap().to_string_lossy();
        let path = if key.is_empty() { name } else { format!(r"{key}\{name}") };
        collect(&child, &path, depth - 1, out);
    }
}

/// Text without the zeros at its end.
fn text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
    String::from_utf16(&units).unwrap().trim_end_matches('\0').to_owned()
}

fn list(bytes: &[u8]) -> Vec<String> {
    text(bytes).split('\0').filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

struct Service(Vec<Found>);

impl Service {
    fn get(&self, key: &str, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|v| v.key.eq_ignore_ascii_case(key) && v.name.eq_ignore_ascii_case(name))
            .map(|v| v.bytes.as_slice())
    }

    fn dword(&self, name: &str) -> Option<u32> {
        Some(u32::from_le_bytes(self.get("", name)?.try_into().unwrap()))
    }
}

/// Everything in which a real service differs from its row.
fn differences(row: &ServiceRow, found: &Service, root: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut say = |what: &str, is: String| out.push(format!("{}: {what} is {is}", row.service));
    let start = StartType::from_value(found.dword("Start").unwrap()).unwrap();
    if !row.healthy_starts.contains(&start) {
        say("Start", start.to_string());
    }
    let service_type = found.dword("Type").unwrap();
    if row.healthy_types.as_ref().is_some_and(|t| !t.contains(&service_type)) {
        say("Type", format!("{service_type:#x}"));
    }
    let path = text(found.get("", "ImagePath").unwrap());
    let image = ImagePath::parse(&path, Some(root)).unwrap();
    if row.image().is_some_and(|expected| !expected.same_program(&image)) {
        say("ImagePath", path);
    }
    if let Some(files) = &row.service_dll_files {
        let dll = ["Parameters", ""].iter().find_map(|key| found.get(key, "ServiceDll")).map(text).unwrap_or_default();
        let path = windows_path(&dll, Some(root));
        if !files.iter().any(|f| path == format!(r"system32\{f}")) {
            say("ServiceDll", dll);
        }
        let own_key = found.get("", "ServiceDll").is_some();
        if row.service_dll.is_some() && own_key != row.service_dll_key.is_empty() {
            say("ServiceDll's key", format!("own: {own_key}"));
        }
    }
    let account = text(found.get("", "ObjectName").unwrap());
    if let Some(accounts) = &row.accounts {
        if !accounts.iter().any(|a| account_sid(a) == account_sid(&account)) {
            say("ObjectName", account.clone());
        }
    }
    let within = |needed: &Option<Vec<String>>, have: &[String]| {
        needed.iter().flatten().filter(|n| !have.iter().any(|h| h.eq_ignore_ascii_case(n))).cloned().collect::<Vec<_>>()
    };
    let depends = found.get("", "DependOnService").map(list).unwrap_or_default();
    let missing = within(&row.depends_on, &depends);
    if !missing.is_empty() || (row.depends_on_nothing_else && !depends.is_empty()) {
        say("DependOnService", format!("{depends:?}"));
    }
    let privileges = found.get("", "RequiredPrivileges").map(list).unwrap_or_default();
    if !within(&row.privileges, &privileges).is_empty() {
        say("RequiredPrivileges", format!("{privileges:?}"));
    }
    if row.sid_type.is_some() && found.dword("ServiceSidType") != row.sid_type {
        say("ServiceSidType", format!("{:?}", found.dword("ServiceSidType")));
    }
    let triggers: Vec<(u32, u32, String)> = (0..16)
        .filter_map(|n| {
            let key = format!(r"TriggerInfo\{n}");
            let number = |name| Some(u32::from_le_bytes(found.get(&key, name)?.try_into().ok()?));
            let guid = found.get(&key, "GUID")?.iter().map(|b| format!("{b:02x}")).collect();
            Some((number("Type")?, number("Action")?, guid))
        })
        .collect();
    for wanted in row.triggers.iter().flatten() {
        let wanted = (wanted.trigger_type, wanted.action, wanted.guid.clone());
        if !triggers.contains(&wanted) {
            say("TriggerInfo", format!("{triggers:?}"));
        }
    }
    if row.triggers_at_least.is_some_and(|n| triggers.len() < n as usize) {
        say("TriggerInfo", format!("{triggers:?}"));
    }
    match found.get("Security", "Security") {
        None if row.absent_descriptor_is_healthy => {}
        None => say("Security", "absent".to_owned()),
        Some(bytes) if row.opaque_descriptor_lengths.contains(&bytes.len()) => {
            if row.opaque_descriptor.as_deref() != Some(bytes) {
                say("Security", format!("{bytes:?}"));
            }
        }
        Some(bytes) => {
            let descriptor = Descriptor::parse(bytes).unwrap();
            assert_eq!(descriptor.to_bytes(), bytes, "{}", row.service);
            for fault in judge(&descriptor, account_sid(&account).as_ref()) {
                say("Security", fault.to_string());
            }
            let listed = row
                .descriptors
                .iter()
                .flatten()
                .any(|sddl| Descriptor::from_sddl(sddl).unwrap().same_meaning(&descriptor));
            if !listed {
                say("Security", descriptor.to_sddl());
            }
        }
    }
    out
}

/// A definition's value as bytes and type.
fn encode(data: &ValueData) -> (KeyValueDataType, Vec<u8>) {
    let wide = |s: &str| -> Vec<u8> { s.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect() };
    match data {
        ValueData::Dword(n) => (KeyValueDataType::RegDWord, n.to_le_bytes().to_vec()),
        ValueData::String(s) => (KeyValueDataType::RegSZ, wide(s)),
        ValueData::ExpandString(s) => (KeyValueDataType::RegExpandSZ, wide(s)),
        ValueData::MultiString(l) => {
            let mut bytes: Vec<u8> = l.iter().flat_map(|s| wide(s)).collect();
            bytes.extend_from_slice(&[0, 0]);
            if l.is_empty() {
                bytes.truncate(2);
            }
            (KeyValueDataType::RegMultiSZ, bytes)
        }
        ValueData::Binary(b) => (KeyValueDataType::RegBinary, b.clone()),
    }
}

#[test]
fn rows_and_definitions_match_real_hives() {
    let Some(folder) = corpus() else { return };
    let knowledge = Knowledge::builtin();
    let mut compared = 0;
    let mut values = 0;
    for (file, build, root) in HIVES {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let hive = Hive::new(bytes.as_slice()).unwrap();
        let services = hive.root_key_node().unwrap().subpath(r"ControlSet001\Services").unwrap().unwrap();
        for name in knowledge.services() {
            let row = knowledge.service(name, *build, ProductType::Client).unwrap();
            let Some(node) = services.subkey(name).map(Result::unwrap) else {
                assert_ne!(row.presence, Presence::Present, "{file}: {name}");
                assert_eq!(knowledge.definition(name, *build, ProductType::Client), None);
                continue;
            };
            assert_ne!(row.presence, Presence::Absent, "{file}: {name}");
            let mut found = Vec::new();
            collect(&node, "", 2, &mut found);
            let found = Service(found);
            assert_eq!(differences(row, &found, root), Vec::<String>::new(), "{file}");
            compared += 1;

            // A test that cannot fail is none: one broken value each, one difference each.
            let mut broken = Service(Vec::new());
            let mut node_values = Vec::new();
            collect(&node, "", 2, &mut node_values);
            broken.0 = node_values;
            for value in &mut broken.0 {
                if value.key.is_empty() && value.name.eq_ignore_ascii_case("Start") {
                    value.bytes = vec![4, 0, 0, 0];
                }
                if value.key.is_empty() && value.name.eq_ignore_ascii_case("ObjectName") {
                    value.bytes = encode(&ValueData::String(r".\guest".to_owned())).1;
                }
            }
            assert_eq!(differences(row, &broken, root).len(), 2, "{file}: {name}");

            // Every value of the definition is in this hive, or in the other one of the version.
            let definition = knowledge.definition(name, *build, ProductType::Client).unwrap();
            for value in &definition.values {
                let (data_type, data) = encode(&value.data);
                let found = found.0.iter().find(|f| f.key.eq_ignore_ascii_case(&value.key) && f.name == value.name);
                let Some(found) = found else {
                    panic!("{file}: {name} has no {}\\{}", value.key, value.name);
                };
                assert_eq!(found.data_type, data_type, "{file}: {name} {}", value.name);
                values += 1;
                if *build == 2600 && matches!(value.name.as_str(), "Description" | "ObjectName" | "DependOnService") {
                    // The two XP hives spell these differently.
                    continue;
                }
                if found.data_type == KeyValueDataType::RegExpandSZ {
                    let plain = |bytes: &[u8]| windows_path(&text(bytes), Some(root));
                    assert_eq!(plain(&found.bytes), plain(&data), "{file}: {name} {}", value.name);
                } else if found.data_type == KeyValueDataType::RegMultiSZ {
                    assert_eq!(list(&found.bytes), list(&data), "{file}: {name} {}", value.name);
                } else if found.data_type == KeyValueDataType::RegSZ {
                    assert_eq!(text(&found.bytes), text(&data), "{file}: {name} {}", value.name);
                } else {
                    assert_eq!(found.bytes, data, "{file}: {name} {}", value.name);
                }
            }
        }
    }
    eprintln!("{compared} services of {} hives, {values} values of definitions", HIVES.len());
    assert_eq!(compared, 8 + 8 + 12 + 15);
}

#[test]
fn svchost_groups_name_the_services() {
    let Some(folder) = corpus() else { return };
    let bytes = std::fs::read(folder.join("hives/pypi+dfwinreg/SOFTWARE")).unwrap();
    let hive = Hive::new(bytes.as_slice()).unwrap();
    let mut found = Vec::new();
    let key = hive.root_key_node().unwrap().subpath(r"Microsoft\Windows NT\CurrentVersion\Svchost").unwrap().unwrap();
    collect(&key, "", 0, &mut found);
    let groups = Service(found);
    let mut compared = 0;
    for name in Knowledge::builtin().services() {
        let row = Knowledge::builtin().service(name, 7601, ProductType::Client).unwrap();
        let Some(group) = row.svchost_group() else { continue };
        let members = list(groups.get("", &group).unwrap());
        assert!(members.iter().any(|m| m.eq_ignore_ascii_case(name)), "{name} in {group}: {members:?}");
        compared += 1;
    }
    assert_eq!(compared, 9);
}
