//! Reading a hive through `nt-hive`, the independent reader: every value that coldmend reports or
//! verifies comes through here, never through the engine that writes.
//!
//! nt-hive panics on some damaged structures, so a [`Registry`] is only made of an image that
//! `coldmend-hives` has checked (`evidence::hive`).

use nt_hive::{Hive, KeyNode, KeyValue, NtHiveError};

use crate::plan::RegValue;

/// A checked hive image, read through nt-hive.
pub struct Registry<'a> {
    hive: Hive<&'a [u8]>,
}

/// Why a value could not be read.
pub type RegistryError = NtHiveError;

impl<'a> Registry<'a> {
    /// Opens a clean, checked hive image.
    ///
    /// # Errors
    /// What nt-hive finds wrong in the base block.
    pub fn new(image: &'a [u8]) -> Result<Self, RegistryError> {
        Ok(Registry { hive: Hive::new(image)? })
    }

    fn node(&self, key: &str) -> Result<Option<KeyNode<'_, &'a [u8]>>, RegistryError> {
        let root = self.hive.root_key_node()?;
        if key.is_empty() {
            return Ok(Some(root));
        }
        root.subpath(key).transpose()
    }

    /// Whether the key is there. Keys are separated by single backslashes and matched without case.
    ///
    /// # Errors
    /// Damaged structures on the way.
    pub fn key_exists(&self, key: &str) -> Result<bool, RegistryError> {
        Ok(self.node(key)?.is_some())
    }

    /// The value `name` of `key`; `None` when the key or the value is not there.
    ///
    /// # Errors
    /// Damaged structures on the way, and types that nt-hive does not know.
    pub fn value(&self, key: &str, name: &str) -> Result<Option<RegValue>, RegistryError> {
        self.node(key)?.map_or(Ok(None), |node| Subkey(node).value(name))
    }

    /// The names of the key's subkeys, in the order of the hive; empty when the key is not there.
    ///
    /// # Errors
    /// Damaged structures on the way.
    pub fn subkeys(&self, key: &str) -> Result<Vec<String>, RegistryError> {
        let Some(node) = self.node(key)? else { return Ok(Vec::new()) };
        let Some(subkeys) = node.subkeys() else { return Ok(Vec::new()) };
        subkeys?.map(|subkey| Ok(subkey?.name()?.to_string_lossy())).collect()
    }

    /// Goes through the key's subkeys, in the order of the hive; nothing when the key is not there. For keys with thousands of subkeys, each
    /// of which would have to be looked up from the root.
    ///
    /// # Errors
    /// Damaged structures on the way, and those of `each`.
    pub fn each_subkey(
        &self,
        key: &str,
        mut each: impl FnMut(String, Subkey<'_, 'a>) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let Some(node) = self.node(key)? else { return Ok(()) };
        let Some(subkeys) = node.subkeys() else { return Ok(()) };
        for subkey in subkeys? {
            let subkey = subkey?;
            each(subkey.name()?.to_string_lossy(), Subkey(subkey))?;
        }
        Ok(())
    }

    /// The names of the key's values, in the order of the hive; empty when the key is not there.
    ///
    /// # Errors
    /// Damaged structures on the way.
    pub fn value_names(&self, key: &str) -> Result<Vec<String>, RegistryError> {
        let Some(node) = self.node(key)? else { return Ok(Vec::new()) };
        let Some(values) = node.values() else { return Ok(Vec::new()) };
        values?.map(|value| Ok(value?.name()?.to_string_lossy())).collect()
    }

    /// The key's values with their names, in the order of the hive; empty when the key is not there.
    ///
    /// # Errors
    /// Damaged structures on the way, and types that nt-hive does not know.
    pub fn values(&self, key: &str) -> Result<Vec<(String, RegValue)>, RegistryError> {
        self.node(key)?.map_or_else(|| Ok(Vec::new()), |node| Subkey(node).values())
    }

    /// The number of a `REG_DWORD` value, `None` when it is absent or of another type.
    ///
    /// # Errors
    /// Damaged structures on the way.
    pub fn dword(&self, key: &str, name: &str) -> Result<Option<u32>, RegistryError> {
        Ok(self.value(key, name)?.and_then(|v| v.as_dword()))
    }

    /// The text of a string value, `None` when it is absent or of another type.
    ///
    /// # Errors
    /// Damaged structures on the way.
    pub fn text(&self, key: &str, name: &str) -> Result<Option<String>, RegistryError> {
        Ok(self.value(key, name)?.and_then(|v| v.as_text()))
    }
}

/// A key that [`Registry::each_subkey`] came to.
pub struct Subkey<'k, 'a>(KeyNode<'k, &'a [u8]>);

impl Subkey<'_, '_> {
    /// As [`Registry::value`].
    ///
    /// # Errors
    /// As there.
    pub fn value(&self, name: &str) -> Result<Option<RegValue>, RegistryError> {
        self.0.value(name).transpose()?.map(read).transpose()
    }

    /// As [`Registry::values`].
    ///
    /// # Errors
    /// As there.
    pub fn values(&self) -> Result<Vec<(String, RegValue)>, RegistryError> {
        let Some(values) = self.0.values() else { return Ok(Vec::new()) };
        values?
            .map(|value| {
                let value = value?;
                Ok((value.name()?.to_string_lossy(), read(value)?))
            })
            .collect()
    }
}

fn read(value: KeyValue<'_, &[u8]>) -> Result<RegValue, RegistryError> {
    Ok(RegValue { data_type: value.data_type()? as u32, data: value.data()?.into_vec()? })
}
