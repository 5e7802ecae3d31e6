//! V1: the base block.

use super::{finding, Checker};
use crate::base_block::{field, BaseBlock, BASE_BLOCK};
use crate::fault::{Effect, Rule};
use crate::hive::base_block_faults;

/// Base block flag: a kernel transaction was pending; set on most real SYSTEM hives, clean ones too.
const PENDING_TRANSACTION: u32 = 1;

impl Checker<'_> {
    /// Answers whether it makes sense to look at the bins.
    pub(super) fn base_block(&mut self) -> bool {
        let refuse = |found: String, expected: &str| finding(Rule::V1, Effect::RefuseHive, found, expected);
        if self.bytes.len() < BASE_BLOCK {
            self.report_at(
                0,
                None,
                refuse(format!("a file of {} bytes", self.bytes.len()), "a base block of 4096 bytes"),
            );
            return false;
        }
        let Some(base) = BaseBlock::parse(self.bytes) else {
            let found = format!("signature {:02x?}", self.bytes.get(..4).unwrap_or(&[]));
            self.report_at(0, None, refuse(found, "\"regf\""));
            return false;
        };
        if !base.checksum_valid() {
            let found = format!("checksum {:#010x}", base.checksum);
            let expected = format!("{:#010x}", base.computed_checksum);
            self.report_at(field::CHECKSUM as u64, None, finding(Rule::V1, Effect::Replay, found, expected));
        }
        if base.primary_sequence != base.secondary_sequence {
            let found = format!("sequence numbers {} and {}", base.primary_sequence, base.secondary_sequence);
            let at = field::PRIMARY_SEQUENCE as u64;
            self.report_at(at, None, finding(Rule::V1, Effect::Replay, found, "equal ones (a clean hive)"));
        }
        for fault in base_block_faults(&base, self.bytes.len()) {
            self.report_at(fault.offset, None, finding(fault.rule, fault.effect, fault.found, fault.expected));
        }
        if base.flags & PENDING_TRANSACTION != 0 {
            let found = "the mark of a pending kernel transaction";
            self.report_at(field::FLAGS as u64, None, finding(Rule::V1, Effect::Tolerated, found, "none (but common)"));
        }
        true
    }
}
