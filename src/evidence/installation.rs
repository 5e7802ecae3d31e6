//! One Windows installation: its hives, version, product type and control sets.
//!
//! The build number decides everything (a Windows 11 calls itself "Windows 10" in `ProductName`); the
//! product type tells clients from servers of the same build.

use serde::Serialize;

use super::hive::{HiveFile, LoadedHive};
use super::registry::{Registry, RegistryError};
use crate::error::{Failure, Kind as FailureKind, Result};
use crate::knowledge::{Knowledge, ProductType};
use crate::plan::{Binding, HiveName};
use crate::volume::{VolPath, Volume};

const CURRENT_VERSION: &str = "Microsoft\\Windows NT\\CurrentVersion";

/// The version of an installation, as reports show it.
#[derive(Debug, Clone, Serialize)]
pub struct WindowsVersion {
    /// The Windows folder on the volume.
    pub path: VolPath,
    /// The product's name, corrected where Windows itself writes an older one.
    pub product: String,
    /// The build number.
    pub build: u32,
    /// The update build revision (10 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ubr: Option<u32>,
    /// `WinNT`, `ServerNT` or `LanmanNT`.
    pub product_type: String,
    /// `x86`, `x64`, `arm64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The control set that the next boot uses.
    pub control_set: String,
}

/// A control set that coldmend looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSet {
    /// `ControlSet001`.
    pub key: String,
    /// The values of `Select` that name it.
    pub roles: Vec<&'static str>,
}

/// An installation with its hives loaded. Read-only.
pub struct Installation {
    /// The Windows folder.
    pub windows: VolPath,
    /// SYSTEM.
    pub system: LoadedHive,
    /// SOFTWARE.
    pub software: LoadedHive,
    /// Version and product.
    pub version: WindowsVersion,
    /// Client or server.
    pub product_type: ProductType,
    /// The control sets to look at and edit: `Default` first, then `Current` where it differs.
    pub control_sets: Vec<ControlSet>,
    /// `Select`: Current, Default, Failed, LastKnownGood.
    pub select: [Option<u32>; 4],
    /// `MachineGuid`.
    pub machine: Option<String>,
    /// `InstallDate`.
    pub installed: Option<u32>,
    /// Whether dirty hives without usable logs were taken as they are, because the user asked for it.
    pub forced_dirty: bool,
}

impl Installation {
    /// Loads the hives and tells the version.
    ///
    /// # Errors
    /// Hives that are missing, damaged or dirty; a SYSTEM without control sets; a SOFTWARE without a build number.
    pub fn load(volume: &dyn Volume, windows: &VolPath) -> Result<Installation> {
        let system = HiveFile::read(volume, windows, HiveName::System)?.open(false)?;
        let software = HiveFile::read(volume, windows, HiveName::Software)?.open(false)?;
        Self::from_hives(windows, system, software)
    }

    /// Tells the version of hives that are loaded.
    ///
    /// # Errors
    /// As [`Installation::load`].
    pub fn from_hives(windows: &VolPath, system: LoadedHive, software: LoadedHive) -> Result<Installation> {
        let sys = registry(&system)?;
        let sw = registry(&software)?;
        let bad = |hive: HiveName| move |e: RegistryError| hive_failure(hive, e);

        let (select, control_sets) = control_sets(&sys, &system.path.display_escaped())?;
        let control_set = control_sets.first().map(|set| set.key.clone()).unwrap_or_default();

        let text = |name: &str| sw.text(CURRENT_VERSION, name).map_err(bad(HiveName::Software));
        let Some(build) = build_number(&sw)? else {
            return Err(Failure::unreadable(format!(
                "{} says no build number ({CURRENT_VERSION}\\CurrentBuildNumber)",
                software.path.display_escaped()
            ))
            .hint("Decisions are made by build number only; without it nothing can be checked or repaired."));
        };
        let (product_type_text, product_type) = product_type(&sys, &control_set)?;
        let arch = sys
            .text(&format!("{control_set}\\Control\\Session Manager\\Environment"), "PROCESSOR_ARCHITECTURE")
            .map_err(bad(HiveName::System))?
            .map(|a| if a.eq_ignore_ascii_case("AMD64") { "x64".into() } else { a.to_ascii_lowercase() });
        let product = product_name(text("ProductName")?, build, product_type);
        let ubr = sw.dword(CURRENT_VERSION, "UBR").map_err(bad(HiveName::Software))?;
        let machine = sw.text("Microsoft\\Cryptography", "MachineGuid").map_err(bad(HiveName::Software))?;
        let installed = sw.dword(CURRENT_VERSION, "InstallDate").map_err(bad(HiveName::Software))?;
        let version = WindowsVersion {
            path: windows.clone(),
            product,
            build,
            ubr,
            product_type: product_type_text,
            arch,
            control_set,
        };
        Ok(Installation {
            windows: windows.clone(),
            version,
            product_type,
            control_sets,
            select,
            machine,
            installed,
            system,
            software,
            forced_dirty: false,
        })
    }

