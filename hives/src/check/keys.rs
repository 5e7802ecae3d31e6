//! V4, V5 and V9: the root, key nodes and the tree they form.

use super::{finding, Checker};
use crate::fault::{Effect, Rule};
use crate::key_node::{field, flag, KeyNode, DEPTH_MAX, KEY_HEADER, KEY_MAX};
use crate::name::Name;
use crate::view::NIL;

/// A key whose subkeys are still to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) cell: u32,
    pub(super) subkeys: u32,
    pub(super) subkey_list: u32,
    pub(super) max_name: u16,
    /// Keys above it.
    pub(super) depth: u16,
}

impl Pending {
    pub(super) fn new(cell: u32, node: &KeyNode, depth: u16) -> Self {
        let (subkeys, subkey_list, max_name) = (node.subkeys, node.subkey_list, node.max_name);
        Self { cell, subkeys, subkey_list, max_name, depth }
    }
}

impl<'h> Checker<'h> {
    pub(super) fn keys(&mut self) {
        let mut stack: Vec<Pending> = Vec::new();
        stack.extend(self.root_key());
        while let Some(key) = stack.pop() {
            self.subkeys(&key, &mut stack);
        }
    }

    /// Looks at the root key; answers it if it has subkeys.
    pub(super) fn root_key(&mut self) -> Option<Pending> {
        let root = self.view.root;
        let (node, _) = self.key(root, None)?;
        if node.flags & flag::ROOT == 0 {
            let finding = finding(Rule::V4, Effect::Tolerated, format!("flags {:#x}", node.flags), "the root flag 0x4");
            self.report(root, field::FLAGS, root, finding);
        }
        (node.subkeys > 0).then(|| Pending::new(root, &node, 0))
    }

    /// Looks at a key and all it has but its subkeys. `parent`: the key in whose list it is; `None` for the root.
    pub(super) fn key(&mut self, cell: u32, parent: Option<u32>) -> Option<(KeyNode, Name<'h>)> {
        let drop = if parent.is_none() { Effect::RefuseHive } else { Effect::DropSubtree };
        let rule = if parent.is_none() { Rule::V4 } else { Rule::V5 };
        let owner = parent.unwrap_or(cell);
        // When only changes are checked, a key in a list is looked at for the list's sake, which does not explain changes of its own.
        let followed = self.followed.take();
        let changes_only = followed.is_some();
        let payload = self.follow(cell, "a key", owner, drop);
        self.followed = followed;
        let payload = payload?;
        let Some(node) = KeyNode::parse(payload) else {
            let found = format!("{:02x?} in a cell of {} bytes", payload.get(..2).unwrap_or(&[]), payload.len());
            let expected = format!("signature \"nk\" and {KEY_HEADER} bytes");
            self.report(cell, 0, owner, finding(rule, drop, found, expected));
            return None;
        };
        let Some(name) = node.name(payload) else {
            let found = format!("a name of {} bytes in a cell of {}", node.name_length, payload.len());
            self.report(cell, field::NAME_LENGTH, owner, finding(rule, drop, found, "a name that fits"));
            return None;
        };
        if payload.len() > KEY_MAX {
            let found = format!("a key cell of {} bytes", payload.len());
            self.report(cell, 0, cell, finding(rule, drop, found, format!("at most {KEY_MAX}")));
        }
        if node.name_length == 0 || (!node.compressed() && node.name_length & 1 == 1) {
            let found = format!("a name of {} bytes", node.name_length);
            self.report(cell, field::NAME_LENGTH, owner, finding(rule, drop, found, "whole characters, one at least"));
        }
        if let Some(parent) = parent {
            if node.parent != parent {
                let found = format!("parent {:#x}", node.parent);
                self.report(cell, field::PARENT, parent, finding(Rule::V5, drop, found, format!("{parent:#x}")));
            }
        }
        if changes_only {
            return Some((node, name));
        }
        if node.volatile_subkeys > 0 {
            let stale = &mut self.report.stats.stale_volatile_counts;
            *stale = stale.saturating_add(1);
        }
        self.report.stats.keys = self.report.stats.keys.saturating_add(1);
        self.class(cell, &node);
        self.users.add(node.security);
        if node.flags & flag::PREDEFINED == 0 {
            self.values(cell, &node);
        }
        Some((node, name))
    }

    pub(super) fn class(&mut self, key: u32, node: &KeyNode) {
        if node.class == NIL || node.class_length == 0 {
            if node.class_length > 0 {
                let found = format!("a class name of {} bytes without a cell", node.class_length);
                self.report(key, field::CLASS, key, finding(Rule::V5, Effect::DropClass, found, "a cell"));
            }
            return;
        }
        if let Some(payload) = self.follow(node.class, "a class name", key, Effect::DropClass) {
            if payload.len() < usize::from(node.class_length) {
                let found = format!("a class name of {} bytes in a cell of {}", node.class_length, payload.len());
                self.report(
                    key,
                    field::CLASS_LENGTH,
                    key,
                    finding(Rule::V5, Effect::DropClass, found, "one that fits"),
                );
            }
        }
    }

    /// Whether a key at that depth may have subkeys.
    pub(super) fn depth_allows(&mut self, key: &Pending) -> bool {
        if usize::from(key.depth) < DEPTH_MAX {
            return true;
        }
        let found = format!("subkeys below depth {}", key.depth);
        let finding = finding(Rule::V9, Effect::DropSubkeys, found, format!("at most {DEPTH_MAX} levels"));
        self.report(key.cell, field::SUBKEY_LIST, key.cell, finding);
        false
    }
}
