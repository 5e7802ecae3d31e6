//! Preparing a commit: what is written where, with which sequence numbers.

use crate::base_block::{self, field, HEADER};
use crate::bytes::{array, as_u32, u64_at};
use crate::error::HiveError;
use crate::filetime::FileTime;
use crate::hive::Hive;
use crate::image::{Image, PAGE};
use crate::log_dirt::encode_body;
use crate::log_file::{LogFiles, LogFormat, LogSlot};
use crate::log_hvle::encode_entry;
use crate::recover::{highest_of, BIN_TIMESTAMP};

use super::transaction::{Header, LogPlan, Side, Transaction};
use super::{Commit, LogRegime, Plan};

/// How many sequence numbers a commit and its taking back use.
const NUMBERS: u32 = 3;

impl Commit {
    /// Prepares what [`Commit::execute`] writes; writes nothing. `logs` are the logs as found: they tell which sequence numbers are
    /// taken, which format they have, and which exist (one that does not is not created). `now` becomes the hive's time stamp where the Windows in
    /// question keeps one.
    ///
    /// # Errors
    /// [`HiveError::CheckFailed`] when the edited hive is not sound (because it was not before, mostly); [`HiveError::SequenceExhausted`].
    pub fn prepare(hive: Hive, logs: &LogFiles, regime: LogRegime, now: FileTime) -> Result<Self, HiveError> {
        let mut hive = hive;
        if !hive.is_changed() {
            return Ok(Self { hive, plan: None });
        }
        let before = header_of(&original_start(&hive))?;
        let base = hive.base_block();
        let own = base.primary_sequence.max(base.secondary_sequence);
        let highest = highest_of(logs);
        let sequence = safe_sequence(own, highest)?;
        let marked_sequence = sequence.wrapping_add(1);
        let choice = choose_log(logs, regime);
        let format =
            choice.map_or(if regime == LogRegime::Log12HvLe { LogFormat::HvLE } else { LogFormat::Dirt }, |(_, f)| f);

        if format == LogFormat::Dirt {
            let stamp = base.timestamp.max(now.0);
            hive.image.write(field::TIMESTAMP, &stamp.to_le_bytes())?;
            let bin = base_block::BASE_BLOCK.saturating_add(BIN_TIMESTAMP);
            hive.image.write(bin, &stamp.to_le_bytes())?;
        }
        let mut after = header_of(hive.bytes())?;
        base_block::seal(&mut after, marked_sequence, marked_sequence);
        hive.image.write(0, &after)?;
        if !hive.changes_are_sound() {
            let report = hive.verify();
            if !report.is_sound() {
                return Err(HiveError::CheckFailed(report.faults));
            }
        }

        let stamp = u64_at(&after, field::TIMESTAMP).unwrap_or(0);
        let after_length = hive.base_block().length;
        let before_length = length_of(&before);
        let mut marked = before;
        if format == LogFormat::Dirt {
            base_block::put_timestamp(&mut marked, stamp);
        }
        base_block::seal(&mut marked, marked_sequence, sequence);

        // Taking back is a commit of its own, with the next numbers.
        let back = sequence.wrapping_add(2);
        let mut marked_back = after;
        base_block::seal(&mut marked_back, back.wrapping_add(1), back);
        let mut recovered_back = after;
        base_block::put(&mut recovered_back, field::LENGTH, before_length);
        base_block::seal(&mut recovered_back, back.wrapping_add(1), back.wrapping_add(1));

        // The base block is written on its own.
        let pages: Vec<usize> = hive.image.changed_pages().into_iter().filter(|&page| page != 0).collect();
        let redo = |side, number, length| {
            let runs = || runs(&hive.image, &pages, length, side);
            choice.and_then(|(slot, format)| log_plan(slot, format, &after, number, length, &runs()?))
        };
        let (redo, redo_back) = (redo(Side::After, sequence, after_length), redo(Side::Before, back, before_length));
        let transaction = Transaction {
            before,
            after,
            before_len: hive.original_len(),
            after_len: hive.bytes().len() as u64,
            pages,
            between: vec![marked, marked_back, recovered_back],
        };
        let plan = Plan { transaction, marked, redo, marked_back, redo_back, sequence: marked_sequence };
        Ok(Self { hive, plan: Some(plan) })
    }
}

fn original_start(hive: &Hive) -> Vec<u8> {
    hive.original_page(0).to_vec()
}

pub(super) fn header_of(bytes: &[u8]) -> Result<Header, HiveError> {
    array::<HEADER>(bytes, 0).ok_or(HiveError::TooLarge {
        what: "the base block",
        size: HEADER as u64,
        limit: bytes.len() as u64,
    })
}

