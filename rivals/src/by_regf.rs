//! regf 0.2: reads hives strictly; opening one is a check of its bins, cells and keys.

use regf::hive::RegistryKey;
use regf::RegistryHive;

use crate::{Failure, Seen};

/// Its check, then all keys, values and data.
///
/// # Errors
/// Whatever regf refuses.
pub fn walk(bytes: Vec<u8>) -> Result<Seen, Failure> {
    let hive = RegistryHive::from_bytes(bytes)?;
    let mut seen = Seen::default();
    key(&hive.root_key()?, &mut seen)?;
    Ok(seen)
}

fn key(node: &RegistryKey<'_>, seen: &mut Seen) -> regf::Result<()> {
    seen.key();
    for value in node.values()? {
        seen.value();
        seen.data(&value.raw_data()?);
    }
    for subkey in node.subkeys()? {
        key(&subkey, seen)?;
    }
    Ok(())
}
