//! Recovery: replaying the logs of a hive that was not closed properly, in memory.
//!
//! The rules are those that real hives and Windows' own results confirmed. New logs: the first applicable one has a header sequence number not below
//! the hive's second one (it may be far above it), the other continues it without a gap; with a broken base block only the newer log counts, and its
//! header becomes the base block. Old logs: the time stamps of log and hive must be equal. The result has the sequence number of the last
//! entry plus one, as Windows writes it.

use std::collections::BTreeMap;

use crate::base_block::{self, field, BaseBlock, BASE_BLOCK, HEADER};
use crate::bytes::{array, index, u32_at, u64_at};
use crate::error::HiveError;
use crate::fault::{Effect, Fault, Rule};
use crate::hive::{Hive, LENGTH_MAX};
use crate::image::{Image, Sums};
use crate::log_dirt::sectors;
use crate::log_file::{highest_sequence, read_log, LogFiles, LogFormat, LogInfo, LogSlot};
use crate::log_hvle::Entry;

/// Where a bin's header has the time stamp (only the first bin's counts).
pub(crate) const BIN_TIMESTAMP: usize = 20;

/// A hive as its logs make it.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The recovered hive. Its "original" bytes are the recovered ones. To edit it, prepare the [`crate::RecoveryCommit`] first and
    /// take the hive from there: edits are a commit of their own.
    pub hive: Hive,
    /// What was done.
    pub report: RecoveryReport,
    /// The base block as it was.
    pub(crate) before: [u8; HEADER],
    pub(crate) before_len: usize,
    /// Sums of the pages that the recovery wrote to, as they were.
    pub(crate) sums: BTreeMap<usize, Sums>,
    /// Highest sequence number in the logs.
    pub(crate) highest: u32,
}

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The hive was clean: its logs were ignored, as Windows does.
    pub was_clean: bool,
    /// The base block was taken from a log, because the hive's own was broken.
    pub base_block_from_log: bool,
    /// The logs were passed over by request: the hive is taken as it is.
    pub forced: bool,
    /// The logs that were applied, in that order, with the number of entries applied.
    pub applied: Vec<(LogSlot, LogFormat, usize)>,
    /// Every log that is there, and what it holds.
    pub logs: Vec<(LogSlot, LogInfo)>,
    /// The sequence number of the recovered hive.
    pub sequence: u32,
}

impl Hive {
    /// Recovers a hive from its logs, in memory. A clean hive is taken as it is.
    ///
    /// # Errors
    /// [`HiveError::NotRecoverable`] when the hive is dirty and no log applies; [`HiveError::Damaged`] when the bins are
    /// not sound after the replay.
    pub fn recover(bytes: Vec<u8>, logs: &LogFiles) -> Result<Recovered, HiveError> {
        let mut work = Work::new(bytes, logs)?;
        if work.base.as_ref().is_some_and(BaseBlock::is_clean) {
            work.report.was_clean = true;
            return work.finish();
        }
        if work.replay_new() || work.replay_old() {
            return work.finish();
        }
        Err(HiveError::NotRecoverable { reason: work.reasons() })
    }

    /// Takes a dirty hive as it is and passes over its logs, whatever they hold: what they would have changed is lost. For hives whose logs are gone; use it only
    /// when [`Hive::check`] of the result finds nothing.
    ///
    /// # Errors
    /// [`HiveError::Damaged`] when the base block or the bins are not sound.
    pub fn recover_without_logs(bytes: Vec<u8>, logs: &LogFiles) -> Result<Recovered, HiveError> {
        let mut work = Work::new(bytes, logs)?;
        match &work.base {
            Some(base) if base.is_clean() => work.report.was_clean = true,
            Some(base) => {
                work.report.forced = true;
                work.sequence = base.primary_sequence.max(base.secondary_sequence);
            }
            None => return Err(HiveError::NotRecoverable { reason: "the file has no base block".into() }),
        }
        work.finish()
    }
}

struct Work<'l> {
    image: Image,
    logs: &'l LogFiles,
    /// The base block as found.
    before: [u8; HEADER],
    /// The valid entries of each log in the report (HvLE).
    entries: Vec<Vec<Entry<'l>>>,
    /// Highest sequence number in the logs.
    highest: u32,
    /// The hive's own base block, if it has the signature.
    base: Option<BaseBlock>,
    /// Sequence number of the recovered hive.
    sequence: u32,
    report: RecoveryReport,
    /// The longest file that the logs can account for.
    limit: usize,
}

