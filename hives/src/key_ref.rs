//! Reading keys.

use std::borrow::Cow;

use crate::bitset::BitSet;
use crate::bytes::{index, slice};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::filetime::FileTime;
use crate::hive::Hive;
use crate::key_node::{flag, KeyNode};
use crate::name::{upper_units, Name};
use crate::subkey_list::SubkeyList;
use crate::value_ref::ValueRef;
use crate::view::{absolute, damaged, View};

/// A key of a hive that is open.
#[derive(Clone, Copy)]
pub struct KeyRef<'h> {
    pub(crate) view: View<'h>,
    pub(crate) cell: u32,
    pub(crate) node: KeyNode,
    pub(crate) name: Name<'h>,
}

impl std::fmt::Debug for KeyRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRef").field("name", &self.name()).field("offset", &self.file_offset()).finish()
    }
}

impl<'h> KeyRef<'h> {
    #[inline]
    pub(crate) fn new(view: View<'h>, cell: u32) -> Result<Self, HiveError> {
        let (node, name) = view.key_node(cell)?;
        Ok(Self { view, cell, node, name })
    }

    /// Absolute offset of the key's cell in the file, in bytes.
    pub fn file_offset(&self) -> u64 {
        absolute(self.cell, 0)
    }

    /// The name. Unpaired surrogates, which Windows allows, read as U+FFFD. Of a root key, whatever it was called where it was made.
    pub fn name(&self) -> String {
        self.name.to_text()
    }

    /// As [`KeyRef::name`], borrowed from the hive where it is ASCII.
    pub fn name_text(&self) -> Cow<'h, str> {
        self.name.text()
    }

    /// The name's UTF-16 units as stored.
    pub fn name_units(&self) -> Vec<u16> {
        self.name.units().collect()
    }

    /// The path from the root (the root: empty), by following parents; `None` when they lead nowhere.
    pub fn path(&self) -> Option<String> {
        self.view.path_of(self.cell)
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.cell == self.view.root
    }

    /// When the key, its values, its list of subkeys or its security was last changed.
    pub fn last_written(&self) -> FileTime {
        FileTime(self.node.timestamp)
    }

    /// Flags as stored: 0x04 root, 0x08 not to be deleted, 0x10 symbolic link, 0x20 name of one byte per character, 0x40 predefined handle.
    pub fn flags(&self) -> u16 {
        self.node.flags
    }

    /// Whether the key is a symbolic link to another.
    pub fn is_symlink(&self) -> bool {
        self.node.flags & flag::SYMLINK != 0
    }

    /// Number of subkeys as stated in the key.
    pub fn subkey_count(&self) -> u32 {
        self.node.subkeys
    }

    /// Number of values as stated in the key.
    pub fn value_count(&self) -> u32 {
        if self.node.flags & flag::PREDEFINED != 0 {
            return 0;
        }
        self.node.values
    }

    /// The class name, if the key has one.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when its cell can't be read.
    pub fn class(&self) -> Result<Option<String>, HiveError> {
        if self.node.class_length == 0 {
            return Ok(None);
        }
        let payload = self.view.payload(self.node.class)?;
        let Some(bytes) = slice(payload, 0, usize::from(self.node.class_length)) else {
            let found = format!("a class name of {} bytes in a cell of {}", self.node.class_length, payload.len());
            return Err(damaged(Rule::V5, self.node.class, found, "one that fits", Effect::DropClass));
        };
        Ok(Some(Name::new(bytes, false).to_text()))
    }

    /// The bytes of the key's self-relative security descriptor.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when its cell can't be read.
    pub fn security_descriptor(&self) -> Result<&'h [u8], HiveError> {
        Ok(self.view.security(self.node.security)?.descriptor)
    }

    /// The subkey of that name.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the list or a key in it can't be read.
    pub fn subkey(&self, name: &str) -> Result<Option<KeyRef<'h>>, HiveError> {
        if self.node.subkeys == 0 {
            return Ok(None);
        }
        match self.view.find_child(self.node.subkey_list, &upper_units(name))? {
            Some(cell) => Self::new(self.view, cell).map(Some),
            None => Ok(None),
        }
    }

    /// All subkeys, in the order of the list.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the list or a key in it can't be read.
    pub fn subkeys(&self) -> Result<Vec<KeyRef<'h>>, HiveError> {
        self.child_cells()?.into_iter().map(|cell| Self::new(self.view, cell)).collect()
    }

    /// As [`KeyRef::subkeys`], one after the other.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the list can't be read; the iterator yields that of each key.
    pub fn each_subkey(&self) -> Result<impl Iterator<Item = Result<KeyRef<'h>, HiveError>> + 'h, HiveError> {
        let leaves = if self.node.subkeys == 0 { Vec::new() } else { self.view.leaves(self.node.subkey_list)? };
        let view = self.view;
        Ok(leaves.into_iter().flat_map(|leaf| leaf.entries()).map(move |(cell, _)| Self::new(view, cell)))
    }

    fn child_cells(&self) -> Result<Vec<u32>, HiveError> {
        if self.node.subkeys == 0 {
            return Ok(Vec::new());
        }
        let leaves = self.view.leaves(self.node.subkey_list)?;
        Ok(leaves.iter().flat_map(|leaf| leaf.entries().map(|(child, _)| child)).collect())
    }

    /// The value of that name (empty: the default value), compared without regard to case.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the list or a value in it can't be read.
    pub fn value(&self, name: &str) -> Result<Option<ValueRef<'h>>, HiveError> {
        let upper = upper_units(name);
        for cell in self.value_cells()? {
            let value = ValueRef::new(self.view, cell)?;
            if value.name.is(&upper) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// All values, in the order of the list.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the list or a value in it can't be read.
    pub fn values(&self) -> Result<Vec<ValueRef<'h>>, HiveError> {
        self.value_cells()?.map(|cell| ValueRef::new(self.view, cell)).collect()
    }

    /// As [`KeyRef::values`], one after the other.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the list can't be read; the iterator yields that of each value.
    pub fn each_value(&self) -> Result<impl Iterator<Item = Result<ValueRef<'h>, HiveError>> + 'h, HiveError> {
        let view = self.view;
        Ok(self.value_cells()?.map(move |cell| ValueRef::new(view, cell)))
    }

    pub(crate) fn value_cells(&self) -> Result<impl Iterator<Item = u32> + 'h, HiveError> {
        self.view.value_list(self.node.value_list, self.value_count())
    }
}

