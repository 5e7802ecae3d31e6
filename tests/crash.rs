//! Death at any moment: the unmodified program is killed (SIGKILL, by `strace`) as it enters each write, rename, flush and
//! every other call that changes the volume, one run per call. After each cut, both hives, recovered as Windows would,
//! are exactly before or exactly after, `diagnose` works and says what is unfinished, `repair` finishes on one copy, and
//! `undo` takes back on another. The same for a cut `undo`, and for the finishing and taking back of what was cut.
//!
//! `COLDMEND_CRASH=full` (scripts/crash-campaign) tries every point of every run; without it, every point of a repair of
//! Windows 10 and a fixed share of the others. A run that is cut at a flush leaves the same volume as one that is cut at
//! the next write: a state that was judged once is not judged again.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use coldmend_fixtures::{Damage, Version};
use common::hive::{self, Values};
use common::trace::{self, Call};
use common::{coldmend, copied, copy, files, scratch, tree};
use tempfile::TempDir;

/// What is compared of a volume.
struct State {
    values: [Values; 2],
    files: BTreeMap<PathBuf, String>,
}

impl State {
    fn of(root: &Path) -> Self {
        State { values: hive::values(root, false), files: files(root) }
    }

    #[track_caller]
    fn assert_is(&self, root: &Path, what: &str) {
        let now = State::of(root);
        for (place, name) in hive::HIVES.iter().enumerate() {
            let difference = hive::difference(&self.values[place], &now.values[place]);
            assert!(difference.is_empty(), "{what}: {name} differs: {difference:#?}");
        }
        assert_eq!(self.files, now.files, "{what}: files");
    }

    /// The contents of all files, wherever they are.
    fn contents(&self) -> Vec<&String> {
        let mut all: Vec<&String> = self.files.values().filter(|what| *what != "dir").collect();
        all.sort();
        all
    }
}

/// A kind of volume to try.
struct Case {
    name: &'static str,
    version: Version,
    damages: Vec<Damage>,
    /// Whether the hives have log files; without them a cut commit is whole again only through coldmend's backup.
    logs: bool,
}

/// What was cut.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Job {
    /// A repair, or the finishing of one.
    Repair,
    /// An undo.
    Undo,
}

struct Campaign {
    case: Case,
    broken: TempDir,
    plan: TempDir,
    before: State,
    after: State,
    judged: RefCell<HashSet<String>>,
}

/// Takes every `step`th call where only a share is wanted.
fn share(calls: Vec<Call>, step: usize) -> Vec<Call> {
    let full = std::env::var_os("COLDMEND_CRASH").is_some_and(|v| v == "full");
    calls.into_iter().step_by(if full { 1 } else { step }).collect()
}

impl Campaign {
    fn new(case: Case) -> Self {
        let broken = common::broken(case.version, &case.damages);
        if !case.logs {
            let config = common::find(broken.path(), "Windows/System32/config");
            for name in hive::HIVES {
                for suffix in ["LOG", "LOG1", "LOG2"] {
                    if let Some(log) = common::try_find(&config, &format!("{name}.{suffix}")) {
                        fs::remove_file(log).unwrap();
                    }
                }
            }
        }
        let plan = scratch();
        let file = plan.path().join("plan.json");
        coldmend(&format!("repair --save-plan {}", file.display()), broken.path()).expect(0);
        let done = copied(broken.path());
        coldmend("repair --yes", done.path()).expect(0);
        let (before, after) = (State::of(broken.path()), State::of(done.path()));
        assert!(
            before.values[0] != after.values[0] && before.values[1] != after.values[1] && before.files != after.files
        );
        Campaign { case, broken, plan, before, after, judged: RefCell::default() }
    }

    /// The saved plan keeps the runs alike to the byte, times included.
    fn repair(&self, root: &Path) -> Vec<PathBuf> {
        let plan = self.plan.path().join("plan.json");
        trace::words(&["repair", "--yes", "--plan", plan.to_str().unwrap()], root)
    }

    /// Cuts a run of `arguments` on copies of `start` at every `step`th call that changes something.
    fn cut_everywhere(&self, job: Job, start: &Path, step: usize, arguments: &dyn Fn(&Path) -> Vec<PathBuf>) {
        let whole = copied(start);
        let (run, calls) = trace::writing(whole.path(), &arguments(whole.path()));
        run.expect(0);
        let all = calls.len();
        let calls = share(calls, step);
        let (mut states, points) = (0, calls.len());
        for call in calls {
            let cut = copied(start);
            let run = trace::killed_at(&call, &arguments(cut.path()));
            assert_eq!(run.status, None, "{}: {job:?} was not killed at {call:?}: {run:?}", self.case.name);
            states +=
                usize::from(self.judge(job, cut.path(), &format!("{}, {job:?} cut at {}", self.case.name, call.line)));
        }
        println!("{}: {job:?} cut at {points} of {all} calls, {states} new states of the volume", self.case.name);
        assert!(points > 0);
    }

