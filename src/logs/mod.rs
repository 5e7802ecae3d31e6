//! What Windows' own logs say failed: which service, driver package, file or update, with which code, and when.
//!
//! Read are CBS.log and its archives, CheckSUR.log, dism.log, setupapi.dev.log (XP: setupapi.log), the text form of
//! WindowsUpdate.log, ReportingEvents.log and Setup's setuperr.log and setupact.log, in whatever encoding they are. A log is a
//! stream: of each its newest [`LOG_LIMIT`] bytes, of one kind together no more than [`KIND_LIMIT`], with a window of
//! one megabyte in memory. What the lines mean is data (`crate::knowledge::LogTable`); what is in them is hostile.
//!
//! A pure library over [`Volume`]: nothing here judges. Whether what a log names is still missing is the check `logs`' work.

mod cabinet;
mod event;
mod family;
mod lines;
mod matcher;
mod reader;
mod reporting;
mod sources;
mod text;
mod time;

#[cfg(test)]
mod tests;

use std::io::{self, Read};

use crate::evidence::Installation;
use crate::knowledge::LogKind;
use crate::volume::{VolPath, Volume};

pub use event::{Event, Object, Settled};
pub use lines::Encoding;
pub use time::LogTime;

use family::Family;
use lines::Lines;
use reader::{Reading, VolumeReader, WINDOW};
use sources::Source;

/// The most of one log that is read, from its end.
pub const LOG_LIMIT: u64 = 64 << 20;
/// The most that is read of all logs of one kind.
pub const KIND_LIMIT: u64 = 160 << 20;
/// The longest beginning of a log whose lines are counted, so that an event has the number of its line.
const COUNT_LIMIT: u64 = 1 << 30;
/// The most that is unpacked of a cabinet.
const UNPACK_LIMIT: u64 = 512 << 20;
/// What was written this much before an installation, in seconds, does not concern it; more than the zones of the world differ.
const BEFORE: i64 = 36 * 3600;

/// What the logs say.
#[derive(Debug, Default)]
pub struct Logs {
    /// What failed: kind by kind, each newest first.
    pub events: Vec<Event>,
    /// How many log files were read.
    pub read: usize,
    /// What could not be read, and what was left out; sentences for people.
    pub could_not: Vec<String>,
}

/// Reads the logs of an installation, and tells how far that is, in words for people.
#[must_use]
pub fn gather(volume: &dyn Volume, installation: &Installation, progress: &dyn Fn(&str)) -> Logs {
    gather_from(volume, &installation.windows, installation.installed, progress)
}

/// The same for a Windows folder that was installed at this time, in seconds since 1970.
pub(crate) fn gather_from(
    volume: &dyn Volume,
    windows: &VolPath,
    installed: Option<u32>,
    progress: &dyn Fn(&str),
) -> Logs {
    let mut logs = Logs::default();
    for kind in LogKind::ALL {
        gather_kind(Reading { volume, progress }, windows, kind, &mut logs);
    }
    if let Some(installed) = installed.filter(|&installed| installed > 0) {
        for event in logs.events.iter_mut().filter(|event| event.settled.is_none()) {
            if event.time.is_some_and(|time| time.seconds() < i64::from(installed) - BEFORE) {
                event.settled = Some(Settled::BeforeThisWindows);
            }
        }
    }
    logs
}

/// The whole of a text file, in whatever encoding it is, line by line without zero bytes.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let (encoding, mark) = Encoding::of(bytes.get(..4096).unwrap_or(bytes));
    let mut lines = Lines::new(bytes.get(mark..).unwrap_or_default(), encoding, u64::MAX);
    let mut text = String::new();
    while let Ok(Some(line)) = lines.next() {
        text.push_str(&lines::decode(line.bytes).0);
        text.push('\n');
    }
    text
}

/// How a log was read: where reading began, and its encoding.
struct Begun {
    skipped: u64,
    mark: u64,
    encoding: Encoding,
}

fn gather_kind(from: Reading<'_>, windows: &VolPath, kind: LogKind, logs: &mut Logs) {
    let found = sources::find(from.volume, windows, kind, &mut logs.could_not);
    let mut left = KIND_LIMIT;
    let mut chosen = Vec::new();
    for source in found {
        if left == 0 {
            logs.could_not.push(format!(
                "{} was not read: the newer logs of its kind are more than {} already",
                source.path.display_escaped(),
                megabytes(KIND_LIMIT)
            ));
            continue;
        }
        // What a cabinet holds is told only when it is opened: several times what it takes.
        let cost = if source.is_cabinet { source.len.saturating_mul(12) } else { source.len }.min(LOG_LIMIT).min(left);
        left -= cost;
        chosen.push((source, cost));
    }
    let mut family = Family::new(kind);
    let mut begun: Vec<Option<(Source, Begun)>> = Vec::new();
    // In the order in which they were written: what succeeded later settles what failed.
    for (source, budget) in chosen.into_iter().rev() {
        family.begin();
        let number = begun.len();
        let read = if source.is_cabinet {
            read_cabinet(from, &source, number, &mut family, &mut logs.could_not)
        } else {
            read_plain(from, &source, budget, number, &mut family, &mut logs.could_not)
        };
        match read {
            Ok(at) => {
                logs.read += 1;
                begun.push(Some((source, at)));
            }
            Err(e) => {
                logs.could_not.push(format!("{} could not be read to its end: {e}", source.path.display_escaped()));
                begun.push(None);
            }
        }
    }
    if family.dropped > 0 {
        let logs_of =
            begun.iter().flatten().next_back().map_or_else(String::new, |(source, _)| source.path.display_escaped());
        logs.could_not
            .push(format!("{} names more than is kept: {} older failures are not shown", logs_of, family.dropped));
    }
    let mut counts: Vec<Option<Option<u64>>> = vec![None; begun.len()];
    for (source, mut event) in family.finish() {
        if let Some(Some((log, at))) = begun.get(source) {
            let before = counts.get_mut(source).map(|known| *known.get_or_insert_with(|| lines_before(from, log, at)));
            event.line = event.line.zip(before.flatten()).map(|(line, before)| line.saturating_add(before));
            event.offset = event.offset.saturating_add(at.skipped);
        }
        logs.events.push(event);
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes >> 20)
}

