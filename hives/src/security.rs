//! Security cells (`sk`): one descriptor each, shared by keys, in one circular list.

use crate::bytes::{array, index, slice, u32_at};
use crate::error::HiveError;
use crate::fault::{Effect, Rule};
use crate::view::{damaged, View};

/// Bytes before the descriptor.
pub(crate) const SECURITY_HEADER: usize = 20;

/// Field offsets in the payload.
pub(crate) mod field {
    pub(crate) const FLINK: usize = 4;
    pub(crate) const BLINK: usize = 8;
    pub(crate) const REFERENCES: usize = 12;
    pub(crate) const LENGTH: usize = 16;
}

/// A security cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Security<'h> {
    pub(crate) flink: u32,
    pub(crate) blink: u32,
    pub(crate) references: u32,
    pub(crate) descriptor: &'h [u8],
}

impl<'h> Security<'h> {
    /// Reads a payload; `None` when it is not `sk` or the descriptor does not fit.
    pub(crate) fn parse(payload: &'h [u8]) -> Option<Self> {
        if array::<2>(payload, 0)? != *b"sk" {
            return None;
        }
        let length = index(u32_at(payload, field::LENGTH)?);
        Some(Self {
            flink: u32_at(payload, field::FLINK)?,
            blink: u32_at(payload, field::BLINK)?,
            references: u32_at(payload, field::REFERENCES)?,
            descriptor: slice(payload, SECURITY_HEADER, length)?,
        })
    }
}

impl<'h> View<'h> {
    /// The security cell at an offset.
    pub(crate) fn security(&self, offset: u32) -> Result<Security<'h>, HiveError> {
        Security::parse(self.payload(offset)?).ok_or_else(|| {
            damaged(Rule::V8, offset, "no security cell", "signature \"sk\" and its descriptor", Effect::ResetSecurity)
        })
    }
}

/// The payload of a security cell.
pub(crate) fn new_security(flink: u32, blink: u32, references: u32, descriptor: &[u8]) -> Vec<u8> {
    let mut p = Vec::with_capacity(SECURITY_HEADER.saturating_add(descriptor.len()));
    p.extend_from_slice(b"sk\0\0");
    p.extend_from_slice(&flink.to_le_bytes());
    p.extend_from_slice(&blink.to_le_bytes());
    p.extend_from_slice(&references.to_le_bytes());
    p.extend_from_slice(&u32::try_from(descriptor.len()).unwrap_or(u32::MAX).to_le_bytes());
    p.extend_from_slice(descriptor);
    p
}
