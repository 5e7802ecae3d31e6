//! V8: the ring of security cells, who uses each, and the descriptors in them.

use std::collections::HashMap;

use super::{finding, Checker};
use crate::bytes::index;
use crate::descriptor;
use crate::fault::{Effect, Rule};
use crate::key_node::KeyNode;
use crate::security::{field, Security, SECURITY_HEADER};
use crate::view::absolute;

/// How many keys name each security cell. Neighbours mostly name the same: the run is counted before the map is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Users {
    counts: HashMap<u32, u32>,
    run: Option<(u32, u32)>,
}

impl Users {
    pub(super) fn add(&mut self, cell: u32) {
        match &mut self.run {
            Some((last, count)) if *last == cell => *count = count.saturating_add(1),
            _ => {
                self.end_run();
                self.run = Some((cell, 1));
            }
        }
    }

    /// Counts what was put off.
    pub(super) fn end_run(&mut self) {
        if let Some((cell, count)) = self.run.take() {
            let total = self.counts.entry(cell).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// Adds the counts of another worker; both have ended their runs.
    pub(super) fn merge(&mut self, other: &Users) {
        for (cell, count) in &other.counts {
            let total = self.counts.entry(*cell).or_default();
            *total = total.saturating_add(*count);
        }
    }

    /// Takes one key away.
    pub(super) fn remove(&mut self, cell: u32) {
        if let Some(count) = self.counts.get_mut(&cell) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&cell);
            }
        }
    }
}

impl Checker<'_> {
    /// Answers the cells of the ring.
    pub(super) fn security_ring(&mut self) -> Vec<u32> {
        let mut ring = Vec::new();
        self.users.end_run();
        let mut users = self.users.counts.clone();
        let reset = Effect::ResetSecurity;
        let root = self.view.root;
        let Some(start) = self.view.cell(root).and_then(|c| KeyNode::parse(c.payload)).map(|n| n.security) else {
            return ring;
        };
        let mut at = start;
        let mut previous = None;
        loop {
            if at == start && previous.is_some() {
                break;
            }
            if self.seen.contains(index(at / 8)) {
                let found = format!("a link to {at:#x}, which is in use already");
                let from = previous.unwrap_or(at);
                self.report(
                    from,
                    field::FLINK,
                    root,
                    finding(Rule::V8, reset, found, "a ring through the root's cell"),
                );
                break;
            }
            let Some(payload) = self.follow(at, "a security cell", root, reset) else { break };
            let Some(cell) = Security::parse(payload) else {
                let found = format!("{:02x?} in a cell of {} bytes", payload.get(..2).unwrap_or(&[]), payload.len());
                self.report(at, 0, root, finding(Rule::V8, reset, found, "signature \"sk\" and its descriptor"));
                break;
            };
            self.report.stats.security_cells = self.report.stats.security_cells.saturating_add(1);
            ring.push(at);
            let used = users.remove(&at).unwrap_or(0);
            if cell.references != used {
                let found = format!("{} references", cell.references);
                self.report(at, field::REFERENCES, root, finding(Rule::V8, reset, found, format!("{used}")));
            }
            if let Err(reason) = descriptor::check(cell.descriptor) {
                self.report(
                    at,
                    SECURITY_HEADER,
                    root,
                    finding(Rule::V8, reset, format!("a descriptor: {reason}"), "a valid one"),
                );
            }
            if let Some(previous) = previous {
                self.back_link(at, cell.blink, previous);
            }
            previous = Some(at);
            if cell.flink == start {
                let first = self.view.cell(start).and_then(|c| Security::parse(c.payload));
                if let Some(first) = first {
                    self.back_link(start, first.blink, at);
                }
            }
            at = cell.flink;
        }
        let mut outside: Vec<(u32, u32)> = users.into_iter().collect();
        outside.sort_unstable();
        for (cell, count) in outside {
            let found = format!("{count} keys whose security cell {cell:#x} is not in the ring");
            self.report_at(absolute(cell, 0), None, finding(Rule::V8, reset, found, "a cell of the ring"));
        }
        ring
    }

    fn back_link(&mut self, cell: u32, found: u32, expected: u32) {
        if found != expected {
            let root = self.view.root;
            let finding =
                finding(Rule::V8, Effect::ResetSecurity, format!("back link {found:#x}"), format!("{expected:#x}"));
            self.report(cell, field::BLINK, root, finding);
        }
    }
}
