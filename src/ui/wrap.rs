//! Breaking lines at the terminal's width: at words, with hanging indents, and never inside what somebody must copy.
//!
//! What must stay in one piece is between backquotes (a command), or comes from [`whole`] (a path). A piece that is wider
//! than the terminal stands on a line of its own and overflows.

/// A space that no line is broken at. It is a plain space by the time that it is printed.
pub(super) const GLUE: char = '\u{a0}';

/// The text as one piece that no line end comes into.
pub fn whole(text: &str) -> String {
    text.replace(' ', &GLUE.to_string())
}

/// How continuation lines of a line without indentation begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hang {
    /// Two columns further in.
    Indented,
    /// At the same column: a paragraph.
    Flush,
}

/// Breaks lines that are longer than `width` columns.
pub(super) fn wrap(text: &str, width: usize, hang: Hang) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        if columns(body) <= width {
            out.push_str(body);
        } else {
            break_line(&mut out, body, width, hang);
        }
        out.push_str(end);
    }
    out
}

/// With the glue gone: what is printed.
pub(super) fn unglued(text: &str) -> String {
    text.replace(GLUE, " ")
}

/// How many columns a text takes; colour sequences take none.
fn columns(text: &str) -> usize {
    let mut count = 0;
    let mut inside = false;
    for c in text.chars() {
        match c {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            _ if inside => {}
            _ => count += 1,
        }
    }
    count
}

fn break_line(out: &mut String, line: &str, width: usize, hang: Hang) {
    let glued = glue_commands(line);
    let indent = glued.chars().take_while(|c| *c == ' ').count();
    let continued = " ".repeat(continuation(&glued, indent, width, hang));
    let mut column = 0;
    let mut spaces = 0;
    let mut line_is_empty = true;
    for word in glued.split(' ') {
        if word.is_empty() {
            spaces += 1;
            continue;
        }
        let wide = columns(word);
        if line_is_empty || column + spaces + wide <= width {
            out.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            out.push('\n');
            out.push_str(&continued);
            column = continued.len();
        }
        out.push_str(word);
        column += wide;
        line_is_empty = false;
        // The one that the split took away.
        spaces = 1;
    }
}

/// The column at which the rest of a broken line begins: below the text after a list's mark or a column's heading.
fn continuation(line: &str, indent: usize, width: usize, hang: Hang) -> usize {
    let rest = line.get(indent..).unwrap_or_default();
    if let Some((head, tail)) = rest.split_once("  ") {
        let column = indent + columns(head) + 2 + tail.chars().take_while(|c| *c == ' ').count();
        if column <= width / 2 {
            return column;
        }
    }
    let first = rest.split(' ').next().unwrap_or_default();
    let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    if first == "-" || first.strip_suffix('.').is_some_and(is_number) {
        return indent + first.len() + 1;
    }
    match hang {
        Hang::Flush => indent,
        Hang::Indented => indent + 2,
    }
}

/// Spaces between backquotes become glue.
fn glue_commands(line: &str) -> String {
    let pieces = line.split('`');
    let mut out = String::with_capacity(line.len());
    for (place, piece) in pieces.enumerate() {
        if place > 0 {
            out.push('`');
        }
        if place % 2 == 1 {
            out.push_str(&whole(piece));
        } else {
            out.push_str(piece);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str, width: usize) -> String {
        unglued(&wrap(text, width, Hang::Indented))
    }

    #[test]
    fn lines_that_fit_stay_as_they_are() {
        let text = "  a   b\n\nlast line";
        assert_eq!(broken(text, 11), text);
    }

    #[test]
    fn continuations_hang_below_the_text() {
        assert_eq!(broken("one two three", 8), "one two\n  three");
        assert_eq!(unglued(&wrap("one two three", 8, Hang::Flush)), "one two\nthree");
        assert_eq!(broken("  - one two three four", 12), "  - one two\n    three\n    four");
        assert_eq!(broken("  12. one two three", 14), "  12. one two\n      three");
        assert_eq!(broken("  found   one two three four", 22), "  found   one two\n          three four");
    }

    #[test]
    fn what_is_copied_stays_whole() {
        assert_eq!(
            broken("Next: type `coldmend diagnose D:\\` now and see", 20),
            "Next: type\n  `coldmend diagnose D:\\`\n  now and see"
        );
        assert_eq!(broken(&format!("at {} now", whole("a b c d e f g")), 8), "at\n  a b c d e f g\n  now");
        assert_eq!(broken("averyveryverylongword", 8), "averyveryverylongword");
    }

    #[test]
    fn colours_take_no_room() {
        assert_eq!(broken("\x1b[1mone\x1b[0m two", 7), "\x1b[1mone\x1b[0m two");
        assert_eq!(broken("\x1b[1mone\x1b[0m two six", 8), "\x1b[1mone\x1b[0m two\n  six");
    }
}
