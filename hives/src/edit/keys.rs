//! Creating and deleting keys.

use crate::bitset::BitSet;
use crate::bytes::{index, u16_at};
use crate::check::Part;
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::filetime::FileTime;
use crate::hive::{components, Hive};
use crate::key_node::{field, flag, new_key_node, KeyNode, DEPTH_MAX, KEY_NAME_MAX};
use crate::name::{encode, upper_units, Name};
use crate::upcase::is_settled;
use crate::view::damaged;

impl Hive {
    /// Makes a key and the missing ones above it. A new key has its parent's security and no class. When the key exists, nothing changes.
    ///
    /// # Errors
    /// [`HiveError::InvalidName`]: longer than 255 UTF-16 units, or with a character whose upper case depends on the version of Windows
    /// (see the crate's documentation); [`HiveError::TooLarge`] deeper than 512 keys; [`HiveError::Refused`] for layered keys; [`HiveError::Damaged`].
    pub fn create_key(&mut self, path: &str, now: FileTime) -> Result<(), HiveError> {
        let names: Vec<&str> = components(path).collect();
        if names.len() > DEPTH_MAX {
            return Err(HiveError::TooLarge { what: "the path", size: names.len() as u64, limit: DEPTH_MAX as u64 });
        }
        let mut cell = self.view().root;
        let mut known = 0usize;
        for name in &names {
            let (node, _) = self.view().key_node(cell)?;
            match self.search_child(&node, &upper_units(name))? {
                Some(child) => cell = child,
                None => break,
            }
            known = known.saturating_add(1);
        }
        let missing = names.get(known..).unwrap_or(&[]);
        for name in missing {
            check_key_name(name)?;
        }
        if missing.is_empty() {
            return Ok(());
        }
        self.check_editable(cell, &names.get(..known).unwrap_or(&[]).join("\\"))?;
        self.edit(|hive| {
            let mut parent = cell;
            for name in missing {
                parent = hive.add_key(parent, name, now)?;
            }
            Ok(())
        })
    }

    fn add_key(&mut self, parent: u32, name: &str, now: FileTime) -> Result<u32, HiveError> {
        self.note(parent, Part::Subkeys);
        let (node, _) = self.view().key_node(parent)?;
        let (bytes, compressed) = encode(name);
        let key = self.allocate(&new_key_node(&bytes, compressed, parent, node.security, now.0), 0)?;
        self.note_made(key);
        self.add_security_reference(node.security)?;
        self.insert_child(parent, key, Name::new(&bytes, compressed))?;
        let longest = name.encode_utf16().count().saturating_mul(2);
        let found = u16_at(self.view().payload(parent)?, field::MAX_NAME).unwrap_or(0);
        if longest > usize::from(found) {
            self.put(parent, field::MAX_NAME, &u16::try_from(longest).unwrap_or(u16::MAX).to_le_bytes())?;
        }
        self.touch(parent, now)?;
        Ok(key)
    }

    /// Deletes a key and everything under it.
    ///
    /// # Errors
    /// [`HiveError::KeyNotFound`]; [`HiveError::Refused`] for the root, for keys that Windows marks as not to be deleted and for layered keys;
    /// [`HiveError::Damaged`].
    pub fn delete_key(&mut self, path: &str, now: FileTime) -> Result<(), HiveError> {
        let cell = self.cell_of(path)?;
        let refuse = |reason| Err(HiveError::Refused { path: path.to_owned(), reason });
        if cell == self.view().root {
            return refuse("it is the root");
        }
        let keys = self.subtree(cell)?;
        for (key, node) in &keys {
            if node.flags & flag::NO_DELETE != 0 {
                return refuse("Windows marks it, or a key under it, as not to be deleted");
            }
            self.check_editable(*key, path)?;
        }
        self.edit(|hive| {
            let (node, name) = hive.view().key_node(cell)?;
            let upper: Vec<u16> = name.units().map(crate::upcase::upcase).collect();
            hive.note(node.parent, Part::Subkeys);
            for (key, _) in &keys {
                hive.note(*key, Part::Gone);
            }
            hive.remove_child(node.parent, cell, &upper)?;
            hive.touch(node.parent, now)?;
            for (key, node) in &keys {
                if node.subkeys > 0 {
                    hive.free_list(node.subkey_list)?;
                }
                hive.free_values(node)?;
                if node.class_length > 0 {
                    hive.free(node.class)?;
                }
                hive.drop_security_reference(node.security)?;
                hive.free(*key)?;
            }
            Ok(())
        })
    }

    /// A key and all under it.
    fn subtree(&self, cell: u32) -> Result<Vec<(u32, KeyNode)>, HiveError> {
        let view = self.view();
        let mut seen = BitSet::new(view.bins.len() / 8);
        let mut stack = vec![cell];
        let mut keys = Vec::new();
        while let Some(key) = stack.pop() {
            if !seen.insert(index(key / 8)) {
                return Err(damaged(Rule::V9, key, "a key in two lists", "one parent", Effect::DropSubtree));
            }
            let (node, _) = view.key_node(key)?;
            if node.subkeys > 0 {
                for leaf in view.leaves(node.subkey_list)? {
                    stack.extend(leaf.entries().map(|(child, _)| child));
                }
            }
            keys.push((key, node));
        }
        Ok(keys)
    }
}

fn check_key_name(name: &str) -> Result<(), HiveError> {
    let invalid = |reason| Err(HiveError::InvalidName { name: name.to_owned(), reason });
    if name.encode_utf16().count() > KEY_NAME_MAX {
        return invalid("longer than 255 UTF-16 units");
    }
    if name.contains('\0') {
        return invalid("it has a NUL");
    }
    if !name.encode_utf16().all(is_settled) {
        return invalid("the upper case of a character in it depends on the version of Windows");
    }
    Ok(())
}
