//! Checking only what edits changed: the cost is that of the changes, not of the hive.
//!
//! It starts from a hive that passed the whole check, and from the ledger of its cells. Edits note each key before they touch it, with the cells that its parts
//! take. Afterwards the bins with changed pages are tiled anew, the old cells of the noted keys are struck off the ledger, and the parts of these keys are checked as in the
//! whole check, which enters their new cells. The notes are not believed: every cell that is new or has other bytes than before has to be one that was checked this
//! way, every part of a noted key that is not checked has to be what it was, and in the bins concerned no cell may be lost or named while free. Whatever
//! is not explained like this is left to the whole check.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::keys::Pending;
use super::{CheckReport, Checker, Ledger};
use crate::allocator::CellIndex;
use crate::base_block::field as base_field;
use crate::bitset::BitSet;
use crate::bytes::{as_u32, i32_at, index, u32_at};
use crate::error::HiveError;
use crate::fault::Effect;
use crate::hive::{view_of, Hive};
use crate::image::{Image, PAGE};
use crate::key_node::{flag, KeyNode, DEPTH_MAX, KEY_MAX};
use crate::subkey_list::SubkeyList;
use crate::view::{View, BIN_HEADER, NIL};

/// What a sound hive was when it was checked, and which keys were touched since.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    ledger: Ledger,
    noted: BTreeMap<u32, Noted>,
    /// Notes that the present edit replaced, to be put back if it fails.
    replaced: Vec<(u32, Option<Noted>)>,
}

/// A key that was touched.
#[derive(Debug, Clone, Default)]
struct Noted {
    /// What it was; `None` for a key that was made since.
    before: Option<Before>,
    /// The cells of its values then, if they were touched.
    values: Option<Vec<u32>>,
    /// Its subkey lists and the keys in them then, if they were touched.
    subkeys: Option<Vec<u32>>,
    /// Whether the cell was made a key since (again, perhaps).
    made: bool,
    /// Whether it is a key now.
    alive: bool,
}

#[derive(Debug, Clone)]
struct Before {
    node: KeyNode,
    name: Vec<u16>,
}

/// Which part of a key an edit touches besides the node itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Class name, security, or a maximum.
    Node,
    Values,
    Subkeys,
    /// Everything: the key goes away.
    Gone,
}

impl Hive {
    /// Takes the result of a whole check as the state to start from.
    pub(super) fn trust(&mut self, ledger: Option<Ledger>) {
        let mut ledger = ledger;
        if let Some(ledger) = &mut ledger {
            // An editor that has its own list goes on with it, and this one would be out of date when it is asked for.
            ledger.free = ledger.free.take().filter(|_| self.cells.is_none());
        }
        self.trust = ledger.map(|ledger| Trust { ledger, noted: BTreeMap::new(), replaced: Vec::new() });
    }

    /// Notes an existing key, before an edit writes to it.
    pub(crate) fn note(&mut self, key: u32, part: Part) {
        let Some(mut trust) = self.trust.take() else { return };
        // What can't be read can't be vouched for: then the whole check has to say what it is.
        if trust.note(&self.view(), key, part).is_ok() {
            self.trust = Some(trust);
        }
    }

    /// Notes a key that was just made.
    pub(crate) fn note_made(&mut self, key: u32) {
        if let Some(trust) = &mut self.trust {
            trust.change(key, |noted| {
                noted.made = true;
                noted.alive = true;
            });
        }
    }

    #[cfg(test)]
    pub(super) fn ledger(&self) -> Option<&Ledger> {
        self.trust.as_ref().map(|trust| &trust.ledger)
    }

    /// The free cells as the whole check met them. For the first edit that allocates or frees: the list is given away once.
    pub(crate) fn known_free_cells(&mut self) -> Option<CellIndex> {
        let ledger = &mut self.trust.as_mut()?.ledger;
        let free = ledger.free.take()?;
        Some(CellIndex::new(&free, ledger.bins.clone()))
    }

