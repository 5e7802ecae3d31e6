//! The logs of one kind, read in the order in which they were written: failures put together, and told from those that are over.
//!
//! Bounded: of failures that name an object the newest [`MAX_NAMED`] are kept (how many were dropped is known), of the others the
//! newest [`MAX_OTHERS`].

use std::ffi::OsStr;

use crate::knowledge::{LogFault, LogGrouping, LogKind, LogPattern, LogRole};
use crate::volume::escape::escape_text;
use crate::volume::VolPath;

use super::event::{Event, Object, Settled};
use super::lines::{decode, Line};
use super::matcher::{fits, Matcher};
use super::text::{code, number, object};
use super::{reporting, LogTime};

/// The most failures of one kind of log that name an object.
pub(super) const MAX_NAMED: usize = 64;
/// The most others.
pub(super) const MAX_OTHERS: usize = 20;
/// The most of a line that is quoted, in characters.
const QUOTED: usize = 300;

/// Failures of one kind of log.
pub(super) struct Family {
    kind: LogKind,
    groups: Vec<Group>,
    sequence: u64,
    now: Option<LogTime>,
    scan: Option<Scan>,
    section: Option<String>,
    section_from: u64,
    candidates: Vec<&'static LogPattern>,
    /// How many failures that name an object were dropped, because there were too many different ones.
    pub(super) dropped: u64,
}

struct Group {
    key: Key,
    event: Event,
    last: u64,
    section: Option<String>,
    source: usize,
}

#[derive(PartialEq, Eq)]
struct Key {
    row: Option<&'static str>,
    code: Option<u32>,
    what: String,
}

/// A scan of the component store that is being reported.
struct Scan {
    from: u64,
    result: Option<u32>,
    detected: u32,
}

/// What a line says failed.
pub(super) struct Failure {
    pub(super) row: Option<&'static LogPattern>,
    pub(super) code: Option<u32>,
    pub(super) object: Option<Object>,
    pub(super) fault: LogFault,
}

impl Family {
    pub(super) fn new(kind: LogKind) -> Self {
        Family {
            kind,
            groups: Vec::new(),
            sequence: 0,
            now: None,
            scan: None,
            section: None,
            section_from: 0,
            candidates: Vec::new(),
            dropped: 0,
        }
    }

    /// Begins another file: what was under way in the last one is not continued.
    pub(super) fn begin(&mut self) {
        self.scan = None;
        self.section = None;
        self.now = None;
    }

    /// Takes those of the next lines that say nothing, up to the first that may say something; answers
    /// how many bytes and lines that were.
    pub(super) fn pass(&mut self, lines: &[u8]) -> (usize, u64) {
        let quiet = Matcher::of(self.kind).quiet(lines);
        let count = memchr::memchr_iter(b'\n', quiet).count() as u64;
        self.sequence += count;
        // The time is that of the last line that has one.
        let mut rest = quiet;
        while let Some(ended) = rest.strip_suffix(b"\n") {
            let start = memchr::memrchr(b'\n', ended).map_or(0, |at| at + 1);
            if let Some(time) = ended.get(start..).and_then(LogTime::parse) {
                self.now = Some(time);
                break;
            }
            rest = ended.get(..start).unwrap_or_default();
        }
        (quiet.len(), count)
    }

    /// Takes a line of `log`, the `source`th file.
    pub(super) fn line(&mut self, log: &VolPath, source: usize, line: Line<'_>) {
        self.sequence += 1;
        if self.kind == LogKind::ReportingEvents {
            reporting::line(self, log, source, line);
            return;
        }
        if let Some(time) = LogTime::parse(line.bytes) {
            self.now = Some(time);
        }
        let matcher = Matcher::of(self.kind);
        let mut candidates = std::mem::take(&mut self.candidates);
        matcher.candidates(line.bytes, &mut candidates);
        if !candidates.is_empty() {
            let (text, certain) = decode(line.bytes);
            for row in &candidates {
                if fits(row, &text) && self.apply(row, &text, matcher, (log, source, line, certain)) {
                    break;
                }
            }
        }
        self.candidates = candidates;
    }

