//! Two things at once: reading or comparing both halves of a large file, where memory that is touched for the first time costs
//! more than the copy into it.

use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Below this many bytes a thread costs more than it brings.
const LARGE: usize = 8 << 20;

/// Does both, on two threads where that is worth it and one can be had.
pub(super) fn at_once<T: Send>(size: usize, one: impl FnOnce() -> T, two: impl FnOnce() -> T + Send) -> (T, T) {
    if size < LARGE {
        return (one(), two());
    }
    let job = Mutex::new(Some(two));
    let run = || {
        let job = job.lock().unwrap_or_else(PoisonError::into_inner).take();
        job.expect("it is taken once: by the thread, or here if there is none")()
    };
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, run) {
        // A panic in there is a bug, and goes on here.
        Ok(thread) => (one(), thread.join().unwrap_or_else(|panic| resume_unwind(panic))),
        Err(_) => (one(), run()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done() {
        for size in [0, LARGE] {
            let (mut a, mut b) = (0, 0);
            let done = at_once(size, || a += 1, || b += 2);
            assert_eq!((done, a, b), (((), ()), 1, 2));
        }
    }
}
