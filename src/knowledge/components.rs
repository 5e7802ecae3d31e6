//! Components of Windows that define services, and the names that the component store gives them.
//!
//! A manifest is `WinSxS\Manifests\ARCH_NAME_TOKEN_VERSION_CULTURE_HASH.manifest`; the version in force is in SOFTWARE, under
//! `SideBySide\Winners\ARCH_NAME_TOKEN_CULTURE_HASH` (its default value names the subkey, whose default value is the version).
//! Both forms were read in a real 7 SP1; the table is `components.toml`.

use serde::Deserialize;

use super::{read, KnowledgeError};

/// Microsoft's public key token: other publishers' components define no service of Windows.
const TOKEN: &str = "31bf3856ad364e35";
const NEUTRAL: &str = "none";

/// Where the definition of services is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceComponent {
    /// The services that it may define.
    pub services: Vec<String>,
    /// The components, as the store's file names have them; whichever holds it.
    pub names: Vec<String>,
    /// Where that comes from.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentFile {
    component: Vec<ServiceComponent>,
}

pub(super) fn load() -> Result<Vec<ServiceComponent>, KnowledgeError> {
    let file: ComponentFile = read("components.toml", include_str!("components.toml"))?;
    Ok(file.component)
}

/// The version of a component, four numbers.
pub type ComponentVersion = [u32; 4];

/// Reads a version; `None` when it is not four numbers.
#[must_use]
pub fn component_version(text: &str) -> Option<ComponentVersion> {
    let mut parts = text.trim().split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok()).flatten()
    });
    let version = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(version)
}

/// The component and version of a manifest's file name, for Microsoft's components of this architecture in no language; `None` for
/// all others.
#[must_use]
pub fn manifest_name(file: &str, arch: &str) -> Option<(String, ComponentVersion)> {
    let name = file.to_ascii_lowercase();
    let mut from_end = name.strip_suffix(".manifest")?.rsplitn(5, '_');
    let (_hash, culture, version) = (from_end.next()?, from_end.next()?, from_end.next()?);
    if culture != NEUTRAL || from_end.next()? != TOKEN {
        return None;
    }
    let (of_arch, component) = from_end.next()?.split_once('_')?;
    (of_arch == arch).then_some((component.to_owned(), component_version(version)?))
}

/// The component of a key under `SideBySide\Winners`, by the same rule.
#[must_use]
pub fn winner_name(key: &str, arch: &str) -> Option<String> {
    let name = key.to_ascii_lowercase();
    let mut from_end = name.rsplitn(4, '_');
    let (_hash, culture, token) = (from_end.next()?, from_end.next()?, from_end.next()?);
    let (of_arch, component) = from_end.next()?.split_once('_')?;
    (culture == NEUTRAL && token == TOKEN && of_arch == arch).then(|| component.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Knowledge;
    use super::*;

    #[test]
    fn names_of_a_real_store() {
        let file = "x86_microsoft-windows-w..wsupdateclient-core_31bf3856ad364e35_7.5.7601.17514_none_0123456789abcdef.manifest";
        let (name, version) = manifest_name(&file.to_uppercase(), "x86").unwrap();
        assert_eq!((name.as_str(), version), ("microsoft-windows-w..wsupdateclient-core", [7, 5, 7601, 17514]));
        assert_eq!(manifest_name(file, "amd64"), None);
        let key = "x86_microsoft-windows-w..wsupdateclient-core_31bf3856ad364e35_none_f8cb71a275c85741";
        assert_eq!(winner_name(key, "x86").unwrap(), "microsoft-windows-w..wsupdateclient-core");
        // A name with an underscore in it.
        let key = "x86_netfx-eventlogmessages_dll_31bf3856ad364e35_none_e79cef6c1796f9e1";
        assert_eq!(winner_name(key, "x86").unwrap(), "netfx-eventlogmessages_dll");
    }

    #[test]
    fn other_names_are_none() {
        for file in [
            "x86_microsoft-windows-bits-client_b03f5f7f11d50a3a_6.1.7601.17514_none_0123456789abcdef.manifest",
            "x86_microsoft-windows-bits-client_31bf3856ad364e35_6.1.7601.17514_en-us_0123456789abcdef.manifest",
            "x86_microsoft-windows-bits-client_31bf3856ad364e35_6.1.7601_none_0123456789abcdef.manifest",
            "x86_microsoft-windows-bits-client_31bf3856ad364e35_6.1.7601.+4_none_0123456789abcdef.manifest",
            "x86_microsoft-windows-bits-client_31bf3856ad364e35_6.1.7601.17514_none_0123456789abcdef.xml",
            "microsoft-windows-bits-client.manifest",
            "_31bf3856ad364e35_6.1.7601.17514_none_x.manifest",
            "_.manifest",
            "",
        ] {
            assert_eq!(manifest_name(file, "x86"), None, "{file}");
            assert_eq!(winner_name(file, "x86"), None, "{file}");
        }
        for text in ["", "1.2.3", "1.2.3.4.5", "1.2.3.x", "1.2.3.4294967296", "-1.2.3.4", "1..3.4"] {
            assert_eq!(component_version(text), None, "{text}");
        }
    }

    #[test]
    fn the_table_is_about_services_that_are_known_and_has_sources() {
        let knowledge = Knowledge::builtin();
        let mut seen = Vec::new();
        for component in knowledge.components() {
            assert!(component.source.len() > 20 && !component.names.is_empty(), "{component:?}");
            for service in &component.services {
                assert!(knowledge.services().contains(&service.as_str()), "{service}");
                assert!(!seen.contains(&service), "{service} twice");
                seen.push(service);
            }
            for name in &component.names {
                assert_eq!(*name, name.to_ascii_lowercase());
                assert!(name.len() <= 40, "{name}: the store shortens it");
            }
        }
        assert!(seen.len() > 10);
    }
}
