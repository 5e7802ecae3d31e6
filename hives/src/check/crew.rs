//! The check on several processors: one tiles the bins, all follow the tree, in parts that they hand each other.
//!
//! No worker can ask whether an allocated cell starts where a reference leads, because the bins are tiled at the same time: that is made up for at the end, with
//! the sets as a whole. So this way only finds out that nothing is wrong, which is the usual case; when anything is, the whole is thrown away and the
//! check runs again on one processor, which tells the faults in a fixed order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::keys::Pending;
use super::{CheckReport, Checker, KEPT_MAX};
use crate::bitset::BitSet;
use crate::view::View;

/// Below this many bytes of bins a second thread costs more than it brings.
const WORTH_IT: usize = 2 << 20;
/// More workers than this wait for memory, not for each other.
const WORKERS_MAX: usize = 4;

/// What the workers share: parts of the tree that nobody is at.
struct Pool {
    parts: Mutex<Parts>,
    changed: Condvar,
    /// Workers that wait for a part. Read without the lock as a hint.
    waiting: AtomicUsize,
    /// Something is wrong: nobody needs to go on.
    stopped: AtomicBool,
    workers: usize,
}

struct Parts {
    keys: Vec<Pending>,
    /// All workers wait and there is no part: the tree is done.
    done: bool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Parts> {
        // A worker that panicked would be a bug; what it left is data all the same.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part; `None` when all is done or something is wrong.
    fn take(&self) -> Option<Pending> {
        let mut parts = self.lock();
        loop {
            if self.stopped.load(Ordering::Relaxed) || parts.done {
                return None;
            }
            if let Some(key) = parts.keys.pop() {
                return Some(key);
            }
            let waiting = self.waiting.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            if waiting == self.workers {
                parts.done = true;
                self.changed.notify_all();
                return None;
            }
            parts = self.changed.wait(parts).unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives away half of what a worker has still to do, if another waits: the keys that it would come to last.
    fn share(&self, stack: &mut Vec<Pending>) {
        if stack.len() < 2 || self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let half = stack.len() / 2;
        self.lock().keys.extend(stack.drain(..half));
        self.changed.notify_all();
    }

    fn stop(&self) {
        let _parts = self.lock();
        self.stopped.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }
}

/// A worker that panics, which is a bug, must not leave the others waiting.
struct StopOnPanic<'p>(&'p Pool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// Checks bins and keys of a large hive with several threads. `None` when something is wrong with it, when it is small, or when there is only one processor.
/// What is left to do for the caller: the security ring, and what nothing refers to.
pub(super) fn check<'h>(bytes: &'h [u8], view: View<'h>) -> Option<Checker<'h>> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
    if workers < 2 || view.bins.len() < WORTH_IT {
        return None;
    }
    let pool = Pool {
        parts: Mutex::new(Parts { keys: Vec::new(), done: false }),
        changed: Condvar::new(),
        waiting: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        workers,
    };
    let checkers = thread::scope(|scope| -> Option<Vec<Checker<'h>>> {
        let mut handles = Vec::new();
        let mut started = true;
        for number in 0..workers {
            let pool = &pool;
            let work = move || work(bytes, view, pool, number);
            match thread::Builder::new().spawn_scoped(scope, work) {
                Ok(handle) => handles.push(handle),
                Err(_) => {
                    // The others would wait for this one.
                    started = false;
                    pool.stop();
                    break;
                }
            }
        }
        // All of them are joined, also after one that panicked: the check on one processor then meets what it met.
        let joined: Vec<_> = handles.into_iter().map(|handle| handle.join().ok()).collect();
        joined.into_iter().collect::<Option<Vec<_>>>().filter(|_| started)
    })?;
    if pool.stopped.load(Ordering::Relaxed) {
        return None;
    }
    join(checkers)
}

/// One worker's share. The first one tiles the bins, the second begins with the root.
fn work<'h>(bytes: &'h [u8], view: View<'h>, pool: &Pool, number: usize) -> Checker<'h> {
    let _guard = StopOnPanic(pool);
    let mut checker = Checker::new(bytes, view);
    if number == 0 {
        checker.bins();
    } else {
        checker.starts = None;
    }
    let known = checker.starts.take();
    let mut stack = Vec::new();
    if number == 1 {
        stack.extend(checker.root_key());
    }
    loop {
        if !checker.report.faults.is_empty() {
            pool.stop();
            break;
        }
        let Some(key) = stack.pop().or_else(|| pool.take()) else { break };
        checker.subkeys(&key, &mut stack);
        pool.share(&mut stack);
    }
    checker.users.end_run();
    checker.starts = known;
    checker
}

/// Puts the workers' results together; `None` when they do not fit.
fn join(checkers: Vec<Checker<'_>>) -> Option<Checker<'_>> {
    let mut checkers = checkers.into_iter();
    let mut all = checkers.next()?;
    for other in checkers {
        if !all.seen.merge(&other.seen) {
            return None;
        }
        all.users.merge(&other.users);
        all.report.merge(other.report);
    }
    let starts: &BitSet = all.starts.as_ref()?;
    let whole = all.report.faults.is_empty() && all.report.stats.notes < KEPT_MAX as u64;
    (whole && all.seen.is_within(starts)).then_some(all)
}

impl CheckReport {
    /// Adds what another worker found.
    pub(super) fn merge(&mut self, other: CheckReport) {
        self.faults.extend(other.faults);
        self.notes.extend(other.notes);
        let (all, more) = (&mut self.stats, other.stats);
        for (sum, part) in [
            (&mut all.faults, more.faults),
            (&mut all.notes, more.notes),
            (&mut all.bins, more.bins),
            (&mut all.bins_length, more.bins_length),
            (&mut all.allocated_cells, more.allocated_cells),
            (&mut all.free_cells, more.free_cells),
            (&mut all.free_bytes, more.free_bytes),
            (&mut all.keys, more.keys),
            (&mut all.values, more.values),
            (&mut all.security_cells, more.security_cells),
            (&mut all.unreferenced_cells, more.unreferenced_cells),
            (&mut all.stale_volatile_counts, more.stale_volatile_counts),
        ] {
            *sum = sum.saturating_add(part);
        }
        all.depth = all.depth.max(more.depth);
    }
}