    /// Does what the row says; whether the line is used up.
    fn apply(
        &mut self,
        row: &'static LogPattern,
        text: &str,
        matcher: &Matcher,
        (log, source, line, certain): (&VolPath, usize, Line<'_>, bool),
    ) -> bool {
        let counted = || number(text.split_once(row.code.as_deref()?)?.1.trim_start());
        let repaired = row.role == LogRole::Repaired || row.repaired_by.iter().any(|by| text.contains(by.as_str()));
        match row.role {
            _ if repaired => {
                let Some(object) = object(row, text) else { return false };
                self.settle(Settled::Repaired, |group| {
                    group.event.object.as_ref().is_some_and(|known| known.same(&object))
                });
            }
            LogRole::Event => {
                if matcher.is_harmless(text) {
                    return true;
                }
                let code = code(row, text);
                if row.code.is_some() && code.is_none_or(|code| code == 0) {
                    return false;
                }
                let object = object(row, text);
                if row.object.is_some() && object.is_none() {
                    return false;
                }
                let fault = row.fault.unwrap_or(LogFault::Failed);
                self.add(Failure { row: Some(row), code, object, fault }, text, log, source, line, certain);
            }
            LogRole::Success => {
                self.settle(Settled::InstalledSince, |group| group.event.fault != LogFault::Corrupt);
            }
            LogRole::ScanStart => {
                self.scan = Some(Scan { from: self.sequence, result: None, detected: 0 });
            }
            LogRole::ScanResult => {
                if let Some(scan) = &mut self.scan {
                    scan.result = counted();
                }
            }
            LogRole::ScanTotal => self.scanned(counted().unwrap_or(0)),
            LogRole::ScanRepaired => {
                let all = |scan: &Scan| scan.detected > 0 && counted().is_some_and(|n| n >= scan.detected);
                if self.scan.as_ref().is_some_and(all) {
                    self.settle(Settled::Repaired, is_of_scan);
                }
            }
            LogRole::ScanClean => {
                if self.scan.is_some() {
                    self.settle(Settled::NotInLaterScan, is_of_scan);
                }
            }
            LogRole::Section => {
                self.section = text.split_once('[').map(|(_, title)| title.trim_end_matches(']').to_owned());
                self.section_from = self.sequence;
            }
            LogRole::SectionTime => {
                let rest = text.split_once(row.text.as_str()).map_or("", |(_, rest)| rest.trim_start());
                self.now = LogTime::parse(rest.as_bytes()).or(self.now);
            }
            LogRole::SectionSuccess => {
                if let Some(title) = self.section.take() {
                    let from = self.section_from;
                    self.settle(Settled::SameSectionSince, |group| {
                        group.last < from && group.section.as_deref() == Some(&title)
                    });
                }
            }
            LogRole::Repaired => return false,
        }
        true
    }

    /// A scan of the component store told how much it found: what it did not name is whole.
    fn scanned(&mut self, detected: u32) {
        let Some(scan) = &mut self.scan else { return };
        scan.detected = detected;
        // One that was cancelled or failed early finds nothing.
        if detected > 0 || scan.result == Some(0) {
            let from = scan.from;
            self.settle(Settled::NotInLaterScan, |group| group.last < from && is_of_scan(group));
        }
    }

    /// Marks failures as over.
    fn settle(&mut self, why: Settled, is_over: impl Fn(&Group) -> bool) {
        for group in self.groups.iter_mut().filter(|group| group.event.settled.is_none()) {
            if is_over(group) {
                group.event.settled = Some(why);
            }
        }
    }

    /// Marks failures of an object as over.
    pub(super) fn settle_object(&mut self, why: Settled, is_over: impl Fn(&Object) -> bool) {
        self.settle(why, |group| group.event.object.as_ref().is_some_and(&is_over));
    }

    /// The time of the lines that follow.
    pub(super) fn at(&mut self, time: Option<LogTime>) {
        self.now = time.or(self.now);
    }

    /// Adds a failure.
    pub(super) fn add(
        &mut self,
        failure: Failure,
        text: &str,
        log: &VolPath,
        source: usize,
        line: Line<'_>,
        certain: bool,
    ) {
        let Failure { row, code, object, fault } = failure;
        let by_row = row.is_some_and(|row| row.group == LogGrouping::Row);
        let what = match &object {
            _ if by_row => String::new(),
            Some(object) => object.to_string().to_lowercase(),
            None => without_numbers(text),
        };
        let key = Key { row: row.map(|row| row.id.as_str()), code, what };
        let quoted = quote(text);
        let section = self.section.clone();
        if let Some(known) = self.groups.iter_mut().find(|group| group.key == key) {
            let event = &mut known.event;
            event.log.clone_from(log);
            event.line = Some(line.number);
            event.offset = line.offset;
            event.time = self.now;
            event.object = object;
            event.text = quoted;
            event.count += 1;
            event.settled = None;
            event.certain &= certain;
            (known.last, known.section, known.source) = (self.sequence, section, source);
            return;
        }
        let named = object.is_some() && !by_row;
        self.make_room(named);
        let event = Event {
            log: log.clone(),
            kind: self.kind,
            pattern: row,
            line: Some(line.number),
            offset: line.offset,
            first: self.now,
            time: self.now,
            code,
            object,
            fault,
            certain,
            text: quoted,
            count: 1,
            settled: None,
        };
        self.groups.push(Group { key, event, last: self.sequence, section, source });
    }

    /// Drops the oldest failure if there are as many as may be kept.
    fn make_room(&mut self, named: bool) {
        let is_like = |group: &Group| (group.event.object.is_some() && !group.key.what.is_empty()) == named;
        let limit = if named { MAX_NAMED } else { MAX_OTHERS };
        if self.groups.iter().filter(|group| is_like(group)).count() < limit {
            return;
        }
        let like = self.groups.iter().enumerate().filter(|(_, group)| is_like(group));
        // What is over goes first.
        if let Some((oldest, _)) = like.min_by_key(|(_, group)| (group.event.settled.is_none(), group.last)) {
            self.groups.swap_remove(oldest);
            self.dropped += u64::from(named);
        }
    }

    /// What was found, newest first, with the number of the file that has the newest line.
    pub(super) fn finish(mut self) -> Vec<(usize, Event)> {
        self.groups.sort_by_key(|group| std::cmp::Reverse(group.last));
        self.groups.into_iter().map(|group| (group.source, group.event)).collect()
    }
}

/// Whether a scan of the component store would find it again.
fn is_of_scan(group: &Group) -> bool {
    let by_scan = matches!(group.event.object, Some(Object::Payload { .. } | Object::StoreFile(_)));
    by_scan || group.event.fault == LogFault::Corrupt
}

/// A line with its numbers and times taken out, to put like ones together.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for c in text.chars().skip_while(|c| !c.is_alphabetic()).take(QUOTED) {
        let is_number = c.is_ascii_digit() || (in_number && c.is_ascii_hexdigit());
        if !is_number {
            out.push(c);
        } else if !in_number {
            out.push('#');
        }
        in_number = is_number;
    }
    out
}

/// A line for people.
fn quote(text: &str) -> String {
    let mut chars = text.trim().chars().map(|c| if c == '\t' { ' ' } else { c });
    let mut quoted: String = chars.by_ref().take(QUOTED).collect();
    if chars.next().is_some() {
        quoted.push('…');
    }
    escape_text(OsStr::new(&quoted))
}
