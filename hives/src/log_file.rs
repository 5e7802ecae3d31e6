//! A hive's log files: which there are, and what each is.

use crate::base_block::{BaseBlock, FileType, HEADER};
use crate::bytes::slice;
use crate::log_dirt::DIRT;
use crate::log_hvle::{entries, Entry, HVLE};

/// The logs beside a hive, as bytes; `None` where there is no such file. Files of zero bytes are normal.
///
/// Bytes past the valid data length of an NTFS file must read as zero (a raw reader has to see to that).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFiles {
    /// `NAME.LOG`: the log of Windows up to 5.2.
    pub log: Option<Vec<u8>>,
    /// `NAME.LOG1`: from Vista on.
    pub log1: Option<Vec<u8>>,
    /// `NAME.LOG2`.
    pub log2: Option<Vec<u8>>,
}

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSlot {
    /// `NAME.LOG`
    Log,
    /// `NAME.LOG1`
    Log1,
    /// `NAME.LOG2`
    Log2,
}

impl LogSlot {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Log, Self::Log1, Self::Log2];

    /// The extension behind the hive's file name: `.LOG`, `.LOG1`, `.LOG2`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Log => ".LOG",
            Self::Log1 => ".LOG1",
            Self::Log2 => ".LOG2",
        }
    }
}

impl LogFiles {
    /// The bytes of one log.
    pub fn get(&self, slot: LogSlot) -> Option<&[u8]> {
        match slot {
            LogSlot::Log => self.log.as_deref(),
            LogSlot::Log1 => self.log1.as_deref(),
            LogSlot::Log2 => self.log2.as_deref(),
        }
    }

    /// Bytes in all logs together.
    pub(crate) fn total(&self) -> usize {
        LogSlot::ALL.iter().filter_map(|&s| self.get(s)).fold(0usize, |sum, l| sum.saturating_add(l.len()))
    }

    /// Makes the logs what a commit or a recovery leaves: the first sector zero, so that nothing reads them.
    pub fn neutralise(&mut self) {
        for log in [&mut self.log, &mut self.log1, &mut self.log2].into_iter().flatten() {
            log.iter_mut().take(HEADER).for_each(|byte| *byte = 0);
        }
    }
}

/// The two formats of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// One set of dirty sectors; up to Windows 8.
    Dirt,
    /// A sequence of entries with hashes; from Windows 8.1 on.
    HvLE,
}

/// What a log file holds, told from its own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInfo {
    /// The format; `None` when the header is not valid or nothing follows it.
    pub format: Option<LogFormat>,
    /// Why it can't be used, if so.
    pub problem: Option<String>,
    /// Sequence number in the header, if there is one.
    pub sequence: Option<u32>,
    /// Valid entries in a row: of HvLE; 1 for DIRT.
    pub entries: usize,
    /// Sequence number of the last valid entry (HvLE).
    pub last_sequence: Option<u32>,
}

/// Looks at a log file.
pub fn inspect_log(bytes: &[u8]) -> LogInfo {
    read_log(bytes).0
}

/// Looks at a log file; answers its valid entries, too (HvLE).
pub(crate) fn read_log(bytes: &[u8]) -> (LogInfo, Vec<Entry<'_>>) {
    let mut found = Vec::new();
    let info = inspect(bytes, &mut found);
    (info, found)
}

fn inspect<'l>(bytes: &'l [u8], found: &mut Vec<Entry<'l>>) -> LogInfo {
    let mut info = LogInfo { format: None, problem: None, sequence: None, entries: 0, last_sequence: None };
    let header = match valid_header(bytes) {
        Ok(header) => header,
        Err(problem) => {
            info.problem = Some(problem);
            info.sequence = BaseBlock::parse(bytes).map(|b| b.primary_sequence);
            return info;
        }
    };
    info.sequence = Some(header.primary_sequence);
    let signature = slice(bytes, HEADER, 4).unwrap_or(&[]);
    match header.file_type {
        FileType::LogHvLE if signature == HVLE => {
            info.format = Some(LogFormat::HvLE);
            for entry in entries(bytes, header.primary_sequence) {
                info.entries = info.entries.saturating_add(1);
                info.last_sequence = Some(entry.sequence);
                found.push(entry);
            }
            if info.entries == 0 {
                info.problem = Some("no valid entry".into());
            }
        }
        FileType::LogDirt if signature == DIRT => {
            info.format = Some(LogFormat::Dirt);
            info.entries = 1;
        }
        _ => info.problem = Some("nothing behind the header".into()),
    }
    info
}

/// The header of a log that may be used, or why not.
pub(crate) fn valid_header(bytes: &[u8]) -> Result<BaseBlock, String> {
    if bytes.is_empty() {
        return Err("empty".into());
    }
    let Some(header) = BaseBlock::parse(bytes) else {
        return Err("no base block".into());
    };
    if !header.checksum_valid() {
        return Err("checksum of its base block is wrong".into());
    }
    if header.primary_sequence != header.secondary_sequence {
        return Err(format!("sequence numbers {} and {} differ", header.primary_sequence, header.secondary_sequence));
    }
    match header.file_type {
        FileType::LogDirt | FileType::LogHvLE => Ok(header),
        other => Err(format!("file type {other:?}")),
    }
}

/// The highest sequence number that a log could make Windows use: of its header and of every entry anywhere in it whose own hash is right.
pub(crate) fn highest_sequence(bytes: &[u8]) -> Option<u32> {
    let header = valid_header(bytes).ok().map(|h| h.primary_sequence);
    let stale = crate::log_hvle::stale_sequences(bytes);
    header.into_iter().chain(stale).max()
}