    pub(crate) fn begin_notes(&mut self) {
        if let Some(trust) = &mut self.trust {
            trust.replaced.clear();
        }
    }

    pub(crate) fn roll_back_notes(&mut self) {
        let Some(trust) = &mut self.trust else { return };
        while let Some((key, before)) = trust.replaced.pop() {
            match before {
                Some(before) => trust.noted.insert(key, before),
                None => trust.noted.remove(&key),
            };
        }
    }

    /// Whether the hive is sound, as far as that can be told from the last whole check and the changes since; when it can't, the answer is no, and the whole
    /// check has to tell.
    pub(crate) fn changes_are_sound(&mut self) -> bool {
        self.trust = self.trust.take().and_then(|trust| trust.follow(&self.image));
        self.trust.is_some()
    }
}

impl Trust {
    fn note(&mut self, view: &View<'_>, key: u32, part: Part) -> Result<(), HiveError> {
        let (node, name) = view.key_node(key)?;
        let known = self.noted.get(&key);
        let made = known.is_some_and(|n| n.made);
        let wants = |part_noted: bool, wanted: Part| !made && !part_noted && (part == wanted || part == Part::Gone);
        let values = if wants(known.is_some_and(|n| n.values.is_some()), Part::Values) {
            Some(value_cells(view, &node)?)
        } else {
            None
        };
        let subkeys = if wants(known.is_some_and(|n| n.subkeys.is_some()), Part::Subkeys) {
            Some(subkey_cells(view, &node)?)
        } else {
            None
        };
        let first = known.is_none();
        if first || values.is_some() || subkeys.is_some() || part == Part::Gone {
            self.change(key, |noted| {
                if first {
                    noted.before = Some(Before { node, name: name.units().collect() });
                }
                noted.values = values.or(noted.values.take());
                noted.subkeys = subkeys.or(noted.subkeys.take());
                noted.alive = part != Part::Gone;
            });
        }
        Ok(())
    }

    fn change(&mut self, key: u32, work: impl FnOnce(&mut Noted)) {
        self.replaced.push((key, self.noted.get(&key).cloned()));
        work(self.noted.entry(key).or_default());
    }

    /// Checks the changes; the state to go on from, or `None`.
    fn follow(self, image: &Image) -> Option<Self> {
        let Trust { ledger, noted, .. } = self;
        let Ledger { mut starts, mut seen, mut users, mut ring, mut bins, length, .. } = ledger;
        let bytes = image.bytes();
        let view = view_of(bytes);
        let mut base = Checker::bare(bytes, view);
        let root_then = u32_at(image.original_page(0), base_field::ROOT);
        if !base.base_block() || !base.report.is_sound() || root_then != Some(view.root) {
            return None;
        }

        let mut tiles = Tiles { image, view, length, fresh: Vec::new(), leaks: HashSet::new() };
        let concerned = tiles.concerned(&mut bins)?;
        let cells = view.bins.len() / 8;
        starts.grow(cells);
        seen.grow(cells);
        for (bin, end) in &concerned {
            tiles.tile(*bin, *end, &mut starts, &seen)?;
        }

        let mut security_changed = false;
        for noted in noted.values() {
            let Some(Before { node, .. }) = &noted.before else { continue };
            let class = (node.class != NIL && node.class_length > 0).then_some(node.class);
            let old = noted.values.iter().chain(&noted.subkeys).flatten().copied().chain(class);
            for cell in old {
                if !seen.remove(index(cell / 8)) {
                    return None;
                }
            }
            users.remove(node.security);
        }

        let followed = Some(HashSet::new());
        let report = CheckReport::default();
        let mut checker = Checker { starts: Some(starts), seen, users, report, followed, ..Checker::bare(bytes, view) };
        for (cell, noted) in &noted {
            security_changed |= !noted.alive || noted.made;
            if noted.alive {
                let now = checker.noted_key(*cell, noted)?;
                security_changed |= noted.before.as_ref().is_some_and(|b| b.node.security != now.security);
            }
        }
        checker.users.end_run();
        let explained = |checker: &Checker<'_>, cell: &u32| {
            checker.followed.as_ref().is_some_and(|followed| followed.contains(cell))
        };
        if security_changed || tiles.fresh.iter().any(|cell| !explained(&checker, cell)) {
            for cell in &ring {
                if !checker.seen.remove(index(cell / 8)) {
                    return None;
                }
            }
            ring = checker.security_ring();
        }
        let all_explained = tiles.fresh.iter().all(|cell| explained(&checker, cell));
        let none_lost = noted.iter().all(|(cell, n)| !n.alive || checker.seen.contains(index(cell / 8)));
        if !checker.report.is_sound() || !all_explained || !none_lost {
            return None;
        }
        let Checker { starts, seen, users, .. } = checker;
        let starts = starts?;
        for (bin, end) in &concerned {
            let range = index(bin / 8)..index(end / 8);
            let lost = |at: usize| !tiles.leaks.contains(&at);
            if seen.first_without(&starts, range.clone(), |_| true).is_some()
                || starts.first_without(&seen, range, lost).is_some()
            {
                return None;
            }
        }
        let length = as_u32(view.bins.len());
        let ledger = Ledger { starts, seen, users, ring, bins, free: None, length };
        Some(Trust { ledger, noted: BTreeMap::new(), replaced: Vec::new() })
    }
}

