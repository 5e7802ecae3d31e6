//! Subkey lists: leaves (`li`, `lf`, `lh`) and the index root (`ri`) over them.
//!
//! A leaf holds, sorted by upper-cased name, the cell offsets of the children, with a four-byte hint (`lf`) or hash (`lh`) each.
//! An index root holds offsets of leaves, one level only.

use crate::bytes::{array, index, u16_at, u32_at};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::key_node::KEY_MIN;
use crate::name::Name;
use crate::view::{damaged, View};

/// Bytes before the elements.
pub(crate) const LIST_HEADER: usize = 4;
/// Most elements in a leaf before Windows splits it.
pub(crate) const LEAF_MAX: usize = 1012;

/// The kinds of leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeafKind {
    /// `li`: offsets only.
    Plain,
    /// `lf`: offset and the first four characters.
    Hint,
    /// `lh`: offset and a hash of the name.
    Hash,
}

impl LeafKind {
    pub(crate) fn from_signature(signature: [u8; 2]) -> Option<Self> {
        match &signature {
            b"li" => Some(Self::Plain),
            b"lf" => Some(Self::Hint),
            b"lh" => Some(Self::Hash),
            _ => None,
        }
    }

    pub(crate) fn signature(self) -> [u8; 2] {
        match self {
            Self::Plain => *b"li",
            Self::Hint => *b"lf",
            Self::Hash => *b"lh",
        }
    }

    /// Size of an element in bytes.
    pub(crate) fn element(self) -> usize {
        match self {
            Self::Plain => 4,
            Self::Hint | Self::Hash => 8,
        }
    }

    /// An element for a child.
    pub(crate) fn encode(self, child: u32, name: Name<'_>) -> Vec<u8> {
        let mut element = child.to_le_bytes().to_vec();
        match self {
            Self::Plain => {}
            Self::Hint => element.extend_from_slice(&name.hint()),
            Self::Hash => element.extend_from_slice(&name.hash().to_le_bytes()),
        }
        element
    }
}

/// A leaf, its elements known to fit in the cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf<'h> {
    pub(crate) kind: LeafKind,
    pub(crate) count: usize,
    /// The elements, exactly.
    pub(crate) elements: &'h [u8],
}

impl<'h> Leaf<'h> {
    /// Cell offset of a child.
    pub(crate) fn child(&self, at: usize) -> Option<u32> {
        u32_at(self.elements, at.checked_mul(self.kind.element())?)
    }

    /// All children with their hint or hash (zero in `li`).
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, [u8; 4])> + 'h {
        let wide = self.kind != LeafKind::Plain;
        self.elements.chunks_exact(self.kind.element()).filter_map(move |e| {
            let child = u32_at(e, 0)?;
            Some((child, if wide { array(e, 4)? } else { [0; 4] }))
        })
    }
}

/// An index root, its elements known to fit in the cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexRoot<'h> {
    /// The elements, exactly.
    pub(crate) elements: &'h [u8],
}

impl<'h> IndexRoot<'h> {
    pub(crate) fn count(&self) -> usize {
        self.elements.len() / 4
    }

    pub(crate) fn leaf(&self, at: usize) -> Option<u32> {
        u32_at(self.elements, at.checked_mul(4)?)
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = u32> + 'h {
        self.elements.chunks_exact(4).filter_map(|e| u32_at(e, 0))
    }
}

