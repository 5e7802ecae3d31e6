//! Tests of the tables: complete, without contradiction, and in agreement with each other.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::security::{account_sid, Descriptor};

const BOTH: [ProductType; 2] = [ProductType::Client, ProductType::Server];

#[test]
fn tables_parse_and_services_are_listed() {
    let knowledge = Knowledge::load().unwrap();
    let mut in_rows: Vec<&str> = knowledge.rows.iter().map(|r| r.service.as_str()).collect();
    in_rows.dedup();
    assert_eq!(in_rows, knowledge.services());
    assert!(!knowledge.table_version().is_empty());
}

#[test]
fn no_gaps_and_no_overlaps() {
    let knowledge = Knowledge::builtin();
    let known = knowledge.known_builds();
    assert!(known.len() > 40, "{}", known.len());
    for service in knowledge.services() {
        for &(build, product) in &known {
            let rows = knowledge
                .rows()
                .iter()
                .filter(|r| r.service == *service && r.builds.contains(build) && r.product.covers(product))
                .count();
            assert_eq!(rows, 1, "{service} {build} {product:?}");
            assert!(knowledge.service(&service.to_uppercase(), build, product).is_some());
        }
        for row in knowledge.rows().iter().filter(|r| r.service == *service) {
            assert!(
                known.iter().any(|(b, p)| row.builds.contains(*b) && row.product.covers(*p)),
                "{service} {} is about no build",
                row.builds
            );
        }
    }
}

#[test]
fn unknown_builds_have_no_row() {
    let knowledge = Knowledge::builtin();
    for (build, product) in [
        (0, ProductType::Client),
        (2195, ProductType::Client),
        (2600, ProductType::Server),
        (10240, ProductType::Server),
        (18999, ProductType::Client),
        (20348, ProductType::Client),
        (26201, ProductType::Client),
        (28000, ProductType::Client),
        (u32::MAX, ProductType::Server),
    ] {
        assert_eq!(knowledge.edition(build, product), None, "{build}");
        assert_eq!(knowledge.service("wuauserv", build, product), None, "{build}");
        assert_eq!(knowledge.definition("wuauserv", build, product), None, "{build}");
    }
    assert_eq!(knowledge.service("Spooler", 19045, ProductType::Client), None);
    assert_eq!(knowledge.edition(19045, ProductType::Client), Some("Windows 10 22H2"));
    assert_eq!(knowledge.edition(17763, ProductType::Server), Some("Windows Server 2019"));
}

