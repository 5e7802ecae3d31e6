//! All rows of the table for one kind of log, searched for at once.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aho_corasick::{packed, AhoCorasick};

use crate::knowledge::{Knowledge, LogKind, LogPattern};

/// Texts shorter than this are met too often for [`Matcher::quiet`] to gain anything.
const SHORTEST: usize = 3;

/// The rows and harmless texts of one kind of log.
pub(super) struct Matcher {
    /// Finds the texts of `rows`; `None` if it could not be built, which a test rules out.
    search: Option<AhoCorasick>,
    /// Finds the first of them in many lines at once, far faster; `None` where the processor can't, or a text is too short.
    ahead: Option<packed::Searcher>,
    rows: Vec<&'static LogPattern>,
    harmless: Vec<&'static str>,
}

impl Matcher {
    /// That of a kind of log; built once.
    pub(super) fn of(kind: LogKind) -> &'static Matcher {
        static ALL: OnceLock<BTreeMap<LogKind, Matcher>> = OnceLock::new();
        static NONE: Matcher = Matcher { search: None, ahead: None, rows: Vec::new(), harmless: Vec::new() };
        let all = ALL.get_or_init(|| {
            let kinds = [LogKind::Cbs, LogKind::Dism, LogKind::Setupapi, LogKind::WindowsUpdate, LogKind::Panther];
            kinds.into_iter().map(|kind| (kind, Matcher::build(kind))).collect()
        });
        all.get(&kind).unwrap_or(&NONE)
    }

    fn build(kind: LogKind) -> Matcher {
        let table = Knowledge::builtin().logs();
        let rows: Vec<&LogPattern> = table.patterns.iter().filter(|row| row.logs.contains(&kind)).collect();
        let harmless =
            table.harmless.iter().filter(|row| row.logs.contains(&kind)).map(|row| row.text.as_str()).collect();
        let ahead =
            packed::Searcher::new(rows.iter().map(|row| &row.text)).filter(|search| search.minimum_len() >= SHORTEST);
        Matcher { search: AhoCorasick::new(rows.iter().map(|row| &row.text)).ok(), ahead, rows, harmless }
    }

    /// Of these whole lines the first ones, as far as no row is about them: most of any log.
    pub(super) fn quiet<'a>(&self, lines: &'a [u8]) -> &'a [u8] {
        let Some(ahead) = &self.ahead else { return &[] };
        let until_line = |end: usize| {
            let start = lines.get(..end).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |at| at + 1);
            lines.get(..start).unwrap_or_default()
        };
        // A line with zero bytes is looked at by itself: they may be taken out.
        let whole = memchr::memchr(0, lines).map_or(lines, until_line);
        ahead.find(whole).map_or(whole, |hit| until_line(hit.start()))
    }

    /// Puts the rows whose text is in the line into `found`, in the order of the table.
    pub(super) fn candidates(&self, line: &[u8], found: &mut Vec<&'static LogPattern>) {
        found.clear();
        let Some(search) = &self.search else { return };
        let mut hits: Vec<usize> = Vec::new();
        for hit in search.find_overlapping_iter(line) {
            let row = hit.pattern().as_usize();
            if !hits.contains(&row) {
                hits.push(row);
            }
        }
        hits.sort_unstable();
        found.extend(hits.into_iter().filter_map(|row| self.rows.get(row)));
    }

    /// Whether healthy machines write this line.
    pub(super) fn is_harmless(&self, line: &str) -> bool {
        self.harmless.iter().any(|text| line.contains(text))
    }
}

/// Whether the rest of what a row asks for is in the line.
pub(super) fn fits(row: &LogPattern, line: &str) -> bool {
    (!row.at_start || line.trim_start().starts_with(&row.text))
        && row.also.iter().all(|also| line.contains(also.as_str()))
        && !row.unless.iter().any(|unless| line.contains(unless.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_searched() {
        for row in &Knowledge::builtin().logs().patterns {
            for &kind in &row.logs {
                let mut found = Vec::new();
                Matcher::of(kind).candidates(row.example.as_bytes(), &mut found);
                assert!(found.iter().any(|found| found.id == row.id), "{}", row.id);
                assert!(fits(row, &row.example), "{}", row.id);
                // An example that a harmless row swallows would never be seen.
                let loud = row.alarm == crate::knowledge::LogAlarm::Note;
                assert!(loud || !Matcher::of(kind).is_harmless(&row.example), "{}", row.id);
            }
        }
    }
}
