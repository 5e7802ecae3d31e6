//! The terminal: the only module that prints.
//!
//! Results go to stdout, everything else (status, warnings, questions, progress) to stderr. Text that comes from a
//! volume is escaped before it reaches a terminal, by whoever puts it into a sentence (`VolPath::display_escaped`) and
//! once more here. What the terminal can show decides about characters (`charset`), width (`wrap`) and colours
//! (`console`); pipes and files get lines as long as they come.

mod charset;
mod console;
mod diagnosis;
mod html;
mod progress;
mod scan;
mod text;
mod updates;
mod wrap;

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use crate::error::{Failure, Kind, Result};

use console::Stream;
use progress::Progress;
use wrap::Hang;

pub use console::{help_width, print_parser_message};
pub use diagnosis::{render_diagnosis, Diagnosis};
pub use html::{diagnosis_page, repair_page, About};
pub use scan::{installation_line, render_scan, volume_line, why_none};
pub use text::{describe, plural, render_history, render_plan, short_headline, Style};
pub use updates::render_updates;
pub use wrap::whole;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON document on stdout.
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The user's terminal, or whatever stands in for it.
pub struct Ui {
    /// How results are written.
    pub format: Format,
    /// Colours and symbols for stdout.
    pub style: Style,
    /// Whether more is said.
    pub verbose: bool,
    quiet: bool,
    muted: bool,
    stdout: Stream,
    stderr: Stream,
    progress: Progress,
}

impl Ui {
    /// The terminal as the global flags want it.
    pub fn new(format: Format, color: Color, verbose: bool, quiet: bool) -> Self {
        let (stdout, stderr) = (Stream::stdout(), Stream::stderr());
        let colored = stdout.colored(color);
        Ui {
            format,
            style: Style { colored },
            verbose,
            quiet,
            muted: false,
            stdout,
            stderr,
            progress: Progress::new(stderr, quiet),
        }
    }

    /// A terminal for commands that run inside another one: text, and nothing at all where the outer one speaks JSON.
    pub fn inner(&self) -> Ui {
        Ui {
            format: Format::Text,
            style: self.style,
            verbose: self.verbose,
            quiet: self.quiet,
            muted: self.format == Format::Json,
            stdout: self.stdout,
            stderr: self.stderr,
            progress: self.progress.clone(),
        }
    }

    /// Writes a result for people to stdout; nothing in JSON mode.
    pub fn out(&self, text: &str) {
        self.print(text, Hang::Indented);
    }

    /// The same for running text: lines that are broken go on where they began.
    pub fn prose(&self, text: &str) {
        self.print(text, Hang::Flush);
    }

    fn print(&self, text: &str, hang: Hang) {
        self.write(&self.stdout.prepared(text, hang));
    }

    /// Writes what is prepared.
    fn write(&self, text: &str) {
        if self.format == Format::Text && !self.muted {
            self.clear_progress();
            let mut stdout = io::stdout().lock();
            // A closed pipe (`| head`) is the reader's wish, not an error.
            let _ = stdout.write_all(text.as_bytes());
            let _ = stdout.flush();
        }
    }

    /// Stdout for text of a file format, as it is, for another program. On a terminal it is made harmless like everything else.
    /// Pieces must end between characters.
    pub fn pipe(&self) -> impl Write {
        self.clear_progress();
        Pipe { stdout: self.stdout }
    }

    /// Writes the JSON document; nothing in text mode.
    ///
    /// # Errors
    /// The value can't be serialised.
    pub fn json(&self, document: &impl Serialize) -> Result<()> {
        if self.format == Format::Json {
            self.clear_progress();
            let text = serde_json::to_string_pretty(document)
                .map_err(|e| Failure::from_error(Kind::Partial, e).context("writing the JSON document"))?;
            let mut stdout = io::stdout().lock();
            let _ = writeln!(stdout, "{text}");
            let _ = stdout.flush();
        }
        Ok(())
    }

    /// Says something beside the result, on stderr. Where that can't be written to, nothing is said: the work goes on, and
    /// above all it does not die in the middle.
    pub fn status(&self, text: &str) {
        if !self.quiet {
            self.clear_progress();
            let _ = writeln!(io::stderr(), "{}", self.stderr.prepared(text, Hang::Indented));
        }
    }

    /// Writes a text as it is to stderr, in the characters that are shown there.
    pub fn error_text(&self, text: &str) {
        let _ = io::stderr().write_all(self.stderr.characters(text).as_bytes());
    }

    /// Says what is being done: it is shown once the work has taken longer than half a second.
    pub fn progress(&self, text: &str) {
        self.progress.set(text);
    }

    fn clear_progress(&self) {
        self.progress.clear();
    }

    /// Whether there is somebody to ask.
    pub fn can_ask() -> bool {
        io::stdin().is_terminal()
    }

    /// Whether there is somebody to ask, and somewhere to show what it is about.
    pub fn can_guide() -> bool {
        Self::can_ask() && io::stdout().is_terminal()
    }