#[test]
fn rows_are_consistent() {
    for row in Knowledge::builtin().rows() {
        let at = format!("{} {} {:?}", row.service, row.builds, row.product);
        assert!(row.source.len() > 10, "{at}");
        if row.presence == Presence::Absent {
            assert!(row.start.is_none() && row.healthy_starts.is_empty(), "{at}");
            assert!(row.image_path.is_none() && row.descriptors.is_none(), "{at}");
            continue;
        }
        let start = row.start.unwrap_or_else(|| panic!("{at}: no start type to write"));
        assert!(row.healthy_starts.contains(&start.start), "{at}");
        for unhealthy in [StartType::Disabled, StartType::Boot, StartType::System] {
            assert!(!row.healthy_starts.contains(&unhealthy), "{at}");
        }
        assert_eq!(row.auto_while_pending, row.service == "TrustedInstaller", "{at}");
        assert_eq!(row.security_key_is_shared, row.service == "EventLog", "{at}");
        for account in row.accounts.iter().flatten() {
            assert!(account_sid(account).is_some(), "{at}: {account}");
        }
        if let Some(path) = &row.image_path {
            let image = row.image().unwrap();
            let known = [
                r"system32\svchost.exe",
                r"system32\msiexec.exe",
                r"system32\sppsvc.exe",
                r"system32\services.exe",
                r"servicing\trustedinstaller.exe",
            ];
            assert!(known.contains(&image.executable.as_str()), "{at}: {path}");
            assert_eq!(image.svchost_group.is_some(), image.executable.ends_with("svchost.exe"), "{at}: {path}");
            // svchost knows -p from 1709 on.
            assert!(!image.mitigations || row.builds.first >= 16299, "{at}");
        }
        if let (Some(dll), Some(files)) = (&row.service_dll, &row.service_dll_files) {
            let path = windows_path(dll, None);
            let file = path.strip_prefix(r"system32\").unwrap_or_else(|| panic!("{at}: {path}"));
            assert!(files.iter().any(|f| f == file), "{at}: {path}");
        }
        let within = |needed: &Option<Vec<String>>, whole: &Option<Vec<String>>, what: &str| {
            if let (Some(needed), Some(whole)) = (needed, whole) {
                for item in needed {
                    assert!(whole.iter().any(|w| w.eq_ignore_ascii_case(item)), "{at}: {what} {item}");
                }
            }
        };
        within(&row.depends_on, &row.depends_default, "dependency");
        within(&row.privileges, &row.privileges_default, "privilege");
        for privilege in row.privileges.iter().chain(&row.privileges_default).flatten() {
            assert!(privilege.starts_with("Se") && privilege.ends_with("Privilege"), "{at}: {privilege}");
        }
        assert!(
            row.descriptors.is_some() || row.absent_descriptor_is_healthy || !row.opaque_descriptor_lengths.is_empty(),
            "{at}: nothing to repair a descriptor with"
        );
        if let Some(first) = row.descriptors.iter().flatten().next() {
            assert_eq!(row.default_descriptor().unwrap().to_sddl(), *first, "{at}");
        }
    }
}

/// The values that design and survey name.
#[test]
fn known_values() {
    let knowledge = Knowledge::builtin();
    let row = |name, build, product| knowledge.service(name, build, product).unwrap();
    for product in BOTH {
        // BITS and DoSvc switch themselves, on every build and product.
        for (build, p) in knowledge.known_builds() {
            if p != product {
                continue;
            }
            for name in ["BITS", "DoSvc"] {
                let row = row(name, build, product);
                if row.presence != Presence::Absent {
                    assert_eq!(row.healthy_starts, [StartType::Auto, StartType::Demand]);
                    assert_eq!(row.start.unwrap().delayed, None);
                }
            }
            // How-to documents set it to automatic; from 8 on manual is the default.
            let wu = row("wuauserv", build, product);
            assert!(wu.healthy_starts.contains(&StartType::Auto), "{build}");
            if build >= 9200 {
                assert_eq!(wu.start.unwrap().start, StartType::Demand, "{build}");
            }
            let crypt = row("CryptSvc", build, product);
            assert_eq!(crypt.healthy_types.as_deref(), Some([0x10, 0x20].as_slice()), "{build}");
        }
    }
    let client = |name, build| row(name, build, ProductType::Client);
    assert_eq!(client("wuauserv", 7601).start, Some(StartDefault { start: StartType::Auto, delayed: Some(true) }));
    assert_eq!(client("CryptSvc", 2600).opaque_descriptor.as_deref(), Some([0, 0, 0x0E, 0, 1].as_slice()));
    assert_eq!(client("CryptSvc", 7601).opaque_descriptor_lengths, [5]);
    assert!(client("CryptSvc", 19045).opaque_descriptor_lengths.is_empty());
    assert!(client("msiserver", 7601).absent_descriptor_is_healthy);
    assert!(client("UsoSvc", 16299).absent_descriptor_is_healthy);
    assert_eq!(client("UsoSvc", 9600).presence, Presence::Absent);
    assert_eq!(client("sppsvc", 6002).presence, Presence::Absent);
    assert_eq!(client("WaaSMedicSvc", 16299).presence, Presence::Unknown);
    assert_eq!(row("DoSvc", 14393, ProductType::Server).presence, Presence::Unknown);
    assert!(client("DoSvc", 22000).descriptors.as_ref().unwrap()[0].contains("(A;;DCWPRC;;;S-1-5-80-"));
    assert!(client("TrustedInstaller", 19045).depends_on_nothing_else);
}

#[test]
fn start_types() {
    for value in 0..5 {
        assert_eq!(StartType::from_value(value).unwrap().value(), value);
    }
    assert_eq!(StartType::from_value(5), None);
    assert_eq!(StartType::Disabled.to_string(), "4 (disabled)");
    assert_eq!(StartType::Demand.to_string(), "3 (manual)");
    assert_eq!(ProductType::from_registry("WinNT"), Some(ProductType::Client));
    assert_eq!(ProductType::from_registry("LanmanNT"), Some(ProductType::Server));
    assert_eq!(ProductType::from_registry("x"), None);
}

#[test]
fn definitions_agree_with_rows() {
    let knowledge = Knowledge::builtin();
    let mut seen = BTreeSet::new();
    for (build, product) in knowledge.known_builds() {
        for name in knowledge.services() {
            let Some(definition) = knowledge.definition(name, build, product) else {
                continue;
            };
            seen.insert((definition.service.to_lowercase(), definition.builds.first));
            let row = knowledge.service(name, build, product).unwrap();
            let at = format!("{name} {build}");
            assert!(row.presence != Presence::Absent, "{at}");
            assert!(!definition.source.is_empty());
            let dword = |name: &str| match definition.value("", name) {
                Some(ValueData::Dword(number)) => Some(*number),
                None => None,
                other => panic!("{at}: {name} is {other:?}"),
            };
            let start = StartType::from_value(dword("Start").unwrap()).unwrap();
            assert!(row.healthy_starts.contains(&start), "{at}: {start}");
            assert!(row.healthy_types.as_ref().unwrap().contains(&dword("Type").unwrap()), "{at}");
            if let Some(sid_type) = row.sid_type {
                assert_eq!(dword("ServiceSidType"), Some(sid_type), "{at}");
            }
            let Some(ValueData::ExpandString(path)) = definition.value("", "ImagePath") else {
                panic!("{at}: ImagePath");
            };
            if let Some(expected) = row.image() {
                assert!(ImagePath::parse(path, None).unwrap().same_program(&expected), "{at}: {path}");
            }
            let Some(ValueData::String(account)) = definition.value("", "ObjectName") else {
                panic!("{at}: ObjectName");
            };
            if let Some(accounts) = &row.accounts {
                assert!(accounts.iter().any(|a| account_sid(a) == account_sid(account)), "{at}: {account}");
            }
            for value in &definition.values {
                assert!(!value.name.is_empty() && !value.key.starts_with('\\'), "{at}: {value:?}");
                if let ValueData::String(s) | ValueData::ExpandString(s) = &value.data {
                    assert!(!s.to_lowercase().contains(r"c:\"), "{at}: {s}");
                }
                if value.name.eq_ignore_ascii_case("Security") {
                    let ValueData::Binary(bytes) = &value.data else {
                        panic!("{at}: {value:?}");
                    };
                    if row.opaque_descriptor.as_ref() == Some(bytes) {
                        continue;
                    }
                    let found = Descriptor::parse(bytes).unwrap();
                    assert!(
                        row.descriptors
                            .iter()
                            .flatten()
                            .any(|sddl| { Descriptor::from_sddl(sddl).unwrap().same_meaning(&found) }),
                        "{at}: {}",
                        found.to_sddl()
                    );
                }
            }
        }
    }
    // XP has eight of the services, 7 twelve, 10 fifteen.
    let mut per_build: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, first) in &seen {
        *per_build.entry(*first).or_default() += 1;
    }
    assert_eq!(per_build.into_iter().collect::<Vec<_>>(), [(2600, 8), (7600, 12), (18362, 15)]);
}

#[test]
fn explanations_are_complete() {
    let knowledge = Knowledge::builtin();
    let ids = |kind| -> Vec<&str> {
        knowledge.explanations().iter().filter(|e| e.kind == kind).map(|e| e.id.as_str()).collect()
    };
    assert_eq!(
        ids(ExplanationKind::Remedy),
        [
            "services-start",
            "services-config",
            "services-security",
            "pending-renames",
            "update-cache",
            "catalog-cache",
            "bits-queue",
            "os-upgrade"
        ]
    );
    // That each check has its record, and each record its check, is tested beside the checks.
    let mut checks = ids(ExplanationKind::Check);
    let count = checks.len();
    checks.sort_unstable();
    checks.dedup();
    assert_eq!(checks.len(), count, "a check twice: {checks:?}");
    assert!(count > 40, "only {count} checks");
    for e in knowledge.explanations() {
        for text in [&e.title, &e.what, &e.why, &e.windows, &e.source] {
            assert!(text.len() > 2, "{}", e.id);
        }
        assert_eq!(e.kind == ExplanationKind::Remedy, e.on_by_default.is_some(), "{}", e.id);
        if let Some(remedy) = &e.remedy {
            assert!(ids(ExplanationKind::Remedy).contains(&remedy.as_str()), "{}", e.id);
        }
    }
    assert_eq!(knowledge.explain("os-upgrade").map(|e| e.on_by_default), Some(Some(false)));
    assert_eq!(knowledge.explain("nonsense"), None);
}

#[test]
fn the_seed_documents_strings_are_there() {
    let wrong = Knowledge::builtin().wrong_descriptors();
    for id in ["seed-003-bits", "seed-003-wuauserv"] {
        let row = wrong.strings.iter().find(|s| s.id == id).unwrap();
        assert_eq!(
            row.sddl,
            "D:(A;;CCLCSWRPWPDTLO;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;AU)(A;;CCLCSWRPWPDTLO;;;PU)"
        );
    }
}

/// A row that contradicts itself is refused, so the checks above can rely on the loader.
#[test]
fn malformed_rows_are_refused() {
    let load = |extra: &str| -> Result<(), String> {
        let text = format!("service = 'x'\n[[row]]\nbuilds = '1..=2'\nproduct = 'any'\ntrust = 'measured'\n{extra}");
        let file: ServiceFile = toml::from_str(&text).map_err(|e| e.to_string())?;
        for raw in file.row {
            ServiceRow::from_raw(&file.service, raw).map_err(|e| e.to_string())?;
        }
        Ok(())
    };
    let good = "source = 's'\npresence = 'present'\nhealthy_starts = ['auto']\nstart = 'auto'\n";
    assert_eq!(load(good), Ok(()));
    for bad in [
        "source = ' '\npresence = 'absent'\n",
        "presence = 'absent'\n",
        "source = 's'\npresence = 'present'\n",
        "source = 's'\npresence = 'absent'\nhealthy_starts = ['auto']\n",
        &format!("{good}colour = 'red'\n"),
        &good.replace("start = 'auto'", "start = 'demand'"),
        &format!("{good}descriptors = ['D:(A;;CC;;SY)']\n"),
        &format!("{good}service_type = 1\nhealthy_types = [2]\n"),
        &format!("{good}opaque_descriptor = '00'\n"),
        &format!("{good}triggers = [{{ type = 1, action = 1, guid = '00' }}]\n"),
    ] {
        assert!(load(bad).is_err(), "{bad}");
    }
    let toml = |builds: &str| {
        toml::from_str::<ServiceFile>(&format!(
            "service = 'x'\n[[row]]\nbuilds = '{builds}'\nproduct = 'any'\ntrust = 'measured'\nsource = 's'\npresence = 'absent'"
        ))
        .is_ok()
    };
    assert!(toml("1..=2"));
    for bad in ["2..=1", "1..2", "1", "a..=b", ""] {
        assert!(!toml(bad), "{bad}");
    }
}