fn length_of(header: &Header) -> u32 {
    crate::bytes::u32_at(header, field::LENGTH).unwrap_or(0)
}

/// A number above every one that hive and logs have; refused when the distance says that the numbers wrapped, or that a log is not this hive's.
pub(super) fn safe_sequence(own: u32, highest: u32) -> Result<u32, HiveError> {
    let exhausted = HiveError::SequenceExhausted { hive: own, logs: highest };
    if highest.saturating_sub(own) > i32::MAX.unsigned_abs() {
        return Err(exhausted);
    }
    let first = own.max(highest).checked_add(1);
    first.filter(|f| f.checked_add(NUMBERS).is_some()).ok_or(exhausted)
}

/// The log to write to and its format: those of the Windows that owns the hive, whatever another one that loaded it has left there. A redo
/// entry that this Windows does not read, under a hive marked dirty, would keep it from starting after a power cut.
fn choose_log(logs: &LogFiles, regime: LogRegime) -> Option<(LogSlot, LogFormat)> {
    if regime == LogRegime::Dot {
        return logs.log.as_ref().map(|_| (LogSlot::Log, LogFormat::Dirt));
    }
    let format = if regime == LogRegime::Log12HvLe { LogFormat::HvLE } else { LogFormat::Dirt };
    let slot = if logs.log1.is_some() {
        LogSlot::Log1
    } else {
        logs.log2.as_ref()?;
        LogSlot::Log2
    };
    Some((slot, format))
}

fn log_plan(
    slot: LogSlot,
    format: LogFormat,
    base: &Header,
    sequence: u32,
    length: u32,
    runs: &[(u32, Vec<u8>)],
) -> Option<LogPlan> {
    let mut header = *base;
    base_block::put(&mut header, field::LENGTH, length);
    let body = match format {
        LogFormat::HvLE => {
            base_block::put(&mut header, field::TYPE, 6);
            let flags = crate::bytes::u32_at(base, field::FLAGS)? & 1;
            encode_entry(flags, sequence, length, runs)?
        }
        LogFormat::Dirt => {
            base_block::put(&mut header, field::TYPE, 1);
            encode_body(length, runs)?
        }
    };
    base_block::seal(&mut header, sequence, sequence);
    Some(LogPlan { slot, format, header, body })
}

/// Neighbouring pages joined; offsets in the bins. Only what lies in the bins: slack behind them is not in a log.
fn runs(image: &Image, pages: &[usize], length: u32, side: Side) -> Option<Vec<(u32, Vec<u8>)>> {
    let mut runs: Vec<(u32, Vec<u8>)> = Vec::new();
    for &page in pages {
        let offset = u32::try_from(page.checked_sub(1)?.checked_mul(PAGE)?).ok()?;
        if offset >= length {
            continue;
        }
        let bytes = match side {
            Side::Before => image.original_page(page),
            Side::After => {
                let start = page.checked_mul(PAGE)?;
                image.bytes().get(start..start.checked_add(PAGE)?.min(image.bytes().len()))?
            }
        };
        match runs.last_mut() {
            Some((start, run)) if start.checked_add(as_u32(run.len())) == Some(offset) => run.extend_from_slice(bytes),
            _ => runs.push((offset, bytes.to_vec())),
        }
        // Past the end of the shorter file it was zero.
        if let Some((_, run)) = runs.last_mut() {
            run.resize(run.len().checked_next_multiple_of(PAGE)?, 0);
        }
    }
    Some(runs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Windows 7's hive, loaded by a newer Windows in between: its logs are HvLE now, which Windows 7 does not read.
    #[test]
    fn the_owner_decides_about_the_log() {
        let hvle = log_plan(LogSlot::Log1, LogFormat::HvLE, &[0; HEADER], 7, 4096, &[(0, vec![1; PAGE])]).unwrap();
        let logs = LogFiles { log1: Some([&hvle.header[..], &hvle.body].concat()), ..LogFiles::default() };
        let choose = |regime| choose_log(&logs, regime);
        assert_eq!(choose(LogRegime::Log12Dirt), Some((LogSlot::Log1, LogFormat::Dirt)));
        assert_eq!(choose(LogRegime::Log12HvLe), Some((LogSlot::Log1, LogFormat::HvLE)));
        assert_eq!(choose(LogRegime::Dot), None);
    }

    #[test]
    fn sequence_numbers_are_above_all_others() {
        assert_eq!(safe_sequence(5, 9).unwrap(), 10);
        assert_eq!(safe_sequence(9, 5).unwrap(), 10);
        assert!(safe_sequence(5, 5 + (1 << 31)).is_err());
        assert!(safe_sequence(u32::MAX - 2, 0).is_err());
    }
}
