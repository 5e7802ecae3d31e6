//! V6: subkey lists.

use std::cmp::Ordering;

use super::keys::Pending;
use super::{finding, Checker};
use crate::fault::{Effect, Rule};
use crate::key_node::field;
use crate::name::Name;
use crate::subkey_list::{Leaf, LeafKind, SubkeyList};

/// What runs along while the leaves of one key are read.
#[derive(Default)]
struct Progress<'h> {
    children: u64,
    longest: usize,
    previous: Option<Name<'h>>,
    orders: Orders,
}

/// By which tables of upper case the list is in order so far. Windows before Vista had another one, and a list must be in order by one of
/// the two from its beginning to its end: no Windows finds everything in a list that is sorted partly by each.
struct Orders {
    vista: bool,
    xp: bool,
}

impl Default for Orders {
    fn default() -> Self {
        Orders { vista: true, xp: true }
    }
}

impl Orders {
    /// Takes the next pair of neighbours; whether the list is still in order.
    fn go_on(&mut self, previous: Name<'_>, name: Name<'_>) -> bool {
        let vista = previous.compare(name) == Ordering::Less;
        self.vista &= vista;
        // Both tables agree on names of one byte per character.
        self.xp &=
            if previous.is_narrow() && name.is_narrow() { vista } else { previous.compare_xp(name) == Ordering::Less };
        self.vista || self.xp
    }
}

impl<'h> Checker<'h> {
    pub(super) fn subkeys(&mut self, key: &Pending, stack: &mut Vec<Pending>) {
        if !self.depth_allows(key) {
            return;
        }
        let list = key.subkey_list;
        let Some(payload) = self.follow(list, "a subkey list", key.cell, Effect::DropSubkeys) else { return };
        let mut progress = Progress::default();
        let before = stack.len();
        match SubkeyList::parse(payload) {
            Ok(SubkeyList::Leaf(leaf)) => self.leaf(list, &leaf, key, &mut progress, stack),
            Ok(SubkeyList::Root(root)) => {
                for cell in root.leaves() {
                    let Some(payload) = self.follow(cell, "a leaf", key.cell, Effect::DropSubkeys) else { continue };
                    match SubkeyList::parse(payload) {
                        Ok(SubkeyList::Leaf(leaf)) => self.leaf(cell, &leaf, key, &mut progress, stack),
                        Ok(SubkeyList::Root(_)) => {
                            let finding =
                                finding(Rule::V6, Effect::DropSubkeys, "an index root in an index root", "a leaf");
                            self.report(cell, 0, key.cell, finding);
                        }
                        Err((found, expected)) => {
                            self.report(cell, 0, key.cell, finding(Rule::V6, Effect::DropSubkeys, found, expected));
                        }
                    }
                }
            }
            Err((found, expected)) => {
                self.report(list, 0, key.cell, finding(Rule::V6, Effect::DropSubkeys, found, expected));
                return;
            }
        }
        // Depth first in the order of the lists.
        if let Some(new) = stack.get_mut(before..) {
            new.reverse();
        }
        if progress.children != u64::from(key.subkeys) {
            let found = format!("a count of {} subkeys", key.subkeys);
            let expected = format!("{}, as in the list", progress.children);
            self.report(key.cell, field::SUBKEYS, key.cell, finding(Rule::V6, Effect::DropSubkeys, found, expected));
        }
        if progress.longest.saturating_mul(2) > usize::from(key.max_name) {
            let found = format!("a longest subkey name of {} bytes", key.max_name);
            let expected = format!("{} at least", progress.longest.saturating_mul(2));
            self.report(key.cell, field::MAX_NAME, key.cell, finding(Rule::V5, Effect::Tolerated, found, expected));
        }
    }

    fn leaf(
        &mut self,
        cell: u32,
        leaf: &Leaf<'h>,
        key: &Pending,
        progress: &mut Progress<'h>,
        stack: &mut Vec<Pending>,
    ) {
        progress.children = progress.children.saturating_add(leaf.count as u64);
        let below = key.depth.saturating_add(1);
        if leaf.count > 0 {
            self.report.stats.depth = self.report.stats.depth.max(u64::from(below));
        }
        for (at, (child, hint)) in leaf.entries().enumerate() {
            let Some((node, name)) = self.key(child, Some(key.cell)) else { continue };
            let element = 4usize.saturating_add(at.saturating_mul(leaf.kind.element()));
            self.hint(cell, element.saturating_add(4), leaf.kind, hint, name, key.cell);
            if let Some(previous) = progress.previous {
                if !progress.orders.go_on(previous, name) {
                    self.order(cell, element, previous, name, key.cell);
                    progress.orders = Orders::default();
                }
            }
            progress.previous = Some(name);
            progress.longest = progress.longest.max(name.len());
            if node.subkeys > 0 {
                stack.push(Pending::new(child, &node, below));
            }
        }
    }

    fn hint(&mut self, cell: u32, field: usize, kind: LeafKind, hint: [u8; 4], name: Name<'_>, key: u32) {
        let mut effect = Effect::Invisible;
        let good = match kind {
            LeafKind::Plain => true,
            // A first byte of zero is no hint.
            LeafKind::Hint => hint == name.hint() || hint.first() == Some(&0),
            LeafKind::Hash => {
                let hash = u32::from_le_bytes(hint);
                hash == name.hash() || hash == name.hash_xp()
            }
        };
        if good {
            return;
        }
        let expected = match kind {
            LeafKind::Hash => format!("hash {:#010x}", name.hash()),
            LeafKind::Plain | LeafKind::Hint => {
                // Hints of names beyond ASCII differ in hives that Windows reads well.
                if name.units().take(4).any(|u| u >= 0x80) {
                    effect = Effect::Tolerated;
                }
                format!("hint {:02x?}", name.hint())
            }
        };
        let found = format!("{hint:02x?} for \"{}\"", name.to_text());
        self.report(cell, field, key, finding(Rule::V6, effect, found, expected));
    }

    fn order(&mut self, cell: u32, element: usize, previous: Name<'_>, name: Name<'_>, key: u32) {
        let twice = previous.compare(name) == Ordering::Equal;
        let found = if twice {
            format!("\"{}\" twice", name.to_text())
        } else {
            format!("\"{}\" behind \"{}\"", name.to_text(), previous.to_text())
        };
        let expected = if twice { "different names" } else { "names in ascending order" };
        self.report(cell, element, key, finding(Rule::V6, Effect::DropSubtree, found, expected));
    }
}
