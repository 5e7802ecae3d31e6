//! Other readers as judges: after each kind of edit they list the intended tree.
//!
//! The intended tree is the one that was there before, read once, with each edit made to it in memory by code that shares nothing with the engine. Our own
//! reading of the result, the crates `regf` 0.2 (the strictest) and `nt-hive`, and the programs `hivexml` (hivex) and `regfexport` (libregf),
//! where installed, must list that tree, after every kind of edit, on every healthy hive of the corpus. Each program gets a copy of its own.
//! A judge that refuses or misreads a hive before any edit is not asked about it.
//!
//! The programs are too slow for all of that at every change. Of a hive above [`LARGE`] they are asked after the edits of what was in it, and
//! after each third kind of edit, which three differs from hive to hive; `regfexport` lists such a hive in full only after the last two edits of what was
//! in it, and else the edited key with all below it. `COLDMEND_JUDGES=all` (see `scripts/hives-campaign.sh`) asks them for all of every hive each time.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod kinds;
mod listing;
mod readers;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use coldmend_hives::{check_bytes, Commit, Hive, LogFiles, LogRegime, NewHive};
use common::model::Both;
use common::{corpus, healthy, tree, Tree, NOW};
use kinds::{Real, Work, KINDS};
use listing::{expect, expect_one, Format, Listing, FORMATS};
use readers::{ours, Judge, JUDGES};

/// Above this many bytes a hive is large for a program.
const LARGE: usize = 300_000;

/// What was seen, of all hives.
#[derive(Default)]
struct Tally {
    /// By judge: judgments of all of a hive, and of the edited key only.
    judged: BTreeMap<&'static str, (usize, usize)>,
    /// By judge: hives it does not read as they were.
    not_asked: BTreeMap<&'static str, Vec<String>>,
    /// By judge: hives of which it tells names only.
    names_only: BTreeMap<&'static str, usize>,
    /// By judge: time taken.
    time: BTreeMap<&'static str, Duration>,
    /// Times that a judge was not asked, because it can't tell large data from big data in that version.
    too_large: usize,
    /// Edits of what was in the hives.
    real: usize,
    failures: Vec<String>,
}

struct Court<'t> {
    all: bool,
    installed: Vec<&'static Judge>,
    tally: &'t Mutex<Tally>,
}