fn read_plain(
    from: Reading<'_>,
    source: &Source,
    budget: u64,
    number: usize,
    family: &mut Family,
    could_not: &mut Vec<String>,
) -> io::Result<Begun> {
    let mut head = Vec::new();
    VolumeReader::new(from, &source.path, source.len, 0).take(4096).read_to_end(&mut head)?;
    let (encoding, mark) = Encoding::of(&head);
    let mark = mark as u64;
    // On a whole character of UTF-16.
    let skipped = (source.len.saturating_sub(budget) & !1).max(mark);
    if skipped > mark {
        could_not.push(format!(
            "{} has {}; only its newest {} were read",
            source.path.display_escaped(),
            megabytes(source.len),
            megabytes(budget)
        ));
    }
    let reader = VolumeReader::new(from, &source.path, source.len, skipped);
    let mut lines = Lines::new(reader, encoding, source.len.saturating_sub(skipped));
    feed(&mut lines, skipped > mark, &source.path, number, family)?;
    Ok(Begun { skipped, mark, encoding })
}

fn feed<R: Read>(
    lines: &mut Lines<R>,
    cut: bool,
    path: &VolPath,
    number: usize,
    family: &mut Family,
) -> io::Result<()> {
    // Where reading began in the middle of a line, that is no line.
    if cut && lines.next()?.is_none() {
        return Ok(());
    }
    loop {
        loop {
            let (bytes, count) = family.pass(lines.ahead());
            if bytes == 0 {
                break;
            }
            lines.pass(bytes, count);
        }
        let Some(line) = lines.next()? else { return Ok(()) };
        family.line(path, number, line);
    }
}

fn read_cabinet(
    from: Reading<'_>,
    source: &Source,
    number: usize,
    family: &mut Family,
    could_not: &mut Vec<String>,
) -> io::Result<Begun> {
    let path = &source.path;
    let cabinet = VolumeReader::new(from, path, source.len, 0);
    cabinet::read(cabinet, |len, stream| {
        let mut head = vec![0; 4096];
        let mut got = 0;
        while let Some(buf) = head.get_mut(got..).filter(|buf| !buf.is_empty()) {
            match stream.read(buf)? {
                0 => break,
                n => got += n,
            }
        }
        head.truncate(got);
        let (encoding, mark) = Encoding::of(&head);
        let len = len.min(UNPACK_LIMIT);
        let skipped = len.saturating_sub(LOG_LIMIT) & !1;
        let rest = head.get(mark..).unwrap_or_default();
        let mut stream = rest.chain(stream.take(len.saturating_sub(got as u64)));
        let skip = skipped.saturating_sub(mark as u64);
        if skip > 0 {
            could_not.push(format!(
                "{} holds {}; only its newest {} were read",
                path.display_escaped(),
                megabytes(len),
                megabytes(LOG_LIMIT)
            ));
            io::copy(&mut (&mut stream).take(skip), &mut io::sink())?;
        }
        let mut lines = Lines::new(stream, encoding, LOG_LIMIT);
        feed(&mut lines, skip > 0, path, number, family)?;
        Ok(Begun { skipped: skip.saturating_add(mark as u64), mark: mark as u64, encoding })
    })
}

/// How many lines the part of a log has that was not read; `None` if that is too long, or packed.
fn lines_before(from: Reading<'_>, source: &Source, at: &Begun) -> Option<u64> {
    if at.skipped <= at.mark {
        return Some(0);
    }
    if at.skipped > COUNT_LIMIT || source.is_cabinet {
        return None;
    }
    let mut buf = vec![0; WINDOW];
    let (mut offset, mut lines) = (0_u64, 0_u64);
    while offset < at.skipped {
        let want = usize::try_from(at.skipped - offset).unwrap_or(WINDOW).min(WINDOW);
        let part = buf.get_mut(..want)?;
        (from.progress)(&format!("counting the lines of {}", source.path.display_escaped()));
        let got = from.volume.read_at(&source.path, offset, part).ok().filter(|&got| got > 0)?;
        lines = lines.saturating_add(lines::count(part.get(..got)?, at.encoding));
        offset = offset.saturating_add(got as u64);
    }
    Some(lines)
}