    /// Writes a result for people in pieces that fit on the terminal, `spare` lines left free; before each further piece `go_on`
    /// is asked, and if it says no, the rest is not shown. Returns whether all was shown.
    ///
    /// # Errors
    /// Those of `go_on`.
    pub fn paged(&self, text: &str, spare: usize, mut go_on: impl FnMut() -> Result<bool>) -> Result<bool> {
        let page = self.stdout.height().map_or(usize::MAX, |height| height.saturating_sub(spare).max(5));
        let width = self.stdout.width().unwrap_or(usize::MAX);
        let prepared = self.stdout.prepared(text, Hang::Indented);
        let mut used = 0usize;
        for line in prepared.lines() {
            let rows = line.chars().count().div_ceil(width).max(1);
            if used > 0 && used.saturating_add(rows) > page {
                if !go_on()? {
                    return Ok(false);
                }
                used = 0;
            }
            self.write(&format!("{line}\n"));
            used = used.saturating_add(rows);
        }
        Ok(true)
    }

    /// Asks, and returns the line that was typed, without spaces around it; `None` at the end of the input (Ctrl-D, Ctrl-Z).
    ///
    /// # Errors
    /// The terminal can't be read.
    pub fn ask(&self, question: &str) -> Result<Option<String>> {
        self.clear_progress();
        let _ = write!(io::stderr(), "{} ", self.stderr.prepared(question, Hang::Flush));
        let _ = io::stderr().flush();
        // What was typed need not be UTF-8; then it is not understood, and no error.
        let mut answer = Vec::new();
        let read = io::stdin()
            .lock()
            .read_until(b'\n', &mut answer)
            .map_err(|e| Failure::from_error(Kind::Refused, e).context("reading the answer"))?;
        if read == 0 {
            // Whatever comes next begins on a line of its own.
            let _ = writeln!(io::stderr());
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&answer).trim().to_string()))
    }

    /// Asks a question that only "yes" agrees to.
    ///
    /// # Errors
    /// There is no terminal to ask on.
    pub fn confirm(&self, question: &str, command: &str) -> Result<bool> {
        if !Self::can_ask() {
            let hint = match command {
                "undo" => "Add --yes to agree.",
                _ => "Look at the plan with --dry-run, then add --yes to agree.",
            };
            return Err(Failure::refused(format!(
                "{command} asks before it writes, and there is no terminal to ask on"
            ))
            .hint(hint));
        }
        let answer = self.ask(&format!("{question} Type yes to go on:"))?;
        Ok(answer.is_some_and(|answer| answer.eq_ignore_ascii_case("yes")))
    }

    /// Reports a failure: sentence, causes and hint on stderr, the document on stdout in JSON mode.
    pub fn failure(&self, failure: &Failure) {
        self.clear_progress();
        let line = |text: String| {
            let _ = writeln!(io::stderr(), "{}", self.stderr.prepared(&text, Hang::Indented));
        };
        line(format!("coldmend: error: {}", failure.message()));
        for cause in failure.causes() {
            line(format!("  caused by: {cause}"));
        }
        if let Some(hint) = &failure.hint {
            line(format!("  what to do: {hint}"));
        }
        let _ = self.json(&ErrorDocument::of(failure));
    }
}

/// Stdout, for [`Ui::pipe`].
struct Pipe {
    stdout: Stream,
}

impl Write for Pipe {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !self.stdout.is_terminal() {
            return io::stdout().write(text);
        }
        let harmless = self.stdout.characters(&sanitized(&String::from_utf8_lossy(text).replace('\r', "")));
        io::stdout().write_all(harmless.as_bytes()).map(|()| text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// `coldmend.error/1`.
#[derive(Serialize)]
struct ErrorDocument<'a> {
    schema: &'static str,
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    kind: &'static str,
    message: String,
    causes: Vec<String>,
    hint: Option<&'a str>,
}

impl<'a> ErrorDocument<'a> {
    fn of(failure: &'a Failure) -> Self {
        ErrorDocument {
            schema: "coldmend.error/1",
            error: ErrorBody {
                kind: failure.kind.as_str(),
                message: failure.message(),
                causes: failure.causes(),
                hint: failure.hint.as_deref(),
            },
        }
    }
}

/// Control characters and bidirectional overrides made visible, so that nothing read from a volume can move the cursor
/// or turn text around; our own colour sequences and line ends stay.
fn sanitized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // Exactly the sequences that `Style` writes: ESC [ digits m.
        if c == '\x1b' {
            let digits = rest.strip_prefix("\x1b[").map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
            if rest.get(2 + digits..).is_some_and(|r| r.starts_with('m')) && rest.starts_with("\x1b[") {
                out.push_str(rest.get(..digits + 3).unwrap_or_default());
                rest = rest.get(digits + 3..).unwrap_or_default();
                continue;
            }
        }
        if c == '\n' || !is_hostile(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_is_escaped() {
        assert_eq!(sanitized("a\x1b[2Jb\u{202e}c\r"), "a\\u{1b}[2Jb\\u{202e}c\\u{d}");
        assert_eq!(sanitized("\x1b[31mred\x1b[0m\nnext"), "\x1b[31mred\x1b[0m\nnext");
    }
}
