//! A healthy Windows to compare with: a volume, its Windows folder, or a single hive, SYSTEM or SOFTWARE, told apart by content.
//!
//! Read-only, and believed no more than any disk: hives are recovered in memory, checked, and read through the independent reader; SAM
//! and SECURITY are never opened. Relies on [`crate::target`] for volumes and on [`crate::hivefile`] for hives on their own. What is
//! compared, and what a difference means, is `checks::reference`.

use std::path::{Path, PathBuf};

use coldmend_hives::Hive;

use crate::error::{Context, Failure, Kind, Result};
use crate::evidence::{build_number, control_sets, hive_failure, product_type, HiveFile, Installation, Registry};
use crate::hivefile::HiveOnDisk;
use crate::knowledge::ProductType;
use crate::plan::HiveName;
use crate::safety::loaded::refuse_loaded;
use crate::safety::rights::Access;
use crate::target::{Choice, Target};
use crate::volume::escape::escape_text;
use crate::volume::{hostpath, HostVolume, VolPath, Volume};

const CURRENT_VERSION: &str = "Microsoft\\Windows NT\\CurrentVersion";
const HINT: &str = "Name a healthy Windows of the same build: the root of a volume with one Windows on it, its Windows folder, or one of its hives, SYSTEM or SOFTWARE.";

/// What is compared with.
pub struct Reference {
    shown: String,
    what: What,
}

enum What {
    Volume { target: Box<Target>, installation: Box<Installation> },
    System { hive: Hive, how: Option<String>, control_set: String, product_type: ProductType },
    Software { hive: Hive, how: Option<String>, build: u32, product_type: Option<ProductType> },
}

impl Reference {
    /// Opens what `given` names, to compare `target` with it.
    ///
    /// # Errors
    /// Nothing there, no Windows and no hive, damaged; the target itself.
    pub fn open(given: &Path, target: &Target) -> Result<Reference> {
        let shown = escape_text(given.as_os_str());
        let mut opened = Self::open_meant(&hostpath::as_meant(given), &shown, target);
        if let Err(failure) = &mut opened {
            // What is said elsewhere of targets and of hives to be mended does not help here.
            if failure.kind != Kind::Refused {
                failure.hint = Some(HINT.into());
            }
        }
        opened.doing(|| format!("opening the reference {shown}"))
    }

    fn open_meant(path: &Path, shown: &str, target: &Target) -> Result<Reference> {
        let kind = std::fs::metadata(path).map_err(|e| Failure::from_error(Kind::Unreadable, e))?;
        let what = if kind.is_file() { Self::hive(path, target)? } else { None };
        let what = match what {
            Some(what) => what,
            None => Self::volume(path, kind.is_file(), target)?,
        };
        Ok(Reference { shown: shown.to_string(), what })
    }

    fn volume(path: &Path, is_file: bool, target: &Target) -> Result<What> {
        let found = Target::resolve(path, Choice::default(), Access::Look).map_err(|failure| {
            if is_file && failure.kind == Kind::Usage {
                return Failure::unreadable("it is no volume, and no registry hive: it does not begin with \"regf\"");
            }
            failure
        })?;
        let files = hive_files(&found.volume, &found.windows);
        for file in &files {
            refuse_target(file, target)?;
            refuse_loaded(file)?;
        }
        let installation = Installation::load(&found.volume, &found.windows)?;
        Ok(What::Volume { target: Box::new(found), installation: Box::new(installation) })
    }