impl Court<'_> {
    fn judge_hive(&self, number: usize, name: &str, start: &[u8]) -> Result<(), String> {
        let hive = Hive::open(start.to_vec()).map_err(|e| e.to_string())?;
        let model = tree(&hive);
        let lost = hive.check().stats.unreferenced_cells;
        let mut rest = rest_of(&model);
        let expected = expectations(&rest, &model);
        if !ours(start, Listing::default()).equals(in_format(&expected, Format::Full)) {
            return Err("the tree in memory is not what we read".into());
        }
        let mut asked: Vec<(&Judge, Format)> = Vec::new();
        for judge in &self.installed {
            let mut fits = |format: &&Format| {
                let found = self.timed(judge.name, || judge.ask(start, **format, None, Listing::default()));
                found.is_ok_and(|found| found.equals(in_format(&expected, **format)))
            };
            let tally = |format: Option<Format>| {
                let mut tally = self.tally.lock().unwrap();
                match format {
                    None => tally.not_asked.entry(judge.name).or_default().push(name.to_owned()),
                    Some(Format::Names) => *tally.names_only.entry(judge.name).or_default() += 1,
                    Some(_) => {}
                }
            };
            let format = judge.formats.iter().find(&mut fits).copied();
            tally(format);
            asked.extend(format.map(|format| (*judge, format)));
        }
        let real = Real::find(&hive, &model);
        self.tally.lock().unwrap().real += usize::from(real.richest.is_some()) + usize::from(real.busiest.is_some());
        let minor = hive.base_block().minor;
        let mut work = Work { both: Both { hive, model }, real };
        for (turn, (kind, on_real, edit)) in KINDS.iter().enumerate() {
            self.timed("edit", || edit(&mut work));
            let Both { hive, model } = work.both;
            let commit =
                self.timed("commit", || Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, NOW));
            let bytes = commit.map_err(|e| format!("after {kind}: {e}"))?.after().to_vec();
            let report = self.timed("check", || check_bytes(&bytes));
            if !report.is_sound() {
                return Err(format!("after {kind}, the check finds {:?}", report.faults));
            }
            if report.stats.unreferenced_cells != lost {
                return Err(format!("after {kind}, {} cells are lost", report.stats.unreferenced_cells));
            }
            if *on_real {
                rest = rest_of(&model);
            }
            let expected = self.timed("model", || expectations(&rest, &model));
            if !self
                .timed("our reading", || ours(&bytes, Listing::default()))
                .equals(in_format(&expected, Format::Full))
            {
                let (found, wanted) = (ours(&bytes, Listing::in_full()), full(&model, "", Format::Full));
                return Err(format!("after {kind}, our reading {}", differences(&found, &wanted)));
            }
            for (judge, format) in &asked {
                // nt-hive takes all data of that size for big data, in 1.3 too; regfexport knows it from 1.5 on only.
                let knows = (judge.name != "nt-hive" || minor != 3) && (judge.name != "regfexport" || minor != 4);
                if !knows && largest(&model) > 16_344 {
                    self.tally.lock().unwrap().too_large += 1;
                    continue;
                }
                // What the first edit of the hive's own keys did is there after the second, too.
                let now = *on_real && *kind != "values of the hive";
                let is_large = !self.all && start.len() > LARGE;
                if judge.is_program && is_large && !on_real && !(number + turn).is_multiple_of(3) {
                    continue;
                }
                let part = judge.name == "regfexport" && is_large && !now;
                self.ask(judge, *format, &bytes, &model, &expected, part).map_err(|e| format!("after {kind}, {e}"))?;
            }
            let hive = Hive::open(bytes).map_err(|e| format!("after {kind}: {e}"))?;
            work.both = Both { hive, model };
        }
        Ok(())
    }

    fn ask(
        &self,
        judge: &Judge,
        format: Format,
        bytes: &[u8],
        model: &Tree,
        expected: &[(Format, Listing)],
        part: bool,
    ) -> Result<(), String> {
        let key = if part { Some("Judge") } else { None };
        let (tree, prefix) = match key.map(|k| model.at(k)) {
            Some(None) => return Ok(()),
            Some(Some(tree)) => (tree, "Judge"),
            None => (model, ""),
        };
        let found = self
            .timed(judge.name, || judge.ask(bytes, format, key, Listing::default()))
            .map_err(|e| format!("{} refuses: {e}", judge.name))?;
        let right = match key {
            Some(_) => found.equals(&expect_one(tree, prefix, format, Listing::default())),
            None => found.equals(in_format(expected, format)),
        };
        if !right {
            let found = judge.ask(bytes, format, key, Listing::in_full())?;
            return Err(format!("{} {}", judge.name, differences(&found, &full(tree, prefix, format))));
        }
        let mut tally = self.tally.lock().unwrap();
        let (whole, parts) = tally.judged.entry(judge.name).or_default();
        *if part { parts } else { whole } += 1;
        Ok(())
    }

    fn timed<T>(&self, who: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        *self.tally.lock().unwrap().time.entry(who).or_default() += start.elapsed();
        result
    }
}

/// Size of the largest data.
fn largest(tree: &Tree) -> usize {
    let own = tree.values.values().map(|v| v.2.len());
    own.chain(tree.keys.values().map(largest)).max().unwrap_or(0)
}

/// What should be listed of all but the key `Judge`: most kinds of edits change that key only.
fn rest_of(model: &Tree) -> Vec<(Format, Listing)> {
    let mut listings: Vec<_> = FORMATS.iter().map(|&format| (format, Listing::default())).collect();
    expect(model, "", Some("JUDGE"), &mut listings);
    listings
}

fn expectations(rest: &[(Format, Listing)], model: &Tree) -> Vec<(Format, Listing)> {
    let mut listings = rest.to_vec();
    if let Some(judge) = model.keys.get("JUDGE") {
        expect(judge, &judge.name, None, &mut listings);
    }
    listings
}

fn in_format(listings: &[(Format, Listing)], format: Format) -> &Listing {
    listings.iter().find(|(f, _)| *f == format).map(|(_, listing)| listing).unwrap()
}