impl<'l> Work<'l> {
    fn new(bytes: Vec<u8>, logs: &'l LogFiles) -> Result<Self, HiveError> {
        if bytes.len() < BASE_BLOCK {
            return Err(HiveError::Damaged(Fault {
                rule: Rule::V1,
                offset: 0,
                found: format!("a file of {} bytes", bytes.len()),
                expected: "a base block of 4096 bytes".into(),
                effect: Effect::RefuseHive,
                path: None,
            }));
        }
        let base = BaseBlock::parse(&bytes);
        let before = array(&bytes, 0).unwrap_or([0; HEADER]);
        let limit = bytes.len().saturating_add(logs.total());
        let mut found = Vec::new();
        let mut entries = Vec::new();
        let mut highest = 0;
        for (slot, log) in read_logs(logs) {
            found.push((slot, log.info));
            entries.push(log.entries);
            highest = highest.max(log.highest);
        }
        Ok(Self {
            before,
            entries,
            highest,
            sequence: base.as_ref().map_or(0, |b| b.secondary_sequence),
            base,
            image: Image::recovering(bytes),
            logs,
            report: RecoveryReport {
                was_clean: false,
                base_block_from_log: false,
                forced: false,
                applied: Vec::new(),
                logs: found,
                sequence: 0,
            },
            limit,
        })
    }

    fn base_valid(&self) -> bool {
        self.base.as_ref().is_some_and(BaseBlock::checksum_valid)
    }

    fn usable(&mut self, format: LogFormat) -> Vec<Usable<'l>> {
        let logs = self.report.logs.iter().zip(&mut self.entries);
        let usable = logs.filter(|((_, info), _)| info.format == Some(format) && info.problem.is_none());
        let take = |((slot, info), entries): (&(LogSlot, LogInfo), &mut Vec<Entry<'l>>)| {
            let (sequence, bytes) = (info.sequence?, self.logs.get(*slot)?);
            Some(Usable { slot: *slot, sequence, bytes, entries: std::mem::take(entries) })
        };
        usable.filter_map(take).collect()
    }

    /// HvLE. Answers whether anything was applied.
    fn replay_new(&mut self) -> bool {
        let mut logs = self.usable(LogFormat::HvLE);
        // `.LOG` is the log of Windows before 6.0, which did not know this format: one there belongs to something else.
        logs.retain(|log| log.slot != LogSlot::Log);
        // There are two at most, and sequence numbers wrap.
        if let [first, second] = logs.as_mut_slice() {
            if is_before(second.sequence, first.sequence) {
                std::mem::swap(first, second);
            }
        }
        let mut next = None;
        if self.base_valid() {
            let start = self.sequence;
            logs.retain(|log| !is_before(log.sequence, start));
        } else {
            // Only the newer one; its header becomes the base block.
            let Some(newer) = logs.pop() else { return false };
            if !self.take_base_block(newer.bytes) {
                return false;
            }
            logs = vec![newer];
        }
        for log in logs {
            if next.is_some_and(|next| next != log.sequence) {
                break;
            }
            let mut applied = 0usize;
            for entry in &log.entries {
                if !self.apply_entry(entry) {
                    break;
                }
                applied = applied.saturating_add(1);
                next = Some(entry.sequence.wrapping_add(1));
            }
            if applied == 0 {
                break;
            }
            self.report.applied.push((log.slot, LogFormat::HvLE, applied));
        }
        match next {
            Some(sequence) => {
                self.sequence = sequence;
                true
            }
            None => false,
        }
    }

    fn apply_entry(&mut self, entry: &Entry<'_>) -> bool {
        let pages: Option<Vec<(u32, &[u8])>> = entry.pages().collect();
        let Some(pages) = pages else { return false };
        if !self.set_length(entry.length) {
            return false;
        }
        for (offset, page) in pages {
            if self.image.write(index(offset).saturating_add(BASE_BLOCK), page).is_err() {
                return false;
            }
        }
        let flags = u32_at(self.image.bytes(), field::FLAGS).unwrap_or(0);
        let flags = (flags & !1) | (entry.flags & 1);
        self.image.write(field::FLAGS, &flags.to_le_bytes()).is_ok()
    }

    /// DIRT. Answers whether a log was applied.
    fn replay_old(&mut self) -> bool {
        for Usable { slot, bytes: log, .. } in self.usable(LogFormat::Dirt) {
            let (Some(stamp), Some(length)) = (u64_at(log, field::TIMESTAMP), u32_at(log, field::LENGTH)) else {
                continue;
            };
            let own = if self.base_valid() { field::TIMESTAMP } else { BASE_BLOCK.saturating_add(BIN_TIMESTAMP) };
            if u64_at(self.image.bytes(), own) != Some(stamp) {
                continue;
            }
            let Some(sectors) = sectors(log, length) else { continue };
            if !self.base_valid() && !self.take_base_block(log) {
                continue;
            }
            if !self.set_length(length) {
                continue;
            }
            for (offset, sector) in sectors {
                if self.image.write(index(offset).saturating_add(BASE_BLOCK), sector).is_err() {
                    return false;
                }
            }
            let number = |at| u32_at(self.image.bytes(), at).unwrap_or(0);
            self.sequence = number(field::PRIMARY_SEQUENCE).max(number(field::SECONDARY_SEQUENCE));
            self.report.applied.push((slot, LogFormat::Dirt, 1));
            return true;
        }
        false
    }

    fn set_length(&mut self, length: u32) -> bool {
        let end = index(length).saturating_add(BASE_BLOCK);
        // New bins come with the pages that fill them: a log that asks for more than it holds is not Windows'.
        if length == 0 || length & 4095 != 0 || length > LENGTH_MAX || end > self.limit {
            return false;
        }
        self.image.grow(end);
        self.image.write(field::LENGTH, &length.to_le_bytes()).is_ok()
    }

    fn take_base_block(&mut self, log: &[u8]) -> bool {
        let Some(mut header) = array::<HEADER>(log, 0) else { return false };
        base_block::put(&mut header, field::TYPE, 0);
        self.report.base_block_from_log = true;
        self.image.write(0, &header).is_ok()
    }

    fn finish(mut self) -> Result<Recovered, HiveError> {
        if !self.report.was_clean {
            let Some(mut header) = array::<HEADER>(self.image.bytes(), 0) else {
                return Err(HiveError::NotRecoverable { reason: "no base block".into() });
            };
            base_block::seal(&mut header, self.sequence, self.sequence);
            self.image.write(0, &header)?;
        }
        // Looks at base block and bins, without a second copy of the file.
        let before_len = self.image.original_len();
        let sums = self.image.recovered();
        let hive = Hive::from_image(self.image)?;
        self.report.sequence = hive.base_block().primary_sequence;
        Ok(Recovered { hive, report: self.report, before: self.before, before_len, sums, highest: self.highest })
    }

    fn reasons(&self) -> String {
        if self.report.logs.is_empty() {
            return "there are no logs".into();
        }
        let base = self.base.as_ref();
        let describe = |(slot, info): &(LogSlot, LogInfo)| {
            let name = slot.extension();
            if let Some(problem) = &info.problem {
                return format!("{name}: {problem}");
            }
            match info.format {
                Some(LogFormat::HvLE) if *slot == LogSlot::Log => format!("{name}: not a log of this hive's Windows"),
                Some(LogFormat::HvLE) => format!(
                    "{name}: starts at sequence number {}, the hive needs {} or later",
                    info.sequence.unwrap_or(0),
                    base.map_or(0, |b| b.secondary_sequence)
                ),
                _ => format!("{name}: its time stamp is not the hive's, or it is cut short"),
            }
        };
        self.report.logs.iter().map(describe).collect::<Vec<_>>().join("; ")
    }
}

