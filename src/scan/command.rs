//! Command lines to type, for the shell that people have before them: quoted so that a name on a volume stays one word and
//! nothing else.

use std::path::Path;

use crate::volume::escape::escape_text;

/// `coldmend COMMAND TARGET`, with `--windows PATH` where there are several.
#[must_use]
pub fn command_line(command: &str, target: &Path, windows: Option<&str>) -> String {
    let target = quoted(&escape_text(target.as_os_str()));
    match windows {
        Some(folder) => format!("coldmend {command} --windows {} {target}", quoted(folder)),
        None => format!("coldmend {command} {target}"),
    }
}

/// One word of the shell.
fn quoted(word: &str) -> String {
    if cfg!(windows) {
        for_cmd(word)
    } else {
        for_sh(word)
    }
}

fn for_sh(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// For `cmd.exe`. A quotation mark can't be in a name on Windows; one that a hostile volume shows would end the quotation.
pub(crate) fn for_cmd(word: &str) -> String {
    let word = word.replace('"', "?");
    if !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "&()^|<>;,=%!".contains(c)) {
        return word;
    }
    // Backslashes before the closing mark would take its meaning from it.
    let trailing = word.len() - word.trim_end_matches('\\').len();
    format!("\"{word}{}\"", "\\".repeat(trailing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_unix_shell() {
        assert_eq!(for_sh("/mnt/win"), "/mnt/win");
        assert_eq!(for_sh("/mnt/my win"), "'/mnt/my win'");
        assert_eq!(for_sh("Windows$(reboot)'s"), "'Windows$(reboot)'\\''s'");
        assert_eq!(for_sh("Windows\\x"), "'Windows\\x'");
    }

    #[test]
    fn words_for_cmd() {
        assert_eq!(for_cmd("D:\\"), "D:\\");
        assert_eq!(for_cmd(r"\\?\Volume{0-1}\"), r"\\?\Volume{0-1}\");
        assert_eq!(for_cmd("D:\\my disk\\"), "\"D:\\my disk\\\\\"");
        assert_eq!(for_cmd("a\" & format c: & \""), "\"a? & format c: & ?\"");
    }

    #[cfg(unix)]
    #[test]
    fn whole_lines() {
        assert_eq!(command_line("diagnose", Path::new("/mnt/win"), None), "coldmend diagnose /mnt/win");
        assert_eq!(
            command_line("diagnose", Path::new("/mnt/a b"), Some("Windows.other")),
            "coldmend diagnose --windows Windows.other '/mnt/a b'"
        );
    }
}
