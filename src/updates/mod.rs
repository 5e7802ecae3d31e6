//! What is installed: packages and hotfixes as the installation's registry lists them, read offline.
//!
//! From Vista on the list is `SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages` (`servicing`);
//! before, `SOFTWARE\Microsoft\Updates` and the older `…\Windows NT\CurrentVersion\HotFix` (`hotfix`). Nothing is judged here.

mod hotfix;
mod identity;
mod servicing;
mod state;

use serde::Serialize;

use crate::error::Result;
use crate::evidence::Installation;

pub use identity::Identity;
pub use servicing::{PACKAGES, SERVICING};
pub use state::PackageState;

/// Builds from which on component-based servicing keeps the list (Windows Vista).
const SERVICING_FROM: u32 = 6000;

/// A package or hotfix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Update {
    /// The package's whole identity (`Package_for_KB976932~31bf3856ad364e35~amd64~~6.1.1.17514`), or the hotfix' key.
    pub identity: String,
    /// Its name: the identity up to the first `~`.
    pub name: String,
    /// The number of the article about it (`KB976932`), where its name tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kb: Option<String>,
    /// Its version, where its identity tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its state.
    pub state: PackageState,
    /// When it got there, in UTC (ISO 8601), or as the registry words it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// Which program asked for it (`WindowsUpdateAgent`, `DISM Package Manager Provider`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What it is called for people, where the registry says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether Windows shows it in its own list of installed updates.
    pub listed: bool,
}

impl Update {
    /// Whether it is an update as people mean it: not a feature of Windows itself, nor one of the parts that an update is made of.
    pub fn is_update(&self) -> bool {
        self.listed || self.name.to_ascii_lowercase().starts_with("package_for_")
    }
}

/// All that is listed, by name, and how many entries could not be read.
#[derive(Debug, Clone, Default)]
pub struct Updates {
    /// What was found.
    pub updates: Vec<Update>,
    /// Entries that are there and not understood, with the reason.
    pub unreadable: Vec<String>,
}

/// Reads the list.
///
/// # Errors
/// SOFTWARE can't be read.
pub fn gather(installation: &Installation) -> Result<Updates> {
    let software = installation.software()?;
    let mut found = if installation.version.build >= SERVICING_FROM {
        servicing::packages(&software)?
    } else {
        hotfix::hotfixes(&software)?
    };
    found.updates.sort_by_key(|u| u.identity.to_ascii_lowercase());
    Ok(found)
}
