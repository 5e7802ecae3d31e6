//! Builds and products: which Windows a row is about.

use std::collections::HashSet;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What `Control\ProductOptions\ProductType` says: `WinNT` is a client, `ServerNT` and `LanmanNT`
/// are servers (Windows 10 and 11 Enterprise multi-session call themselves servers, too).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProductType {
    /// A workstation.
    Client,
    /// A server or domain controller.
    Server,
}

impl ProductType {
    /// From the registry value's text, in any case; `None` for anything else.
    #[must_use]
    pub fn from_registry(text: &str) -> Option<ProductType> {
        match text.trim().to_ascii_lowercase().as_str() {
            "winnt" => Some(ProductType::Client),
            "servernt" | "lanmannt" => Some(ProductType::Server),
            _ => None,
        }
    }
}

/// The products that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// Clients and servers.
    Any,
    /// Clients only.
    Client,
    /// Servers only.
    Server,
}

impl Product {
    /// Whether a row for these products is about `product`.
    #[must_use]
    pub fn covers(self, product: ProductType) -> bool {
        matches!(
            (self, product),
            (Product::Any, _) | (Product::Client, ProductType::Client) | (Product::Server, ProductType::Server)
        )
    }
}

/// Builds from the first to the last, both included. Written `"7600..=7601"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildRange {
    /// The first build.
    pub first: u32,
    /// The last build.
    pub last: u32,
}

impl BuildRange {
    /// Whether `build` is one of them.
    #[must_use]
    pub fn contains(self, build: u32) -> bool {
        (self.first..=self.last).contains(&build)
    }
}

impl fmt::Display for BuildRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

impl<'de> Deserialize<'de> for BuildRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BuildRange, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (first, last) = text
            .split_once("..=")
            .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
            .ok_or_else(|| D::Error::custom(format!("`{text}` is no range of builds (A..=B)")))?;
        if first > last {
            return Err(D::Error::custom(format!("`{text}` is an empty range")));
        }
        Ok(BuildRange { first, last })
    }
}

/// The builds that Microsoft released, with their names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuildTable {
    /// Where the names come from.
    #[allow(dead_code)]
    source: String,
    build: Vec<BuildName>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildName {
    build: u32,
    client: Option<String>,
    server: Option<String>,
}

impl BuildTable {
    pub(super) fn edition(&self, build: u32, product: ProductType) -> Option<&str> {
        let row = self.build.iter().find(|row| row.build == build)?;
        match product {
            ProductType::Client => row.client.as_deref(),
            ProductType::Server => row.server.as_deref(),
        }
    }

    pub(super) fn known(&self) -> Vec<(u32, ProductType)> {
        let mut seen = HashSet::new();
        self.build
            .iter()
            .flat_map(|row| {
                [
                    row.client.as_ref().map(|_| (row.build, ProductType::Client)),
                    row.server.as_ref().map(|_| (row.build, ProductType::Server)),
                ]
            })
            .flatten()
            .filter(|pair| seen.insert(*pair))
            .collect()
    }
}
