//! Inserting into and removing from subkey lists.
//!
//! A leaf grows to 1012 elements and is then halved under an index root, as Windows does.

use crate::bytes::index;
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::hive::Hive;
use crate::key_node::field;
use crate::name::Name;
use crate::subkey_list::{
    capacity, encode_list, leaf_size, IndexRoot, Leaf, LeafKind, SubkeyList, LEAF_MAX, LIST_HEADER,
};
use crate::view::{damaged, NIL};

/// Bytes of an element of an index root.
const ROOT_ELEMENT: usize = 4;

impl Hive {
    /// Adds a child to a key's list, where its name belongs, and counts it.
    pub(super) fn insert_child(&mut self, parent: u32, child: u32, name: Name<'_>) -> Result<(), HiveError> {
        let (node, _) = self.view().key_node(parent)?;
        if node.subkeys == 0 {
            let kind = if self.view().minor >= 5 { LeafKind::Hash } else { LeafKind::Hint };
            let list = self.allocate(&encode_list(kind.signature(), 1, &kind.encode(child, name)), 0)?;
            self.put_u32(parent, field::SUBKEY_LIST, list)?;
        } else {
            let upper: Vec<u16> = name.units().map(crate::upcase::upcase).collect();
            let list = node.subkey_list;
            match self.view().subkey_list(list)? {
                SubkeyList::Leaf(_) => {
                    let leaves = self.insert_into_leaf(list, child, name, &upper)?;
                    let head = match leaves.as_slice() {
                        [one] => *one,
                        several => {
                            let elements: Vec<u8> = several.iter().flat_map(|l| l.to_le_bytes()).collect();
                            self.allocate(&encode_list(*b"ri", several.len(), &elements), 0)?
                        }
                    };
                    self.put_u32(parent, field::SUBKEY_LIST, head)?;
                }
                SubkeyList::Root(root) => {
                    let number = self.view().search_root(&root, &upper)?;
                    let Some(leaf) = root.leaf(number) else {
                        return Err(damaged(Rule::V6, list, "an empty index root", "leaves", Effect::DropSubkeys));
                    };
                    let leaves = self.insert_into_leaf(leaf, child, name, &upper)?;
                    if let Some(head) = self.replace_in_root(list, number, &leaves)? {
                        self.put_u32(parent, field::SUBKEY_LIST, head)?;
                    }
                }
            }
        }
        self.put_u32(parent, field::SUBKEYS, node.subkeys.saturating_add(1))
    }

    /// Answers the leaf or leaves that now hold what the leaf held, and the child.
    fn insert_into_leaf(
        &mut self,
        cell: u32,
        child: u32,
        name: Name<'_>,
        upper: &[u16],
    ) -> Result<Vec<u32>, HiveError> {
        let view = self.view();
        let leaf: Leaf<'_> = view.leaf(cell)?;
        let Err(at) = view.search_leaf(&leaf, upper)? else {
            return Err(HiveError::Exists { key: String::new(), name: name.to_text() });
        };
        let (kind, size, count) = (leaf.kind, leaf.kind.element(), leaf.count.saturating_add(1));
        let room = capacity(view.payload(cell)?.len(), size);
        let (before, after) = leaf.elements.split_at(at.saturating_mul(size).min(leaf.elements.len()));
        let mut tail = kind.encode(child, name);
        tail.extend_from_slice(after);
        let before = before.to_vec();
        if count <= room && count <= LEAF_MAX {
            self.put(cell, LIST_HEADER.saturating_add(before.len()), &tail)?;
            self.put(cell, 2, &u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes())?;
            return Ok(vec![cell]);
        }
        let all = [before, tail].concat();
        let mut leaves = Vec::with_capacity(2);
        if count <= LEAF_MAX {
            // Room for a few more, so that many keys do not copy the list each time.
            let roomy = leaf_size(kind, count.saturating_add(count / 8).min(LEAF_MAX));
            leaves.push(self.allocate(&encode_list(kind.signature(), count, &all), roomy)?);
        } else {
            for half in all.chunks(count.div_ceil(2).saturating_mul(size).max(1)) {
                let list = encode_list(kind.signature(), half.len().checked_div(size).unwrap_or(0), half);
                leaves.push(self.allocate(&list, 0)?);
            }
        }
        self.free(cell)?;
        Ok(leaves)
    }