/// The tiling of bins in which something changed.
struct Tiles<'i> {
    image: &'i Image,
    view: View<'i>,
    /// Length of the bins when the whole check ran.
    length: u32,
    /// Allocated cells that are new, or hold other bytes than before.
    fresh: Vec<u32>,
    /// Allocated cells that nothing referred to before, by offset / 8.
    leaks: HashSet<usize>,
}

impl Tiles<'_> {
    /// Start and end of the bins with changed pages, and of those that were added; enters the latter.
    fn concerned(&self, bins: &mut Vec<u32>) -> Option<Vec<(u32, u32)>> {
        let known = bins.len();
        let end = as_u32(self.view.bins.len());
        let mut at = self.length;
        while at < end {
            let size = self.view.bin(at).ok()?;
            bins.push(at);
            at = at.checked_add(size)?;
        }
        let mut numbers: BTreeSet<usize> = (known..bins.len()).collect();
        for page in self.image.changed_pages() {
            let Some(offset) = page.checked_sub(1).and_then(|p| p.checked_mul(PAGE)) else { continue };
            let offset = as_u32(offset);
            if offset < self.length {
                numbers.insert(bins.partition_point(|&start| start <= offset).checked_sub(1)?);
            }
        }
        let concerned = numbers.into_iter().map(|number| {
            let start = *bins.get(number)?;
            let next = number.checked_add(1).and_then(|next| bins.get(next)).copied().unwrap_or(end);
            (self.view.bin(start).ok()? == next.checked_sub(start)?).then_some((start, next))
        });
        concerned.collect()
    }

    /// Tiles a bin; its cells take the place of those that were there.
    fn tile(&mut self, bin: u32, end: u32, starts: &mut BitSet, seen: &BitSet) -> Option<()> {
        let range = index(bin / 8)..index(end / 8);
        let leaks = &mut self.leaks;
        starts.first_without(seen, range.clone(), |at| {
            leaks.insert(at);
            false
        });
        let mut cell = bin.checked_add(BIN_HEADER)?;
        let mut found = Vec::new();
        while cell < end {
            let raw = i32_at(self.view.bins, index(cell))?;
            let size = raw.unsigned_abs();
            let next = cell.checked_add(size)?;
            if size < 8 || size & 7 != 0 || next > end {
                return None;
            }
            if raw < 0 {
                if !starts.contains(index(cell / 8)) || self.differs(cell, next) {
                    self.fresh.push(cell);
                }
                found.push(cell);
            }
            cell = next;
        }
        for at in range {
            starts.remove(at);
        }
        for cell in found {
            starts.insert(index(cell / 8));
        }
        Some(())
    }

    /// Whether bytes in the bins are not what they were.
    fn differs(&self, from: u32, to: u32) -> bool {
        let (mut at, end) = (index(from).saturating_add(PAGE), index(to).saturating_add(PAGE));
        while at < end {
            let page = at / PAGE;
            let start = page.saturating_mul(PAGE);
            let stop = start.saturating_add(PAGE).min(end);
            if self.image.is_preserved(page) || stop > self.image.original_len() {
                let old = self.image.original_page(page);
                let part = at.saturating_sub(start)..stop.saturating_sub(start);
                if old.get(part) != self.image.bytes().get(at..stop) {
                    return true;
                }
            }
            at = stop;
        }
        false
    }
}

