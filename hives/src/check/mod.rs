//! The structural check: what the Windows loader looks at, and more.
//!
//! Order: base block, bins and cells (which gives the set of allocated cells), then from the root every key with its lists,
//! values, class and security, at last the security ring and what nothing refers to. Every reference is checked
//! against the set, and every cell may be referred to once; so the check ends on any input, and costs about
//! one look at each structure.

mod base;
mod bins;
mod changes;
mod crew;
mod keys;
mod ledger;
mod lists;
mod security;
mod values;

#[cfg(test)]
mod changes_tests;
#[cfg(test)]
mod lists_tests;

use std::collections::HashSet;

use crate::bitset::BitSet;
use crate::bytes::{as_u32, index};
use crate::fault::{Effect, Fault, Rule};
use crate::hive::{view_of, Hive};
use crate::view::{absolute, Cell, View};

pub(crate) use changes::{Part, Trust};
pub(crate) use ledger::{FreeCells, Ledger};

/// Most faults, and most notes, that are kept; the statistics count all.
pub const KEPT_MAX: usize = 1000;

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// What Windows would refuse or drop, or a reader misread. At most [`KEPT_MAX`].
    pub faults: Vec<Fault>,
    /// What deviates from the format, but is found in healthy hives and tolerated. At most [`KEPT_MAX`].
    pub notes: Vec<Fault>,
    /// Counts.
    pub stats: CheckStats,
}

impl CheckReport {
    /// Whether no fault was found.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Counts of what the check met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckStats {
    /// Faults, also those not kept.
    pub faults: u64,
    /// Notes, also those not kept.
    pub notes: u64,
    /// Hive bins.
    pub bins: u64,
    /// Bytes in bins.
    pub bins_length: u64,
    /// Allocated cells.
    pub allocated_cells: u64,
    /// Free cells.
    pub free_cells: u64,
    /// Bytes in free cells.
    pub free_bytes: u64,
    /// Keys that can be reached, the root included.
    pub keys: u64,
    /// Their values.
    pub values: u64,
    /// Security cells in the ring.
    pub security_cells: u64,
    /// Allocated cells that nothing refers to.
    pub unreferenced_cells: u64,
    /// Keys with a stale count of volatile subkeys (normal).
    pub stale_volatile_counts: u64,
    /// Depth of the deepest key (root: 0).
    pub depth: u64,
}

impl Hive {
    /// Checks the whole hive as it is now.
    pub fn check(&self) -> CheckReport {
        check_bytes(self.bytes())
    }

    /// As [`Hive::check`], and keeps what was learnt about a sound hive (at most a twentieth of its size): [`crate::Commit::prepare`] then only has to look at
    /// what the edits in between changed.
    pub fn verify(&mut self) -> CheckReport {
        let (report, ledger) = examine(self.bytes());
        self.trust(ledger);
        report
    }
}

/// Checks any bytes as a hive's primary file. A dirty hive is a fault here: recover it first.
pub fn check_bytes(bytes: &[u8]) -> CheckReport {
    examine(bytes).0
}

/// The check; the ledger only for a sound hive.
fn examine(bytes: &[u8]) -> (CheckReport, Option<Ledger>) {
    let view = view_of(bytes);
    let mut first = Checker::bare(bytes, view);
    if !first.base_block() {
        return (first.report, None);
    }
    let base = first.report;
    let quick = if base.is_sound() { crew::check(bytes, view) } else { None };
    conclude(base, quick.unwrap_or_else(|| bins_and_keys(bytes, view)))
}

/// The part of the check that can be shared, on one processor.
fn bins_and_keys<'h>(bytes: &'h [u8], view: View<'h>) -> Checker<'h> {
    let mut checker = Checker::new(bytes, view);
    checker.bins();
    checker.keys();
    checker
}

/// The part of the check that needs the results of the others.
fn conclude(base: CheckReport, mut checker: Checker<'_>) -> (CheckReport, Option<Ledger>) {
    // What was found about the base block comes first.
    let rest = std::mem::replace(&mut checker.report, base);
    checker.report.merge(rest);
    let ring = checker.security_ring();
    checker.leftovers();
    // The order does not depend on how the work was shared.
    checker.report.notes.sort_by_key(|note| note.offset);
    if !checker.report.is_sound() {
        return (checker.report, None);
    }
    let length = as_u32(checker.view.bins.len());
    let Checker { starts, seen, users, report, bins, free, .. } = checker;
    (report, starts.map(|starts| Ledger { starts, seen, users, ring, bins, free, length }))
}

