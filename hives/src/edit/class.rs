//! Setting a key's class name.

use crate::check::Part;
use crate::error::HiveError;
use crate::filetime::FileTime;
use crate::hive::Hive;
use crate::key_node::field;
use crate::view::NIL;

/// Longest class name, in bytes: the length field has 16 bits and counts UTF-16.
const CLASS_MAX: usize = 0xFFFE;

impl Hive {
    /// Gives a key a class name (stored as UTF-16 without NUL), or takes it away (`None` or empty).
    ///
    /// # Errors
    /// [`HiveError::KeyNotFound`], [`HiveError::TooLarge`] above 32767 UTF-16 units, [`HiveError::Refused`] for layered keys, [`HiveError::Damaged`].
    pub fn set_class(&mut self, path: &str, class: Option<&str>, now: FileTime) -> Result<(), HiveError> {
        let key = self.cell_of(path)?;
        let bytes: Vec<u8> = class.unwrap_or("").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let Some(length) = u16::try_from(bytes.len()).ok().filter(|&l| usize::from(l) <= CLASS_MAX) else {
            return Err(HiveError::TooLarge {
                what: "the class name",
                size: bytes.len() as u64,
                limit: CLASS_MAX as u64,
            });
        };
        let (node, _) = self.view().key_node(key)?;
        let old: &[u8] = if node.class_length == 0 { &[] } else { self.view().payload(node.class)? };
        if node.class_length == length && old.starts_with(&bytes) {
            return Ok(());
        }
        let fits = bytes.len() <= old.len() && node.class_length > 0;
        self.edit(|hive| {
            hive.note(key, Part::Node);
            if bytes.is_empty() {
                hive.put_u32(key, field::CLASS, NIL)?;
                hive.free(node.class)?;
            } else if fits {
                hive.put(node.class, 0, &bytes)?;
            } else {
                let cell = hive.allocate(&bytes, 0)?;
                hive.put_u32(key, field::CLASS, cell)?;
                if node.class_length > 0 {
                    hive.free(node.class)?;
                }
            }
            hive.put(key, field::CLASS_LENGTH, &length.to_le_bytes())?;
            if key != hive.view().root {
                let (parent, _) = hive.view().key_node(node.parent)?;
                hive.note(node.parent, Part::Node);
                hive.raise(node.parent, field::MAX_CLASS, parent.max_class, bytes.len())?;
            }
            hive.touch(key, now)
        })
    }
}
