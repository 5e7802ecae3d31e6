//! The program on a terminal of its own (`script`): 80 columns, 25 lines, the `C` locale, as a rescue system is.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::BINARY;

/// How long a test waits for the program to say something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs on a terminal.
pub struct Terminal {
    script: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// Up to where `wait` has looked.
    read: usize,
}

impl Terminal {
    /// Starts `coldmend ARGUMENTS`; `None` where there is no `script`.
    pub fn start(arguments: &[&str]) -> Option<Terminal> {
        let quoted: Vec<String> = arguments.iter().map(|a| format!("'{a}'")).collect();
        let line = format!("stty cols 80 rows 25; exec '{BINARY}' {}", quoted.join(" "));
        let mut script = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &line, "/dev/null"])
            .env("LC_ALL", "C")
            .env("TERM", "linux")
            .env("SHELL", "/bin/sh")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (input, mut pipe) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Some(Terminal { script, input, output, seen: Vec::new(), read: 0 })
    }

    /// Waits for this text.
    #[track_caller]
    pub fn wait(&mut self, text: &str) {
        loop {
            let fresh = String::from_utf8_lossy(&self.seen[self.read..]).replace("\r\n", "\n");
            if fresh.contains(text) {
                self.read = self.seen.len();
                return;
            }
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(e) => panic!("{text:?} did not come ({e}): {}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    /// Types.
    pub fn keys(&mut self, keys: &[u8]) {
        // It may have ended already; then `end` says so.
        let _ = self.input.write_all(keys).and_then(|()| self.input.flush());
    }

    /// Waits for the text and then the prompt, and types a line.
    #[track_caller]
    pub fn answer(&mut self, question: &str, line: &str) {
        self.wait(question);
        self.keys(format!("{line}\n").as_bytes());
    }

    /// Waits for the end; gives the exit status and all that was shown.
    pub fn end(mut self) -> (i32, String) {
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(e) => panic!("it does not end ({e}): {}", String::from_utf8_lossy(&self.seen)),
            }
        }
        let status = self.script.wait().unwrap().code().unwrap();
        (status, String::from_utf8_lossy(&self.seen).replace("\r\n", "\n"))
    }
}

/// The lines as they are seen: without colours, and what a carriage return has overwritten.
pub fn lines(shown: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut inside = false;
    for c in shown.chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            _ if inside => {}
            _ => plain.push(c),
        }
    }
    plain.split('\n').map(|line| line.rsplit('\r').next().unwrap_or_default().to_string()).collect()
}

/// Readable on a console of 80 columns that knows ASCII. A longer line is one piece that must not be broken: `pieces` are the
/// paths that such a piece may hold.
#[track_caller]
pub fn assert_readable(shown: &str, pieces: &[&str]) {
    for line in lines(shown) {
        assert!(line.is_ascii(), "beyond ASCII: {line:?}\n{shown}");
        let one_piece = pieces.iter().any(|piece| line.contains(piece));
        assert!(line.len() <= 80 || one_piece, "{} columns: {line:?}\n{shown}", line.len());
        assert!(!line.chars().any(char::is_control), "a control character: {line:?}");
    }
}
