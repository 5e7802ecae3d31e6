//! Hotfixes of Windows XP and Server 2003.
//!
//! `SOFTWARE\Microsoft\Updates\PRODUCT\SERVICEPACK\KB…` with `Description`, `InstalledDate` (as text, in the form of that
//! system's language) and `InstalledBy`; and the older list `…\Windows NT\CurrentVersion\HotFix\KB…` with `Installed` and
//! `Fix Description`. What is in both is one. Source: Microsoft's texts on the package installer (update.exe); a hive of XP SP3.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::evidence::{hive_failure, Registry};
use crate::plan::HiveName;

use super::identity::kb;
use super::{PackageState, Update, Updates};

const UPDATES: &str = "Microsoft\\Updates";
const HOTFIX: &str = "Microsoft\\Windows NT\\CurrentVersion\\HotFix";

pub(super) fn hotfixes(software: &Registry<'_>) -> Result<Updates> {
    let bad = |e| hive_failure(HiveName::Software, e);
    let text =
        |key: &str, name: &str| software.text(key, name).map_err(bad).map(|t| t.filter(|t| !t.trim().is_empty()));
    let mut found: BTreeMap<String, Update> = BTreeMap::new();
    for name in software.subkeys(HOTFIX).map_err(bad)? {
        let key = format!("{HOTFIX}\\{name}");
        let installed = software.dword(&key, "Installed").map_err(bad)? == Some(1);
        found.insert(
            name.to_ascii_uppercase(),
            Update {
                state: if installed { PackageState::Installed } else { PackageState::Unknown },
                description: text(&key, "Fix Description")?,
                ..update(&name)
            },
        );
    }
    for product in software.subkeys(UPDATES).map_err(bad)? {
        for pack in software.subkeys(&format!("{UPDATES}\\{product}")).map_err(bad)? {
            for name in software.subkeys(&format!("{UPDATES}\\{product}\\{pack}")).map_err(bad)? {
                let key = format!("{UPDATES}\\{product}\\{pack}\\{name}");
                let description = text(&key, "Description")?;
                let installed = text(&key, "InstalledDate")?;
                // Under another product's name there are keys that are no updates (`Filelist`).
                if description.is_none() && installed.is_none() {
                    continue;
                }
                let entry = found.entry(name.to_ascii_uppercase()).or_insert_with(|| update(&name));
                entry.state = PackageState::Installed;
                entry.installed = installed;
                entry.client = text(&key, "InstalledBy")?;
                entry.description = description.or(entry.description.take());
            }
        }
    }
    Ok(Updates { updates: found.into_values().collect(), unreadable: Vec::new() })
}

fn update(name: &str) -> Update {
    Update {
        identity: name.to_owned(),
        name: name.to_owned(),
        kb: kb(name),
        version: None,
        state: PackageState::Unknown,
        installed: None,
        client: None,
        description: None,
        listed: true,
    }
}