struct Checker<'h> {
    bytes: &'h [u8],
    view: View<'h>,
    /// Starts of allocated cells, by offset / 8; `None` while another thread finds them out.
    starts: Option<BitSet>,
    /// Cells that something refers to.
    seen: BitSet,
    /// Security cells and how many keys name each.
    users: security::Users,
    report: CheckReport,
    /// Offsets of the bins.
    bins: Vec<u32>,
    /// Offset and size of the free cells; `None` when there are too many, or nobody wants them.
    free: Option<FreeCells>,
    /// When only changes are checked: the cells that were looked at.
    followed: Option<HashSet<u32>>,
}

/// A fault before it has its place.
struct Finding {
    rule: Rule,
    effect: Effect,
    found: String,
    expected: String,
}

fn finding(rule: Rule, effect: Effect, found: impl Into<String>, expected: impl Into<String>) -> Finding {
    Finding { rule, effect, found: found.into(), expected: expected.into() }
}

impl<'h> Checker<'h> {
    fn new(bytes: &'h [u8], view: View<'h>) -> Self {
        let cells = view.bins.len() / 8;
        Self {
            starts: Some(BitSet::new(cells)),
            seen: BitSet::new(cells),
            free: Some(Vec::new()),
            ..Self::bare(bytes, view)
        }
    }

    /// Without room for cells.
    fn bare(bytes: &'h [u8], view: View<'h>) -> Self {
        Self {
            bytes,
            view,
            starts: None,
            seen: BitSet::new(0),
            users: security::Users::default(),
            report: CheckReport::default(),
            bins: Vec::new(),
            free: None,
            followed: None,
        }
    }

    /// Reports a fault, or a note if its effect is [`Effect::Tolerated`].
    fn report_at(&mut self, offset: u64, key: Option<u32>, finding: Finding) {
        let stats = &mut self.report.stats;
        let tolerated = finding.effect == Effect::Tolerated;
        let (list, count) = if tolerated {
            (&mut self.report.notes, &mut stats.notes)
        } else {
            (&mut self.report.faults, &mut stats.faults)
        };
        *count = count.saturating_add(1);
        if list.len() < KEPT_MAX {
            list.push(Fault {
                rule: finding.rule,
                offset,
                found: finding.found,
                expected: finding.expected,
                effect: finding.effect,
                path: key.and_then(|k| self.view.short_path_of(k)),
            });
        }
    }

    /// Reports a fault in a field of a cell.
    fn report(&mut self, cell: u32, field: usize, key: u32, finding: Finding) {
        // Payload fields come after the cell's size.
        self.report_at(absolute(cell, field.saturating_add(4)), Some(key), finding);
    }

    /// Follows a reference: the payload of an allocated cell that nothing else refers to. Reports what is wrong with it.
    fn follow(&mut self, cell: u32, what: &str, key: u32, effect: Effect) -> Option<&'h [u8]> {
        let payload = self.look(cell, what, key, effect)?;
        if let Some(followed) = &mut self.followed {
            followed.insert(cell);
        }
        if !self.seen.insert(index(cell / 8)) {
            let finding =
                finding(Rule::V3, effect, format!("a second reference to the cell, as {what}"), "one reference");
            self.report_at(absolute(cell, 0), Some(key), finding);
            return None;
        }
        Some(payload)
    }

    /// As [`Checker::follow`], for cells that may be referred to several times.
    fn look(&mut self, cell: u32, what: &str, key: u32, effect: Effect) -> Option<&'h [u8]> {
        if cell & 7 == 0 && self.starts.as_ref().is_none_or(|starts| starts.contains(index(cell / 8))) {
            if let Some(Cell { payload, allocated: true }) = self.view.cell(cell) {
                return Some(payload);
            }
        }
        let found = format!("a reference to {cell:#x} as {what}, where no allocated cell starts");
        self.report_at(absolute(cell, 0), Some(key), finding(Rule::V3, effect, found, "an allocated cell"));
        None
    }

    fn leftovers(&mut self) {
        let (count, first) = self.starts.as_ref().map_or((0, None), |starts| starts.without(&self.seen));
        self.report.stats.unreferenced_cells = count as u64;
        if let Some(first) = first {
            let offset = (first as u64).saturating_mul(8).saturating_add(4096);
            let found = format!("{count} allocated cells that nothing refers to, the first here");
            self.report_at(offset, None, finding(Rule::V10, Effect::Tolerated, found, "none"));
        }
        let stale = self.report.stats.stale_volatile_counts;
        if stale > 0 {
            let found = format!("{stale} keys with counts of volatile subkeys");
            self.report_at(4096, None, finding(Rule::V5, Effect::Tolerated, found, "none in a file"));
        }
    }
}