    /// Puts leaves in the place of one in an index root; answers the root's cell when it moved.
    fn replace_in_root(&mut self, cell: u32, number: usize, leaves: &[u32]) -> Result<Option<u32>, HiveError> {
        let view = self.view();
        let SubkeyList::Root(root) = view.subkey_list(cell)? else {
            return Err(damaged(Rule::V6, cell, "a leaf", "an index root", Effect::DropSubkeys));
        };
        let count = root.count().saturating_add(leaves.len()).saturating_sub(1);
        if count > index(u32::from(u16::MAX)) {
            return Err(HiveError::TooLarge { what: "an index root", size: count as u64, limit: u64::from(u16::MAX) });
        }
        let from = number.saturating_mul(ROOT_ELEMENT);
        let rest = root.elements.get(from.saturating_add(ROOT_ELEMENT)..).unwrap_or(&[]);
        let mut tail: Vec<u8> = leaves.iter().flat_map(|l| l.to_le_bytes()).collect();
        tail.extend_from_slice(rest);
        if count <= capacity(view.payload(cell)?.len(), ROOT_ELEMENT) {
            self.put(cell, LIST_HEADER.saturating_add(from), &tail)?;
            self.put(cell, 2, &u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes())?;
            return Ok(None);
        }
        let mut all = root.elements.get(..from).unwrap_or(&[]).to_vec();
        all.extend_from_slice(&tail);
        let moved = self.allocate(&encode_list(*b"ri", count, &all), 0)?;
        self.free(cell)?;
        Ok(Some(moved))
    }

    /// Takes a child out of a key's list; frees the list with the last one.
    pub(super) fn remove_child(&mut self, parent: u32, child: u32, name: &[u16]) -> Result<(), HiveError> {
        let view = self.view();
        let (node, _) = view.key_node(parent)?;
        let list = node.subkey_list;
        let (leaf_cell, at, number) = self.place_of_child(list, child, name)?;
        let leaf = view.leaf(leaf_cell)?;
        let size = leaf.kind.element();
        let after = at.saturating_add(1).saturating_mul(size);
        let rest = leaf.elements.get(after..).unwrap_or(&[]).to_vec();
        let left = leaf.count.saturating_sub(1);
        let last_leaf = match view.subkey_list(list)? {
            SubkeyList::Leaf(_) => true,
            SubkeyList::Root(root) => root.count() == 1,
        };
        if left > 0 {
            self.put(leaf_cell, LIST_HEADER.saturating_add(at.saturating_mul(size)), &rest)?;
            self.put(leaf_cell, 2, &u16::try_from(left).unwrap_or(u16::MAX).to_le_bytes())?;
        } else {
            self.free(leaf_cell)?;
            match number {
                Some(_) if last_leaf => {
                    self.free(list)?;
                    self.put_u32(parent, field::SUBKEY_LIST, NIL)?;
                }
                Some(number) => {
                    self.replace_in_root(list, number, &[])?;
                }
                None => self.put_u32(parent, field::SUBKEY_LIST, NIL)?,
            }
        }
        self.put_u32(parent, field::SUBKEYS, node.subkeys.saturating_sub(1))
    }

    /// The leaf a child is in, its place there, and the leaf's number in the index root if there is one.
    fn place_of_child(&self, list: u32, child: u32, upper: &[u16]) -> Result<(u32, usize, Option<usize>), HiveError> {
        let view = self.view();
        let in_leaf = |cell: u32| -> Result<Option<usize>, HiveError> {
            let leaf = view.leaf(cell)?;
            if let Ok(at) = view.search_leaf(&leaf, upper)? {
                if leaf.child(at) == Some(child) {
                    return Ok(Some(at));
                }
            }
            Ok(leaf.entries().position(|(c, _)| c == child))
        };
        match view.subkey_list(list)? {
            SubkeyList::Leaf(_) => {
                if let Some(at) = in_leaf(list)? {
                    return Ok((list, at, None));
                }
            }
            SubkeyList::Root(root) => {
                let likely = view.search_root(&root, upper)?;
                let others = (0..root.count()).filter(|&n| n != likely);
                for number in std::iter::once(likely).chain(others) {
                    let Some(cell) = root.leaf(number) else { continue };
                    if let Some(at) = in_leaf(cell)? {
                        return Ok((cell, at, Some(number)));
                    }
                }
            }
        }
        Err(damaged(Rule::V6, list, "a list without the key", "the key in its parent's list", Effect::DropSubkeys))
    }

    /// Frees a list with its leaves.
    pub(super) fn free_list(&mut self, list: u32) -> Result<(), HiveError> {
        if let SubkeyList::Root(root) = self.view().subkey_list(list)? {
            let root: IndexRoot<'_> = root;
            for leaf in root.leaves().collect::<Vec<_>>() {
                self.free(leaf)?;
            }
        }
        self.free(list)
    }
}