/// A log that can be applied, as far as it alone tells.
struct Usable<'l> {
    slot: LogSlot,
    /// Of its header.
    sequence: u32,
    bytes: &'l [u8],
    /// Its valid entries (HvLE).
    entries: Vec<Entry<'l>>,
}

/// What is in a log.
struct Contents<'l> {
    info: LogInfo,
    entries: Vec<Entry<'l>>,
    /// Its highest sequence number, old entries included.
    highest: u32,
}

/// Above this many bytes in all logs, reading them (which takes hashes of everything) is shared among threads.
const WORTH_A_THREAD: usize = 1 << 20;

fn read_logs(logs: &LogFiles) -> Vec<(LogSlot, Contents<'_>)> {
    fn contents(bytes: &[u8]) -> Contents<'_> {
        let (info, entries) = read_log(bytes);
        Contents { info, entries, highest: highest_sequence(bytes).unwrap_or(0) }
    }
    let there = LogSlot::ALL.iter().filter_map(|&slot| Some((slot, logs.get(slot)?)));
    if logs.total() < WORTH_A_THREAD {
        return there.map(|(slot, bytes)| (slot, contents(bytes))).collect();
    }
    std::thread::scope(|scope| {
        let started: Vec<_> = there
            .map(|(slot, bytes)| (slot, bytes, std::thread::Builder::new().spawn_scoped(scope, || contents(bytes))))
            .collect();
        let done = started.into_iter().map(|(slot, bytes, thread)| {
            // Without another thread this one does it.
            let found = thread.ok().and_then(|thread| thread.join().ok());
            (slot, found.unwrap_or_else(|| contents(bytes)))
        });
        done.collect()
    })
}

/// Whether `a` comes before `b`; sequence numbers wrap.
fn is_before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) > u32::MAX / 2
}

/// The highest sequence number in any of the logs, 0 without.
pub(crate) fn highest_of(logs: &LogFiles) -> u32 {
    LogSlot::ALL.iter().filter_map(|&slot| highest_sequence(logs.get(slot)?)).max().unwrap_or(0)
}