    /// Judges a volume after a cut; whether it was one that had not been seen before.
    fn judge(&self, job: Job, cut: &Path, what: &str) -> bool {
        let fingerprint: Vec<_> = tree(cut).into_iter().map(|(path, entry)| (path, entry.what)).collect();
        if !self.judged.borrow_mut().insert(format!("{job:?} {fingerprint:?}")) {
            return false;
        }
        let whole = self.hives_are_before_or_after(cut, what);
        let now = files(cut);
        let there = State { values: Default::default(), files: now };
        assert_eq!(there.contents(), self.before.contents(), "{what}: a file is lost or changed");

        let unfinished = is_unfinished(cut);
        if whole.is_none() {
            assert!(unfinished, "{what}: a hive is cut, and no journal says so");
        }
        let diagnosis = coldmend("diagnose --format json", cut);
        assert!(matches!(diagnosis.status, Some(0 | 1)), "{what}: {diagnosis:?}");
        let said = diagnosis.json()["findings"].as_array().unwrap().iter().any(|f| f["id"] == "unfinished-repair");
        assert_eq!(said, unfinished, "{what}: what diagnose says about an unfinished repair");

        let other = copied(cut);
        self.finish(job, other.path(), what);
        self.take_back(job, cut, unfinished, what);
        true
    }

    /// Each hive as Windows would make it of file and logs: before or after. `None` if one needs coldmend's backup.
    fn hives_are_before_or_after(&self, cut: &Path, what: &str) -> Option<()> {
        let mut whole = Some(());
        for (place, name) in hive::HIVES.iter().enumerate() {
            let hive = match hive::recovered(cut, name) {
                Ok(hive) => hive,
                Err(error) if self.case.logs => panic!("{what}: Windows could not load {name}: {error}"),
                Err(_) => {
                    whole = None;
                    continue;
                }
            };
            let values = hive::values_of(&hive, false);
            assert!(hive.check().faults.is_empty(), "{what}: {name} has faults");
            assert!(
                values == self.before.values[place] || values == self.after.values[place],
                "{what}: {name} is neither before nor after: {:#?}",
                hive::difference(&self.after.values[place], &values)
            );
        }
        whole
    }

    /// `repair` finishes; after a cut undo it may send the user to `undo` instead, and then writes nothing.
    fn finish(&self, job: Job, root: &Path, what: &str) {
        let picture = tree(root);
        let run = coldmend("repair --yes", root);
        if job == Job::Undo && run.status == Some(3) {
            assert!(run.stderr.contains("coldmend undo"), "{what}: {run:?}");
            assert_eq!(tree(root), picture, "{what}: refused, and written to");
            return;
        }
        assert_eq!(run.status, Some(0), "{what}: repair: {run:?}");
        self.after.assert_is(root, &format!("{what}; then repair"));
        assert!(!is_unfinished(root), "{what}: still unfinished after repair");
        let again = coldmend("diagnose", root);
        assert_eq!(again.status, Some(0), "{what}; then repair: {again:?}");
    }

    /// `undo` takes back, if there is anything to take back.
    fn take_back(&self, job: Job, root: &Path, unfinished: bool, what: &str) {
        let run = coldmend("undo --yes", root);
        match run.status {
            Some(0) => {}
            Some(2) if !unfinished => assert!(run.stderr.contains("no repair to take back"), "{what}: {run:?}"),
            _ => panic!("{what}: undo: {run:?}"),
        }
        self.before.assert_is(root, &format!("{what}; then undo ({job:?})"));
        assert!(!is_unfinished(root), "{what}: still unfinished after undo");
    }

    /// Volumes on which a repair was cut, at `shares` (in percent of the way).
    fn cut_volumes(&self, shares: &[usize]) -> Vec<TempDir> {
        let whole = copied(self.broken.path());
        let (_, calls) = trace::writing(whole.path(), &self.repair(whole.path()));
        let cut_at = |call: &Call| {
            let cut = copied(self.broken.path());
            trace::killed_at(call, &self.repair(cut.path()));
            cut
        };
        shares.iter().map(|share| cut_at(&calls[(calls.len() - 1) * share / 100])).collect()
    }
}

/// Whether a journal on the volume has begun and has no end, read without coldmend's own code.
fn is_unfinished(root: &Path) -> bool {
    let mut undone = Vec::new();
    let mut open = Vec::new();
    let Ok(entries) = fs::read_dir(root.join("coldmend")) else { return false };
    for folder in entries.map(|e| e.unwrap().path()) {
        let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default();
        let steps: Vec<String> = journal
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .map(|line| line["step"].as_str().unwrap().to_string())
            .collect();
        let began = steps.iter().any(|step| step == "begin");
        let last = steps.last().map_or("", String::as_str);
        let id = folder.file_name().unwrap().to_str().unwrap().to_string();
        if began && !matches!(last, "done" | "rolled-back") {
            open.push(id);
        } else if last == "done" {
            let plan: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("plan.json")).unwrap()).unwrap();
            undone.extend(plan["purpose"]["undo"].as_str().map(str::to_string));
        }
    }
    open.iter().any(|id| !undone.contains(id))
}

