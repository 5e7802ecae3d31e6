//! What stdout and stderr can show: how wide they are, whether they know colours, and which characters.

use std::io::{self, IsTerminal, Write};

use super::wrap::{unglued, wrap, Hang};
use super::{charset, sanitized, Color};

/// Where the terminal does not say how wide it is.
const USUAL_WIDTH: u16 = 80;
/// Where the terminal does not say how high it is.
const USUAL_HEIGHT: u16 = 25;

/// Stdout or stderr, as a place for text that people read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    is_terminal: bool,
    /// Columns to use; of a terminal only.
    width: Option<usize>,
    /// Lines to use; of a terminal only.
    height: Option<usize>,
    limited: bool,
}

impl Stream {
    pub(super) fn stdout() -> Stream {
        let stdout = io::stdout();
        Self::of(stdout.is_terminal(), || terminal_size::terminal_size_of(&stdout))
    }

    pub(super) fn stderr() -> Stream {
        let stderr = io::stderr();
        Self::of(stderr.is_terminal(), || terminal_size::terminal_size_of(&stderr))
    }

    fn of(is_terminal: bool, size: impl Fn() -> Option<(terminal_size::Width, terminal_size::Height)>) -> Stream {
        let size = is_terminal.then(|| match size() {
            Some((width, height)) if width.0 > 0 && height.0 > 0 => (width.0, height.0),
            _ => (USUAL_WIDTH, USUAL_HEIGHT),
        });
        Stream {
            is_terminal,
            // Windows' console makes an empty line after one that fills it to the last column.
            width: size.map(|(width, _)| usize::from(width.max(21) - 1)),
            height: size.map(|(_, height)| usize::from(height)),
            limited: charset::is_limited(),
        }
    }

    /// Whether it is a terminal.
    pub(super) fn is_terminal(self) -> bool {
        self.is_terminal
    }

    /// Columns to use, of a terminal.
    pub(super) fn width(self) -> Option<usize> {
        self.width
    }

    /// Lines to use, of a terminal.
    pub(super) fn height(self) -> Option<usize> {
        self.height
    }

    /// Whether colour sequences are written.
    pub(super) fn colored(self, color: Color) -> bool {
        let wanted = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                self.is_terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        };
        // A console that does not know the sequences would print them.
        wanted && (!self.is_terminal || ansi_is_understood())
    }

    /// The text as this stream shows it: harmless, in its characters, at its width.
    pub(super) fn prepared(self, text: &str, hang: Hang) -> String {
        let text = self.characters(&sanitized(text));
        match self.width {
            Some(width) => unglued(&wrap(&text, width, hang)),
            None => unglued(&text),
        }
    }

    /// The text in the characters that are shown here.
    pub(super) fn characters(self, text: &str) -> String {
        if self.limited {
            charset::to_ascii(text)
        } else {
            text.to_string()
        }
    }
}

#[cfg(windows)]
fn ansi_is_understood() -> bool {
    anstyle_query::windows::enable_ansi_colors() == Some(true)
}

#[cfg(not(windows))]
fn ansi_is_understood() -> bool {
    true
}

/// Columns for help on this terminal; `None` where it goes elsewhere.
pub fn help_width() -> Option<usize> {
    Stream::stdout().width().or(Stream::stderr().width())
}

/// Prints what the parser of the command line has to say: help and version to stdout, errors to stderr.
pub fn print_parser_message(error: &clap::Error) {
    let stream = if error.use_stderr() { Stream::stderr() } else { Stream::stdout() };
    let rendered = error.render();
    let text = if stream.colored(Color::Auto) { rendered.ansi().to_string() } else { rendered.to_string() };
    let text = stream.characters(&text);
    // A closed pipe is the reader's wish.
    let _ = if error.use_stderr() {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    };
}
