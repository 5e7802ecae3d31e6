//! Packages of component-based servicing (Vista and later).
//!
//! Each key under `Packages` is a package: `CurrentState`, `InstallTimeHigh` and `InstallTimeLow` (a FILETIME),
//! `InstallClient`, `Visibility` (1: Windows lists it). Source: hives of 7 SP1; Microsoft's texts on servicing errors.

use crate::error::Result;
use crate::evidence::{hive_failure, Registry};
use crate::plan::HiveName;

use super::{Identity, PackageState, Update, Updates};

/// Component-based servicing in SOFTWARE.
pub const SERVICING: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing";
/// Its packages.
pub const PACKAGES: &str = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\Packages";

pub(super) fn packages(software: &Registry<'_>) -> Result<Updates> {
    let bad = |e| hive_failure(HiveName::Software, e);
    let mut found = Updates::default();
    for identity in software.subkeys(PACKAGES).map_err(bad)? {
        let key = format!("{PACKAGES}\\{identity}");
        match package(software, &key, &identity) {
            Ok(update) => found.updates.push(update),
            Err(error) => found.unreadable.push(format!("{identity}: {error}")),
        }
    }
    Ok(found)
}

fn package(
    software: &Registry<'_>,
    key: &str,
    identity: &str,
) -> std::result::Result<Update, crate::evidence::RegistryError> {
    let parsed = Identity::parse(identity);
    let time = match (software.dword(key, "InstallTimeHigh")?, software.dword(key, "InstallTimeLow")?) {
        (Some(high), Some(low)) => Some((u64::from(high) << 32) | u64::from(low)),
        _ => None,
    };
    Ok(Update {
        name: parsed.name.to_owned(),
        kb: parsed.kb(),
        version: parsed.version.map(str::to_owned),
        state: software.dword(key, "CurrentState")?.map_or(PackageState::Unknown, PackageState::Servicing),
        installed: time.and_then(utc),
        client: software.text(key, "InstallClient")?.filter(|c| !c.is_empty()),
        description: None,
        listed: software.dword(key, "Visibility")? == Some(1),
        identity: identity.to_owned(),
    })
}

/// A FILETIME (100 ns since 1601) as ISO 8601 to the second; `None` for zero and what no calendar has.
fn utc(filetime: u64) -> Option<String> {
    /// Seconds from 1601 to 1970.
    const EPOCH: i64 = 11_644_473_600;
    if filetime == 0 {
        return None;
    }
    let seconds = i64::try_from(filetime / 10_000_000).ok()?.checked_sub(EPOCH)?;
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    time.format(&time::format_description::well_known::Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_those_of_the_calendar() {
        // InstallTimeHigh 0x01cc6ec0, InstallTimeLow 0xc6be06e3 of a real package.
        assert_eq!(utc(0x01cc_6ec0_c6be_06e3).as_deref(), Some("2011-09-09T07:19:13Z"));
        assert_eq!(utc(0), None);
        assert_eq!(utc(u64::MAX), None);
    }
}