    /// SYSTEM, through the independent reader.
    ///
    /// # Errors
    /// nt-hive refuses the image.
    pub fn system(&self) -> Result<Registry<'_>> {
        registry(&self.system)
    }

    /// SOFTWARE, through the independent reader.
    ///
    /// # Errors
    /// nt-hive refuses the image.
    pub fn software(&self) -> Result<Registry<'_>> {
        registry(&self.software)
    }

    /// One of the hives.
    pub fn hive(&self, name: HiveName) -> &LoadedHive {
        match name {
            HiveName::System => &self.system,
            HiveName::Software => &self.software,
        }
    }

    /// What a plan for this installation is bound to; `hives` are those that it changes.
    pub fn binding(&self, volume: &dyn Volume, hives: &[HiveName]) -> Binding {
        Binding {
            windows: self.windows.clone(),
            build: self.version.build,
            machine: self.machine.clone(),
            installed: self.installed,
            serial: volume.serial().map(|s| format!("{s:016x}")),
            hives: hives.iter().map(|&name| (name, self.hive(name).binding().clone())).collect(),
        }
    }
}

/// `Select` (Current, Default, Failed, LastKnownGood), and the control sets to look at; there is at least one. `place` is the hive's, for the
/// message.
pub(crate) fn control_sets(sys: &Registry<'_>, place: &str) -> Result<([Option<u32>; 4], Vec<ControlSet>)> {
    let bad = |e: RegistryError| hive_failure(HiveName::System, e);
    let select = |name: &str| sys.dword("Select", name).map_err(bad);
    let select = [select("Current")?, select("Default")?, select("Failed")?, select("LastKnownGood")?];
    let mut control_sets: Vec<ControlSet> = Vec::new();
    for (number, role) in [(select[1], "Default"), (select[0], "Current")] {
        let Some(number) = number.filter(|n| (1..=999).contains(n)) else { continue };
        let key = format!("ControlSet{number:03}");
        if let Some(known) = control_sets.iter_mut().find(|c| c.key == key) {
            known.roles.push(role);
        } else if sys.key_exists(&key).map_err(bad)? {
            control_sets.push(ControlSet { key, roles: vec![role] });
        }
    }
    if control_sets.is_empty() {
        return Err(Failure::unreadable(format!(
            "{place} names no control set that is there: Select\\Default is {}",
            select[1].map_or("absent".into(), |n| n.to_string())
        ))
        .hint("This hive does not boot. Restore it from a backup of this installation."));
    }
    Ok((select, control_sets))
}

/// The build number that SOFTWARE says.
pub(crate) fn build_number(sw: &Registry<'_>) -> Result<Option<u32>> {
    let text = |name: &str| sw.text(CURRENT_VERSION, name).map_err(|e| hive_failure(HiveName::Software, e));
    // XP writes "1.511.1 () (Obsolete data - do not use)" into CurrentBuild.
    let texts = [text("CurrentBuildNumber")?, text("CurrentBuild")?];
    Ok(texts.into_iter().flatten().find_map(|t| t.trim().parse::<u32>().ok()))
}

/// `ProductType` in the registry's own words, and what it means.
pub(crate) fn product_type(sys: &Registry<'_>, control_set: &str) -> Result<(String, ProductType)> {
    let text = sys
        .text(&format!("{control_set}\\Control\\ProductOptions"), "ProductType")
        .map_err(|e| hive_failure(HiveName::System, e))?
        .unwrap_or_else(|| "WinNT".into());
    let product_type = if text.eq_ignore_ascii_case("WinNT") { ProductType::Client } else { ProductType::Server };
    Ok((text, product_type))
}

fn registry(hive: &LoadedHive) -> Result<Registry<'_>> {
    Registry::new(hive.hive.bytes()).map_err(|e| hive_failure(hive.name, e))
}

/// A failure of the independent reader.
pub fn hive_failure(hive: HiveName, error: RegistryError) -> Failure {
    Failure::from_error(FailureKind::Unreadable, anyhow::anyhow!("{error}"))
        .context(format!("reading the hive {hive} through nt-hive"))
}

/// Windows 11 still writes "Windows 10 …" into `ProductName`.
fn product_name(found: Option<String>, build: u32, product_type: ProductType) -> String {
    match found {
        Some(name) if build >= 22000 && product_type == ProductType::Client => {
            name.replacen("Windows 10", "Windows 11", 1)
        }
        Some(name) => name,
        None => {
            Knowledge::builtin().edition(build, product_type).map_or_else(|| "Windows".to_owned(), ToString::to_string)
        }
    }
}

/// The same, for a change that is being prepared.
pub fn hive_failure_for(change: &crate::plan::Change, error: &RegistryError) -> Failure {
    Failure::from_error(FailureKind::Unreadable, anyhow::anyhow!("{error}"))
        .context(format!("looking at {} before changing it", change.place()))
}
