//! Text for consoles that know no UTF-8: Windows' with its code pages 437 and 850, and a Linux in the `C` locale.
//!
//! Our own texts use a few signs beyond ASCII; each has a plain form. Everything else (a name on the volume) becomes `\u{e9}`:
//! ugly, and the same on every console. JSON and files are not text for people and stay UTF-8.

/// Whether text for people is limited to ASCII here: always on Windows, whose recovery consoles have neither the code page
/// nor the font for more; elsewhere as the locale says.
pub(super) fn is_limited() -> bool {
    cfg!(windows) || !names_utf8(["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).ok()))
}

/// Whether the locale (the first of these that is set and not empty) is one with UTF-8. None at all is the `C` locale.
fn names_utf8(variables: [Option<String>; 3]) -> bool {
    let locale = variables.into_iter().flatten().find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The text in ASCII. [`GLUE`](super::wrap::GLUE) stays: it is a space that is not there yet.
pub(super) fn to_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match plain(c) {
            Some(plain) => out.push_str(plain),
            None if c.is_ascii() || c == super::wrap::GLUE => out.push(c),
            None => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// The plain form of a sign that our own texts use.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '–' | '—' | '─' | '‑' | '−' => "-",
        '→' => "->",
        '←' => "<-",
        '…' => "...",
        '“' | '”' | '„' => "\"",
        '‘' | '’' => "'",
        '×' => "x",
        '≥' => ">=",
        '≤' => "<=",
        '≠' => "!=",
        '·' | '•' => "*",
        '✓' => "ok",
        '│' => "|",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_signs_have_plain_forms_and_others_are_escaped() {
        assert_eq!(to_ascii("a — b → c… “x” 2 × 3 ≥ 5 ── heading"), "a - b -> c... \"x\" 2 x 3 >= 5 -- heading");
        assert_eq!(to_ascii("Prüfung\t新\n"), "Pr\\u{fc}fung\t\\u{65b0}\n");
    }

    #[test]
    fn the_first_variable_that_says_something_is_the_locale() {
        let of = |all: &str, ctype: &str, lang: &str| names_utf8([all, ctype, lang].map(|v| Some(v.to_string())));
        assert!(of("", "", "de_DE.UTF-8"));
        assert!(of("C.utf8", "C", "C"));
        assert!(!of("C", "", "de_DE.UTF-8"));
        assert!(!of("", "de_DE.ISO-8859-1", "de_DE.UTF-8"));
        assert!(!names_utf8([None, None, None]));
    }

    /// Every sign beyond ASCII in the program's own sources that are shown has a plain form.
    #[test]
    fn nothing_of_our_own_is_escaped() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs" || e == "toml") {
                    let text = std::fs::read_to_string(&path).unwrap_or_default();
                    // Tests are not shown.
                    let shown = text.split("#[cfg(test)]").next().unwrap_or_default();
                    let is_test = path.to_string_lossy().contains("tests");
                    // Of the comments, those before a flag become its help.
                    let is_remark = |line: &&str| {
                        let line = line.trim_start();
                        line.starts_with("//") && (!line.starts_with("///") || !path.to_string_lossy().contains("cli"))
                    };
                    let lines = shown.lines().filter(|line| !is_test && !is_remark(line));
                    for c in lines.flat_map(str::chars).filter(|c| !c.is_ascii()) {
                        seen += 1;
                        assert!(plain(c).is_some(), "{c:?} in {}", path.display());
                    }
                }
            }
        }
        assert!(seen > 20, "only {seen} signs were seen");
    }
}