impl Checker<'_> {
    /// Looks at a noted key as it is now; `None` when something about it is not as it has to be.
    fn noted_key(&mut self, cell: u32, noted: &Noted) -> Option<KeyNode> {
        let payload = self.look(cell, "a key", cell, Effect::DropSubtree)?;
        let node = KeyNode::parse(payload).filter(|_| payload.len() <= KEY_MAX)?;
        let name = node.name(payload)?;
        let whole = noted.made;
        if let (false, Some(Before { node: old, name: old_name })) = (whole, &noted.before) {
            let same = (old.flags, old.parent, old.layer) == (node.flags, node.parent, node.layer)
                && name.units().eq(old_name.iter().copied())
                && (noted.values.is_some() || (old.values, old.value_list) == (node.values, node.value_list))
                && (noted.subkeys.is_some() || (old.subkeys, old.subkey_list) == (node.subkeys, node.subkey_list));
            if !same {
                return None;
            }
        }
        let depth = self.depth_of(cell)?;
        if let Some(followed) = &mut self.followed {
            followed.insert(cell);
        }
        self.class(cell, &node);
        self.users.add(node.security);
        if (whole || noted.values.is_some()) && node.flags & flag::PREDEFINED == 0 {
            self.values(cell, &node);
        }
        if (whole || noted.subkeys.is_some()) && node.subkeys > 0 {
            self.subkeys(&Pending::new(cell, &node, depth), &mut Vec::new());
        }
        Some(node)
    }

    /// Keys above one, up to the root; `None` when the parents do not lead there.
    fn depth_of(&self, cell: u32) -> Option<u16> {
        let mut at = cell;
        let mut depth = 0u16;
        while at != self.view.root {
            at = KeyNode::parse(self.view.cell(at)?.payload)?.parent;
            depth = depth.checked_add(1).filter(|&d| usize::from(d) <= DEPTH_MAX)?;
        }
        Some(depth)
    }
}

/// The cells of a key's values: list, values and data.
fn value_cells(view: &View<'_>, node: &KeyNode) -> Result<Vec<u32>, HiveError> {
    let mut cells = Vec::new();
    if node.values == 0 || node.flags & flag::PREDEFINED != 0 {
        return Ok(cells);
    }
    cells.push(node.value_list);
    for cell in view.value_list(node.value_list, node.values)? {
        cells.push(cell);
        let (value, _) = view.key_value(cell)?;
        view.data_cells(&value, &mut cells)?;
    }
    Ok(cells)
}

/// A key's subkey lists, and the keys in them.
fn subkey_cells(view: &View<'_>, node: &KeyNode) -> Result<Vec<u32>, HiveError> {
    let mut cells = Vec::new();
    if node.subkeys == 0 {
        return Ok(cells);
    }
    cells.push(node.subkey_list);
    if let SubkeyList::Root(root) = view.subkey_list(node.subkey_list)? {
        cells.extend(root.leaves());
    }
    for leaf in view.leaves(node.subkey_list)? {
        cells.extend(leaf.entries().map(|(child, _)| child));
    }
    Ok(cells)
}
