//! Editing keys and values.
//!
//! Every edit is all or nothing: when a step fails, the image is as it was. Edits write where Windows would: in place
//! when the new data fits, so that few pages change.

mod class;
mod keys;
mod lists;
mod security;
mod values;

use crate::bytes::u64_at;
use crate::error::HiveError;
use crate::filetime::FileTime;
use crate::hive::{components, Hive};
use crate::key_node::{field, flag, KeyNode};
use crate::name::upper_units;
use crate::subkey_list::SubkeyList;

impl Hive {
    /// Runs an edit; takes back what it wrote when it fails.
    fn edit<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, HiveError>) -> Result<T, HiveError> {
        self.image.begin();
        self.begin_notes();
        let result = work(self);
        if result.is_ok() {
            self.image.keep();
        } else {
            self.image.roll_back();
            self.roll_back_notes();
            self.cells = None;
        }
        result
    }

    /// The child of that name, by binary search.
    fn search_child(&self, node: &KeyNode, upper: &[u16]) -> Result<Option<u32>, HiveError> {
        if node.subkeys == 0 {
            return Ok(None);
        }
        let view = self.view();
        let leaf = match view.subkey_list(node.subkey_list)? {
            SubkeyList::Leaf(leaf) => leaf,
            SubkeyList::Root(root) if root.count() == 0 => return Ok(None),
            SubkeyList::Root(root) => {
                let number = view.search_root(&root, upper)?;
                view.leaf(root.leaf(number).unwrap_or(u32::MAX))?
            }
        };
        Ok(view.search_leaf(&leaf, upper)?.ok().and_then(|at| leaf.child(at)))
    }

    /// The cell of an existing key that is to be edited.
    fn cell_of(&self, path: &str) -> Result<u32, HiveError> {
        let missing = || HiveError::KeyNotFound { path: path.to_owned() };
        let view = self.view();
        let mut cell = view.root;
        for part in components(path) {
            let (node, _) = view.key_node(cell)?;
            let upper = upper_units(part);
            cell = match self.search_child(&node, &upper)? {
                Some(child) => child,
                None if node.subkeys == 0 => return Err(missing()),
                // A list in the order of another Windows' upper-case table.
                None => view.find_child(node.subkey_list, &upper)?.ok_or_else(missing)?,
            };
        }
        self.check_editable(cell, path)?;
        Ok(cell)
    }

    /// Differencing hives (containers) and predefined handles mean something else by the same fields.
    fn check_editable(&self, cell: u32, path: &str) -> Result<(), HiveError> {
        let (node, _) = self.view().key_node(cell)?;
        let refuse = |reason| Err(HiveError::Refused { path: path.to_owned(), reason });
        if node.layer != 0 {
            return refuse("it belongs to a layered (differencing) hive");
        }
        if node.flags & flag::PREDEFINED != 0 {
            return refuse("it is a predefined handle");
        }
        Ok(())
    }

    /// Sets a key's time stamp; it never moves backwards.
    fn touch(&mut self, cell: u32, now: FileTime) -> Result<(), HiveError> {
        let found = u64_at(self.view().payload(cell)?, field::TIMESTAMP).unwrap_or(0);
        self.put(cell, field::TIMESTAMP, &found.max(now.0).to_le_bytes())
    }

    /// Raises a maximum stored in a key.
    fn raise(&mut self, cell: u32, field: usize, found: u32, value: usize) -> Result<(), HiveError> {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        if value > found {
            self.put_u32(cell, field, value)?;
        }
        Ok(())
    }
}
