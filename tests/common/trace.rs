//! System calls of the program, by `strace`: which there are, and death at one of them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{Run, BINARY};

/// Every call that can change a file system, and every flush.
pub const WRITING: &str = "write,pwrite64,pwritev,pwritev2,writev,fsync,fdatasync,sync_file_range,syncfs,ftruncate,truncate,fallocate,\
    copy_file_range,sendfile,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,\
    chmod,fchmod,fchmodat,fchmodat2,chown,fchown,fchownat,lchown,utimensat,setxattr,fsetxattr,lsetxattr,removexattr,fremovexattr,\
    creat,open,openat,openat2";

/// One call of a trace.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Which of its name it is, from 1.
    pub number: usize,
    /// The whole line, with the paths of file descriptors (`strace -y`).
    pub line: String,
}

impl Call {
    /// Whether it is one that opens something, for writing or creating it.
    pub fn opens_for_writing(&self) -> bool {
        self.opens()
            && ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"]
                .iter()
                .any(|f| self.line.contains(f))
            || self.name == "creat"
    }

    /// Whether it is one that opens something.
    pub fn opens(&self) -> bool {
        matches!(self.name.as_str(), "open" | "openat" | "openat2" | "creat")
    }
}

/// Whether `strace` is there and may trace; says why not.
pub fn available() -> Result<(), String> {
    static KNOWN: OnceLock<Result<(), String>> = OnceLock::new();
    KNOWN
        .get_or_init(|| {
            let out = Command::new("strace").args(["-o", "/dev/null", "true"]).stdin(Stdio::null()).output();
            match out {
                Ok(out) if out.status.success() => Ok(()),
                Ok(out) => Err(format!("strace may not trace: {}", String::from_utf8_lossy(&out.stderr).trim())),
                Err(e) => Err(format!("strace can't be run: {e}")),
            }
        })
        .clone()
}

fn strace(log: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("strace");
    // Without --seccomp-bpf: with it, strace 6.1 lets the signal be lost.
    command.args(["-f", "-qq", "-y", "-s", "0"]).arg("-o").arg(log).args(more).arg(BINARY).stdin(Stdio::null());
    command
}

/// Runs the program and lists its calls out of `set`, in order.
pub fn calls<S: AsRef<OsStr>>(set: &str, arguments: &[S]) -> (Run, Vec<Call>) {
    let dir = super::scratch();
    let log = dir.path().join("trace");
    // Not every machine has every call.
    let set: Vec<String> = set.split(',').map(|name| format!("?{name}")).collect();
    let run = Run::of(strace(&log, &["-e", &format!("trace={}", set.join(","))]).args(arguments).output().unwrap());
    let text = fs::read(&log).unwrap_or_else(|e| panic!("strace left no log ({e}): {run:?}"));
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut seen = std::collections::HashMap::new();
    let calls = text
        .lines()
        .filter_map(|line| {
            // With -f, a line begins with the thread's number; strace counts calls per thread too. A resumed call was
            // counted when it began.
            let (thread, line) = line.split_once(' ').map(|(thread, line)| (thread, line.trim_start()))?;
            let name = line.split_once('(').filter(|_| !line.starts_with('<'))?.0.to_string();
            let number = seen.entry((thread.to_string(), name.clone())).or_insert(0);
            *number += 1;
            Some(Call { name, number: *number, line: line.to_string() })
        })
        .collect();
    (run, calls)
}

/// The calls of a run that change something under `root`, or flush it. Opening a file that is there changes nothing.
pub fn writing<S: AsRef<OsStr>>(root: &Path, arguments: &[S]) -> (Run, Vec<Call>) {
    let (run, mut calls) = calls(WRITING, arguments);
    let root = root.canonicalize().unwrap().display().to_string();
    calls.retain(|call| {
        let makes = ["O_CREAT", "O_TRUNC", "O_TMPFILE"].iter().any(|flag| call.line.contains(flag));
        call.line.contains(&root) && (!call.opens() || makes)
    });
    (run, calls)
}

/// Runs the program and kills it (SIGKILL) as it enters the call: the call itself no longer happens.
pub fn killed_at<S: AsRef<OsStr>>(call: &Call, arguments: &[S]) -> Run {
    let trace = format!("trace={}", call.name);
    let inject = format!("inject={}:signal=SIGKILL:when={}", call.name, call.number);
    let run = strace(Path::new("/dev/null"), &["-e", &trace, "-e", &inject]).args(arguments).output().unwrap();
    let run = Run::of(run);
    assert_eq!(run.status, None, "not killed at {call:?}: {run:?}");
    run
}

/// Runs the program and does something else to it at the call: `what` is an injection such as `error=ENOSPC`, `when` the
/// calls of that name at which it happens, such as `3` or, for all from there on, `3+`.
pub fn injected<S: AsRef<OsStr>>(name: &str, when: &str, what: &str, arguments: &[S]) -> Run {
    let trace = format!("trace={name}");
    let inject = format!("inject={name}:{what}:when={when}");
    let run = strace(Path::new("/dev/null"), &["-e", &trace, "-e", &inject]).args(arguments).output().unwrap();
    Run::of(run)
}

/// The program's arguments as owned strings.
pub fn words(words: &[&str], path: &Path) -> Vec<PathBuf> {
    words.iter().map(PathBuf::from).chain([path.to_path_buf()]).collect()
}