/// A subkey list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SubkeyList<'h> {
    /// One leaf.
    Leaf(Leaf<'h>),
    /// Several.
    Root(IndexRoot<'h>),
}

impl<'h> SubkeyList<'h> {
    /// Reads a payload: the list, or what was found and expected.
    pub(crate) fn parse(payload: &'h [u8]) -> Result<Self, (String, String)> {
        let (Some(signature), Some(count)) = (array::<2>(payload, 0), u16_at(payload, 2)) else {
            return Err(("a cell too small".into(), "a subkey list".into()));
        };
        let count = usize::from(count);
        let kind = LeafKind::from_signature(signature);
        if kind.is_none() && signature != *b"ri" {
            return Err((format!("signature {signature:02x?}"), "\"li\", \"lf\", \"lh\" or \"ri\"".into()));
        }
        let size = count.saturating_mul(kind.map_or(4, LeafKind::element));
        let Some(elements) = payload.get(LIST_HEADER..LIST_HEADER.saturating_add(size)) else {
            return Err((format!("{count} elements"), format!("what fits in {} bytes", payload.len())));
        };
        Ok(match kind {
            Some(kind) => Self::Leaf(Leaf { kind, count, elements }),
            None => Self::Root(IndexRoot { elements }),
        })
    }
}

impl<'h> View<'h> {
    /// The list at an offset.
    pub(crate) fn subkey_list(&self, offset: u32) -> Result<SubkeyList<'h>, HiveError> {
        SubkeyList::parse(self.payload(offset)?)
            .map_err(|(found, expected)| damaged(Rule::V6, offset, found, expected, Effect::DropSubkeys))
    }

    /// The leaf at an offset.
    pub(crate) fn leaf(&self, offset: u32) -> Result<Leaf<'h>, HiveError> {
        match self.subkey_list(offset)? {
            SubkeyList::Leaf(leaf) => Ok(leaf),
            SubkeyList::Root(_) => Err(damaged(Rule::V6, offset, "an index root", "a leaf", Effect::DropSubkeys)),
        }
    }

    /// The leaves of a list: itself, or those of an index root.
    pub(crate) fn leaves(&self, offset: u32) -> Result<Vec<Leaf<'h>>, HiveError> {
        // Every child has a cell of its own; a list that names one key over and over, or one leaf, ends here.
        let most = self.bins.len() / KEY_MIN;
        let too_many = |offset, children: usize| {
            let found = format!("a list of {children} keys or more");
            damaged(
                Rule::V6,
                offset,
                found,
                format!("at most the {most} that the hive has room for"),
                Effect::DropSubkeys,
            )
        };
        let root = match self.subkey_list(offset)? {
            SubkeyList::Leaf(leaf) if leaf.count > most => return Err(too_many(offset, leaf.count)),
            SubkeyList::Leaf(leaf) => return Ok(vec![leaf]),
            SubkeyList::Root(root) => root,
        };
        let mut leaves = Vec::new();
        let mut children = 0usize;
        for offset in root.leaves() {
            let leaf = self.leaf(offset)?;
            // An empty leaf counts, too: it has a cell as well.
            children = children.saturating_add(leaf.count.max(1));
            if children > most {
                return Err(too_many(offset, children));
            }
            leaves.push(leaf);
        }
        Ok(leaves)
    }

    /// Where in a leaf a name is (`Ok`), or would be (`Err`), by binary search.
    pub(crate) fn search_leaf(&self, leaf: &Leaf<'_>, upper: &[u16]) -> Result<Result<usize, usize>, HiveError> {
        let (mut low, mut high) = (0usize, leaf.count);
        while low < high {
            let middle = low.midpoint(high);
            let child = leaf.child(middle).unwrap_or(u32::MAX);
            let (_, name) = self.key_node(child)?;
            match name.compare_upper(upper) {
                std::cmp::Ordering::Equal => return Ok(Ok(middle)),
                std::cmp::Ordering::Less => low = middle.saturating_add(1),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(Err(low))
    }

    /// The number of the leaf of an index root where a name is or belongs: the first whose last child is not before it.
    pub(crate) fn search_root(&self, root: &IndexRoot<'_>, upper: &[u16]) -> Result<usize, HiveError> {
        let (mut low, mut high) = (0usize, root.count().saturating_sub(1));
        while low < high {
            let middle = low.midpoint(high);
            let leaf = self.leaf(root.leaf(middle).unwrap_or(u32::MAX))?;
            let before = match leaf.count.checked_sub(1).and_then(|last| leaf.child(last)) {
                Some(last) => self.key_node(last)?.1.compare_upper(upper) == std::cmp::Ordering::Less,
                None => true,
            };
            if before {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The child of that name, by reading the whole list as Windows does with hashes: finds it also in a list out of order.
    pub(crate) fn find_child(&self, list: u32, upper: &[u16]) -> Result<Option<u32>, HiveError> {
        let hash = crate::name::hash_upper(upper).to_le_bytes();
        // Before Vista some units had another upper case, and so another hash: then names are compared.
        let trust_hash = upper.iter().all(|&u| u < 0x80);
        for leaf in self.leaves(list)? {
            for (child, hint) in leaf.entries() {
                if leaf.kind == LeafKind::Hash && trust_hash && hint != hash {
                    continue;
                }
                if self.key_node(child)?.1.is(upper) {
                    return Ok(Some(child));
                }
            }
        }
        Ok(None)
    }
}

/// The number of bytes a leaf's cell needs for a number of elements.
pub(crate) fn leaf_size(kind: LeafKind, count: usize) -> usize {
    kind.element().saturating_mul(count).saturating_add(LIST_HEADER)
}

/// The payload of a list.
pub(crate) fn encode_list(signature: [u8; 2], count: usize, elements: &[u8]) -> Vec<u8> {
    let mut payload = signature.to_vec();
    payload.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    payload.extend_from_slice(elements);
    payload
}

/// How many elements a payload of that size has room for.
pub(crate) fn capacity(payload: usize, element: usize) -> usize {
    payload.saturating_sub(LIST_HEADER).checked_div(element).unwrap_or(0).min(index(u32::from(u16::MAX)))
}
