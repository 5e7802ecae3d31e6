//! One screen after the other, and questions with few answers. Whatever is not understood is asked again, a few times; Enter
//! alone, `q` and the end of the input never change anything.

use crate::error::Result;
use crate::ui::Ui;

/// How often a question is asked.
const PATIENCE: usize = 4;
/// Lines that the heading and the question take.
const SPARE: usize = 7;

/// The terminal, a screen at a time.
#[derive(Clone, Copy)]
pub(super) struct Screen<'a> {
    pub ui: &'a Ui,
}

/// What a question accepts.
pub(super) struct Choice<'a> {
    /// The question, and what each answer means.
    pub question: &'a str,
    /// The answers, in full.
    pub words: &'a [&'a str],
    /// What Enter alone means; `None`: to leave.
    pub enter: Option<&'a str>,
}

impl Screen<'_> {
    /// Begins a screen.
    pub(super) fn heading(self, title: &str) {
        let rule = "─".repeat(title.chars().count().min(70));
        self.ui.prose(&format!("\n{}\n{rule}\n\n", self.ui.style.bold(title)));
    }

    /// Running text.
    pub(super) fn say(self, text: &str) {
        self.ui.prose(&format!("{text}\n\n"));
    }

    /// A text that may be long. Returns whether the user wants to go on after it.
    pub(super) fn long(self, text: &str) -> Result<bool> {
        let go_on = || {
            let answer = self.ui.ask("There is more: press Enter to read on, or type q to stop reading:")?;
            Ok(answer.is_some_and(|a| !is_no(&a)))
        };
        self.ui.paged(text, SPARE, go_on)
    }

    /// Asks until an answer is understood. `None`: the user wants to leave, or there is nobody to understand.
    pub(super) fn choose<'w>(self, choice: &Choice<'w>) -> Result<Option<&'w str>> {
        self.ui.prose(&format!("{}\n", choice.question));
        for turn in 1..=PATIENCE {
            let Some(answer) = self.ui.ask(">")? else { return Ok(None) };
            if answer.is_empty() {
                return Ok(choice.enter);
            }
            if let Some(word) = understood(&answer, choice.words) {
                return Ok(Some(word));
            }
            if is_no(&answer) {
                return Ok(None);
            }
            if turn < PATIENCE {
                let words: Vec<String> = choice.words.iter().map(|w| format!("“{w}”")).collect();
                self.ui.prose(&format!("That was not understood. Type {}, or “q” to leave.\n", words.join(" or ")));
            }
        }
        self.ui.prose("That was not understood either.\n");
        Ok(None)
    }
}

/// The word that was meant: itself, in any case, or its first letter; `yes` must be whole.
fn understood<'w>(answer: &str, words: &[&'w str]) -> Option<&'w str> {
    let answer = answer.to_ascii_lowercase();
    let answer = answer.trim_matches(|c: char| "\"'`.".contains(c));
    let is_meant = |word: &&&str| {
        answer == word.to_ascii_lowercase()
            || (**word != "yes"
                && answer.len() == 1
                && word.bytes().all(|b| b.is_ascii_alphabetic())
                && word.starts_with(answer))
    };
    words.iter().find(is_meant).copied()
}

fn is_no(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "q" | "quit" | "exit" | "leave" | "n" | "no")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let words = ["yes", "more", "undo", "1", "12"];
        assert_eq!(understood("YES", &words), Some("yes"));
        assert_eq!(understood("y", &words), None);
        assert_eq!(understood("m", &words), Some("more"));
        assert_eq!(understood("\"undo\"", &words), Some("undo"));
        assert_eq!(understood("1", &words), Some("1"));
        assert_eq!(understood("12", &words), Some("12"));
        assert_eq!(understood("2", &words), None);
        assert_eq!(understood("yes please", &words), None);
        assert!(is_no("No") && is_no("q") && !is_no("yes"));
    }
}