fn ten() -> Case {
    Case { name: "Windows 10 (HvLE)", version: Version::Ten22H2, damages: common::usual_damage(), logs: true }
}

fn seven() -> Case {
    let damages = vec![
        Damage::DisableService("wuauserv".into()),
        Damage::WrongAccount("BITS".into()),
        Damage::DenyEntry("wuauserv".into()),
        Damage::MissingService("CryptSvc".into()),
        Damage::DropFromSvchostGroup("BITS".into()),
        Damage::GarbageDataStore,
        Damage::PoisonedCatroot2,
        Damage::QmgrGarbage,
    ];
    Case { name: "Windows 7 (DIRT in LOG1)", version: Version::Seven, damages, logs: true }
}

fn xp() -> Case {
    let damages = vec![
        Damage::DisableService("wuauserv".into()),
        Damage::WrongAccount("BITS".into()),
        Damage::DropFromSvchostGroup("BITS".into()),
        Damage::CacheIsFile,
        Damage::PoisonedCatroot2,
        Damage::QmgrGarbage,
    ];
    Case { name: "Windows XP (DIRT in LOG)", version: Version::Xp, damages, logs: true }
}

/// Runs a campaign where `strace` may trace.
fn try_out(test: &str, case: Case, campaign: impl FnOnce(&Campaign)) {
    match trace::available() {
        Ok(()) => campaign(&Campaign::new(case)),
        Err(why) => common::skip(test, &why),
    }
}

fn repair_and_undo(campaign: &Campaign, repair_step: usize, undo_step: usize) {
    campaign.cut_everywhere(Job::Repair, campaign.broken.path(), repair_step, &|root| campaign.repair(root));
    let repaired = copied(campaign.broken.path());
    coldmend("repair --yes", repaired.path()).expect(0);
    campaign.cut_everywhere(Job::Undo, repaired.path(), undo_step, &|root| trace::words(&["undo", "--yes"], root));
}

#[test]
fn strace_kills_before_the_call_happens() {
    if let Err(why) = trace::available() {
        return common::skip("strace_kills_before_the_call_happens", &why);
    }
    let volume = common::broken_ten();
    let save = volume.path().join("plan");
    let arguments = trace::words(&["repair", "--save-plan", save.to_str().unwrap()], volume.path());
    let copy_of = scratch();
    copy(volume.path(), copy_of.path());
    let (_, calls) = trace::writing(volume.path(), &arguments);
    let first = calls.iter().find(|call| call.name == "write").expect("no write was seen");
    fs::remove_file(&save).unwrap();
    assert_eq!(trace::killed_at(first, &arguments).status, None);
    assert_eq!(fs::read(&save).unwrap(), b"", "the write at which the program was killed has happened");
}

#[test]
fn a_repair_of_windows_10_killed_at_every_call() {
    try_out("a_repair_of_windows_10_killed_at_every_call", ten(), |campaign| {
        campaign.cut_everywhere(Job::Repair, campaign.broken.path(), 1, &|root| campaign.repair(root));
    });
}

#[test]
fn an_undo_on_windows_10_killed() {
    try_out("an_undo_on_windows_10_killed", ten(), |campaign| {
        let repaired = copied(campaign.broken.path());
        coldmend("repair --yes", repaired.path()).expect(0);
        campaign.cut_everywhere(Job::Undo, repaired.path(), 8, &|root| trace::words(&["undo", "--yes"], root));
    });
}

#[test]
fn windows_7_killed() {
    try_out("windows_7_killed", seven(), |campaign| repair_and_undo(campaign, 6, 17));
}

#[test]
fn windows_xp_killed() {
    try_out("windows_xp_killed", xp(), |campaign| repair_and_undo(campaign, 6, 17));
}

#[test]
fn a_volume_without_log_files_killed() {
    let case = Case { name: "Windows 10 without logs", logs: false, ..ten() };
    try_out("a_volume_without_log_files_killed", case, |campaign| repair_and_undo(campaign, 6, 17));
}

#[test]
fn finishing_and_taking_back_killed_in_their_turn() {
    for case in [ten(), Case { name: "Windows 10 without logs", logs: false, ..ten() }] {
        try_out("finishing_and_taking_back_killed_in_their_turn", case, |campaign| {
            for cut in campaign.cut_volumes(&[44, 62, 85]) {
                campaign.cut_everywhere(Job::Repair, cut.path(), 29, &|root| trace::words(&["repair", "--yes"], root));
                campaign.cut_everywhere(Job::Undo, cut.path(), 29, &|root| trace::words(&["undo", "--yes"], root));
            }
        });
    }
}
