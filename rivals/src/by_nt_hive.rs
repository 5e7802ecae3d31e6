//! nt-hive 0.3: reads hives without copying.

use nt_hive::{Hive, KeyNode, KeyValueData, NtHiveError};

use crate::{Failure, Seen};

/// All keys, values and data.
///
/// # Errors
/// Whatever nt-hive refuses.
pub fn walk(bytes: &[u8]) -> Result<Seen, Failure> {
    let hive = Hive::new(bytes)?;
    let mut seen = Seen::default();
    key(&hive.root_key_node()?, &mut seen)?;
    Ok(seen)
}

fn key(node: &KeyNode<'_, &[u8]>, seen: &mut Seen) -> Result<(), NtHiveError> {
    seen.key();
    for value in node.values().transpose()?.into_iter().flatten() {
        let value = value?;
        seen.value();
        if value.data_size() == 0 {
            continue;
        }
        match value.data()? {
            KeyValueData::Small(data) => seen.data(data),
            KeyValueData::Big(parts) => {
                for part in parts {
                    seen.data(part?);
                }
            }
        }
    }
    for subkey in node.subkeys().transpose()?.into_iter().flatten() {
        key(&subkey?, seen)?;
    }
    Ok(())
}