fn full(model: &Tree, prefix: &str, format: Format) -> Listing {
    expect_one(model, prefix, format, Listing::in_full())
}

fn differences(found: &Listing, wanted: &Listing) -> String {
    format!("lacks {:?} and has {:?}", wanted.beyond(found), found.beyond(wanted))
}

/// Hives of each minor version with nothing in them but the root.
fn empty_hives() -> Vec<(String, Vec<u8>)> {
    let empty = |minor| {
        let hive = Hive::create(&NewHive { minor, ..NewHive::default() }, NOW).unwrap();
        let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12Dirt, NOW).unwrap();
        (format!("new hive 1.{minor}"), commit.after().to_vec())
    };
    (3..=6).map(empty).collect()
}

#[test]
fn judges_list_the_intended_tree_after_each_edit() {
    let mut hives = empty_hives();
    if let Some(corpus) = corpus("the judges on real hives") {
        hives.extend(healthy(&corpus, u64::MAX));
    }
    if let Ok(only) = std::env::var("COLDMEND_JUDGES_HIVE") {
        hives.retain(|(name, _)| name.contains(&only));
    }
    // The largest first, so that all threads end together.
    hives.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    let mut installed = Vec::new();
    for judge in &JUDGES {
        if judge.is_program && Command::new(judge.name).arg("-V").output().is_err() {
            println!("skipped: the judge {} is not installed", judge.name);
        } else {
            installed.push(judge);
        }
    }
    let all = std::env::var("COLDMEND_JUDGES").is_ok_and(|v| v == "all");
    let tally = Mutex::new(Tally::default());
    let court = Court { all, installed, tally: &tally };
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let work = || loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((name, bytes)) = hives.get(number) else { break };
                let result =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| court.judge_hive(number, name, bytes)));
                let failure = match result {
                    Ok(result) => result.err(),
                    Err(panic) => Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into())),
                };
                if let Some(failure) = failure {
                    println!("{name}: {failure}");
                    tally.lock().unwrap().failures.push(format!("{name}: {failure}"));
                }
            };
            // Deep trees, and judges that recurse.
            std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work).unwrap();
        }
    });
    let installed = court.installed;
    let tally = tally.into_inner().unwrap();
    let (count, size) = (hives.len(), hives.iter().map(|(_, b)| b.len()).sum::<usize>() / 1_000_000);
    println!("{count} hives ({size} MB), {} kinds of edits, {:.0} s", KINDS.len(), start.elapsed().as_secs_f64());
    for judge in &installed {
        let (whole, parts) = tally.judged.get(judge.name).copied().unwrap_or_default();
        let not_asked = tally.not_asked.get(judge.name).map_or(&[][..], Vec::as_slice);
        print!("{}: {whole} listings of a whole hive", judge.name);
        if parts > 0 {
            print!(", {parts} of the edited key alone (hives above {LARGE} bytes)");
        }
        let names_only = tally.names_only.get(judge.name).copied().unwrap_or(0);
        if names_only > 0 {
            print!(", names only for {names_only} hives");
        }
        let time = tally.time.get(judge.name).copied().unwrap_or_default();
        println!(", {:.0} s; not asked about {}: {}", time.as_secs_f64(), not_asked.len(), not_asked.join(", "));
    }
    println!("not asked about data above 16344 bytes: nt-hive in 1.3, regfexport in 1.4; {} times", tally.too_large);
    let time = |who: &&str| format!("{who} {:.0} s", tally.time.get(who).copied().unwrap_or_default().as_secs_f64());
    let own = ["edit", "commit", "check", "our reading", "model"];
    println!("ours: {}", own.iter().map(time).collect::<Vec<_>>().join(", "));
    println!("edits of what was there: {} keys", tally.real);
    assert!(tally.failures.is_empty(), "{} hives failed:\n{}", tally.failures.len(), tally.failures.join("\n"));
    let asked = |name: &str| tally.judged.get(name).map_or(0, |(whole, parts)| whole + parts);
    for judge in &installed {
        assert!(asked(judge.name) >= hives.len() * KINDS.len() / 2, "{} was hardly asked", judge.name);
    }
}