    /// A hive on its own; `None` for a file that does not begin as one.
    fn hive(path: &Path, target: &Target) -> Result<Option<What>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if ["sam", "security"].contains(&name.as_str()) {
            return Err(Failure::refused("SAM and SECURITY are never opened").hint(HINT));
        }
        refuse_target(path, target)?;
        let file = HiveOnDisk::find(path)?;
        if !file.begins_as_hive()? {
            return Ok(None);
        }
        let read = file.open(file.read()?, false)?;
        let how = read.how;
        let registry = Registry::new(read.hive.bytes()).map_err(|e| hive_failure(HiveName::System, e))?;
        let has = |key: &str| {
            registry.key_exists(key).map_err(|e| Failure::from_error(Kind::Unreadable, anyhow::anyhow!("{e}")))
        };
        if has("Select")? {
            let (_, sets) = control_sets(&registry, "it")?;
            let control_set = sets.into_iter().next().map(|set| set.key).unwrap_or_default();
            let (_, product_type) = product_type(&registry, &control_set)?;
            return Ok(Some(What::System { hive: read.hive, how, control_set, product_type }));
        }
        if has(CURRENT_VERSION)? {
            let build = build_number(&registry)?.ok_or_else(|| {
                Failure::unreadable(
                    "it is a SOFTWARE hive that says no build number, so nothing can be compared with it",
                )
            })?;
            // SOFTWARE has no ProductType; InstallationType, from Vista on, is "Client", "Server", "Server Core" or "Embedded".
            let installation = registry
                .text(CURRENT_VERSION, "InstallationType")
                .map_err(|e| hive_failure(HiveName::Software, e))?
                .map(|text| text.trim().to_ascii_lowercase());
            let product_type = match installation.as_deref() {
                Some("client") => Some(ProductType::Client),
                Some(text) if text.starts_with("server") => Some(ProductType::Server),
                _ => None,
            };
            return Ok(Some(What::Software { hive: read.hive, how, build, product_type }));
        }
        Err(Failure::unreadable("it is a registry hive, but neither a SYSTEM nor a SOFTWARE"))
    }

    /// The volume and the installation on it, where it is one.
    pub fn installation(&self) -> Option<(&dyn Volume, &Installation)> {
        match &self.what {
            What::Volume { target, installation } => Some((&target.volume, installation)),
            _ => None,
        }
    }

    /// SYSTEM and its control set.
    ///
    /// # Errors
    /// nt-hive refuses the image.
    pub fn system(&self) -> Result<Option<(Registry<'_>, &str)>> {
        Ok(match &self.what {
            What::Volume { installation, .. } => {
                Some((installation.system()?, installation.version.control_set.as_str()))
            }
            What::System { hive, control_set, .. } => {
                let registry = Registry::new(hive.bytes()).map_err(|e| hive_failure(HiveName::System, e))?;
                Some((registry, control_set.as_str()))
            }
            What::Software { .. } => None,
        })
    }

    /// SOFTWARE.
    ///
    /// # Errors
    /// nt-hive refuses the image.
    pub fn software(&self) -> Result<Option<Registry<'_>>> {
        Ok(match &self.what {
            What::Volume { installation, .. } => Some(installation.software()?),
            What::System { .. } => None,
            What::Software { hive, .. } => {
                Some(Registry::new(hive.bytes()).map_err(|e| hive_failure(HiveName::Software, e))?)
            }
        })
    }

    /// The build; a SYSTEM hive does not say it.
    pub fn build(&self) -> Option<u32> {
        match &self.what {
            What::Volume { installation, .. } => Some(installation.version.build),
            What::System { .. } => None,
            What::Software { build, .. } => Some(*build),
        }
    }

    /// Client or server, where that can be seen.
    pub fn product_type(&self) -> Option<ProductType> {
        match &self.what {
            What::Volume { installation, .. } => Some(installation.product_type),
            What::System { product_type, .. } => Some(*product_type),
            What::Software { product_type, .. } => *product_type,
        }
    }

    /// Which hive it is, if it is one on its own.
    pub fn lone_hive(&self) -> Option<HiveName> {
        match &self.what {
            What::Volume { .. } => None,
            What::System { .. } => Some(HiveName::System),
            What::Software { .. } => Some(HiveName::Software),
        }
    }

    /// What it is, for the source of a finding.
    pub fn describe(&self) -> String {
        let recovered = |how: &Option<String>| how.as_ref().map(|how| format!("; {how}")).unwrap_or_default();
        let what = match &self.what {
            What::Volume { installation, .. } => {
                let version = &installation.version;
                let ubr = version.ubr.map(|ubr| format!(".{ubr}")).unwrap_or_default();
                let how: Vec<String> = [&installation.system, &installation.software]
                    .into_iter()
                    .filter_map(|hive| Some(format!("; {} {}", hive.name, hive.recovery.as_ref()?.how)))
                    .collect();
                format!("{}, build {}{ubr}{}", escape_text(version.product.as_ref()), version.build, how.concat())
            }
            What::System { how, .. } => {
                format!("a SYSTEM hive, which does not show its build{}", recovered(how))
            }
            What::Software { how, build, .. } => format!("a SOFTWARE hive of build {build}{}", recovered(how)),
        };
        format!("the reference {} ({what})", self.shown)
    }
}

/// Where the hives of an installation are on this machine: to ask about them, not to open them.
fn hive_files(volume: &HostVolume, windows: &VolPath) -> Vec<PathBuf> {
    let place = |name| {
        let (path, _) = HiveFile::locate(volume, windows, name).ok()?;
        let mut place = volume.host_path().to_path_buf();
        place.extend(path.components());
        Some(place)
    };
    [HiveName::System, HiveName::Software].into_iter().filter_map(place).collect()
}

/// A target is no reference for itself.
fn refuse_target(file: &Path, target: &Target) -> Result<()> {
    if hive_files(&target.volume, &target.windows).iter().any(|own| is_same_file(own, file)) {
        return Err(Failure::usage("it is the target itself, and comparing it with itself says nothing"));
    }
    Ok(())
}

fn is_same_file(one: &Path, two: &Path) -> bool {
    if let (Ok(one), Ok(two)) = (hostpath::real(one), hostpath::real(two)) {
        if one == two {
            return true;
        }
    }
    // The same volume may be mounted twice.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(one), Ok(two)) = (std::fs::metadata(one), std::fs::metadata(two)) {
            return (one.dev(), one.ino()) == (two.dev(), two.ino());
        }
    }
    false
}