/// A walk over a key and everything under it, parents before children, siblings in the order of their list.
///
/// Each key comes once, whatever a damaged hive says, so the walk always ends. After an error it goes on with what is left.
pub struct Walk<'h> {
    view: View<'h>,
    /// Keys to visit, the next one last, with their depth below the start.
    stack: Vec<(u32, usize)>,
    seen: BitSet,
}

impl<'h> Iterator for Walk<'h> {
    type Item = Result<(usize, KeyRef<'h>), HiveError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (cell, depth) = self.stack.pop()?;
            if !self.seen.insert(index(cell / 8)) {
                continue;
            }
            let key = match KeyRef::new(self.view, cell) {
                Ok(key) => key,
                Err(error) => return Some(Err(error)),
            };
            if key.node.subkeys > 0 {
                if let Err(error) = self.push_children(key.node.subkey_list, depth.saturating_add(1)) {
                    return Some(Err(error));
                }
            }
            return Some(Ok((depth, key)));
        }
    }
}

impl<'h> Walk<'h> {
    /// The children of a key come next, if no other key has the same list: in a damaged hive many keys could name one long list.
    fn push_children(&mut self, list: u32, depth: usize) -> Result<(), HiveError> {
        self.once(list)?;
        let before = self.stack.len();
        match self.view.subkey_list(list)? {
            SubkeyList::Leaf(leaf) => self.stack.extend(leaf.entries().map(|(child, _)| (child, depth))),
            SubkeyList::Root(root) => {
                for leaf in root.leaves() {
                    self.once(leaf)?;
                }
                for leaf in self.view.leaves(list)? {
                    self.stack.extend(leaf.entries().map(|(child, _)| (child, depth)));
                }
            }
        }
        // The first child is taken first: last in the stack.
        if let Some(children) = self.stack.get_mut(before..) {
            children.reverse();
        }
        Ok(())
    }

    fn once(&mut self, list: u32) -> Result<(), HiveError> {
        if self.seen.insert(index(list / 8)) {
            return Ok(());
        }
        Err(damaged(Rule::V3, list, "a list used twice", "a list of its own", Effect::DropSubkeys))
    }
}

impl Hive {
    /// Every key of the hive with its depth (root: 0), parents first.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the root can't be read; the iterator yields the others.
    pub fn walk(&self) -> Result<Walk<'_>, HiveError> {
        Ok(self.root()?.walk())
    }
}

impl<'h> KeyRef<'h> {
    /// This key (depth 0) and every key under it, parents first.
    pub fn walk(&self) -> Walk<'h> {
        Walk { view: self.view, stack: vec![(self.cell, 0)], seen: BitSet::new(self.view.bins.len() / 8) }
    }
}
