//! Paths of services in one spelling, so that they can be compared.
//!
//! Windows itself writes the same program in many ways: `%SystemRoot%\System32\svchost.exe`,
//! `C:\WINDOWS\system32\svchost.exe`, `\SystemRoot\system32\…`, `system32\…`, and XP has
//! `…\svchost -k rpcss` without the extension (all of them measured).

/// `path` relative to the Windows folder, in lower case, with single backslashes; a path that does
/// not lie there comes back absolute. `system_root` is the installation's own idea of its Windows
/// folder (`C:\Windows`, from SOFTWARE's `CurrentVersion\SystemRoot`); without it, `\windows` and
/// `\winnt` on any drive count.
#[must_use]
pub fn windows_path(path: &str, system_root: Option<&str>) -> String {
    let clean = |text: &str| {
        let mut out = String::with_capacity(text.len());
        for c in text.trim().trim_matches('"').chars() {
            let c = if c == '/' { '\\' } else { c };
            // `\??\` and a leading `\` keep their meaning below; doubled ones inside mean nothing.
            if !(c == '\\' && out.len() > 1 && out.ends_with('\\')) {
                out.extend(c.to_lowercase());
            }
        }
        out
    };
    let path = clean(path);
    let root = system_root.map(clean);
    let mut path = path.strip_prefix(r"\??\").unwrap_or(&path).to_owned();
    if let Some(rest) = path.strip_prefix(r"%systemdrive%\") {
        let drive = root.as_deref().and_then(|root| root.get(..2)).unwrap_or("c:");
        path = format!(r"{drive}\{rest}");
    }
    for prefix in [r"%systemroot%\", r"%windir%\", r"\systemroot\"] {
        if let Some(rest) = path.strip_prefix(prefix) {
            return rest.to_owned();
        }
    }
    if let Some(root) = &root {
        let root = format!("{}\\", root.trim_end_matches('\\'));
        if let Some(rest) = path.strip_prefix(&root) {
            return rest.to_owned();
        }
    } else if path.get(1..3) == Some(r":\") {
        for folder in [r"windows\", r"winnt\"] {
            if let Some(rest) = path.get(3..).and_then(|rest| rest.strip_prefix(folder)) {
                return rest.to_owned();
            }
        }
    }
    path
}

/// An `ImagePath`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePath {
    /// The program as [`windows_path`] spells it, with its extension.
    pub executable: String,
    /// What follows, in lower case, `-k GROUP` and `-p` of svchost taken out.
    pub arguments: Vec<String>,
    /// The group behind `-k`, in lower case, when the program is svchost.
    pub svchost_group: Option<String>,
    /// Whether svchost has `-p` (from 1709 on; with or without it the service works).
    pub mitigations: bool,
}

impl ImagePath {
    /// Takes an `ImagePath` apart; `None` when there is no program in it. For `system_root` see
    /// [`windows_path`].
    #[must_use]
    pub fn parse(text: &str, system_root: Option<&str>) -> Option<ImagePath> {
        let text = text.trim();
        let (program, rest) = if let Some(quoted) = text.strip_prefix('"') {
            quoted.split_once('"').unwrap_or((quoted, ""))
        } else {
            split_unquoted(text)
        };
        let mut executable = windows_path(program, system_root);
        let file = executable.rsplit('\\').next().unwrap_or_default();
        if file.is_empty() {
            return None;
        }
        if !file.contains('.') {
            executable.push_str(".exe");
        }
        let mut arguments: Vec<String> = rest.split_whitespace().map(str::to_lowercase).collect();
        let mut svchost_group = None;
        let mut mitigations = false;
        if executable == r"system32\svchost.exe" {
            if let Some(at) = arguments.iter().position(|a| a == "-k") {
                arguments.remove(at);
                if at < arguments.len() {
                    svchost_group = Some(arguments.remove(at));
                }
            }
            let before = arguments.len();
            arguments.retain(|a| a != "-p");
            mitigations = arguments.len() != before;
        }
        Some(ImagePath { executable, arguments, svchost_group, mitigations })
    }

    /// Whether both start the same program in the same way; `-p` does not count.
    #[must_use]
    pub fn same_program(&self, other: &ImagePath) -> bool {
        self.executable == other.executable
            && self.svchost_group == other.svchost_group
            && self.arguments == other.arguments
    }
}

/// Windows cuts an unquoted command line where the program's name ends: after `.exe` if it has that,
/// at the first blank otherwise.
fn split_unquoted(text: &str) -> (&str, &str) {
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower.get(from..).and_then(|rest| rest.find(".exe")) {
        let end = from + found + 4;
        let at_end = text.get(end..).is_none_or(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if at_end {
            return text.split_at(end);
        }
        from = end;
    }
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_spelling() {
        for text in [
            r"%SystemRoot%\System32\svchost.exe -k netsvcs -p",
            r"%systemroot%\system32\svchost.exe -k netsvcs",
            r"C:\WINDOWS\system32\svchost.exe  -k  NETSVCS",
            r#""C:\Windows\system32\svchost.exe" -k netsvcs"#,
            r"\SystemRoot\system32\svchost -k netsvcs",
            r"system32\svchost.exe -k netsvcs",
            r"%windir%\system32\\svchost.exe -k netsvcs",
            r"\??\C:\Windows\system32\svchost.exe -k netsvcs",
            r"%SystemDrive%\Windows\system32\svchost.exe -k netsvcs",
        ] {
            for root in [None, Some(r"C:\Windows")] {
                let path = ImagePath::parse(text, root).unwrap();
                assert_eq!(path.executable, r"system32\svchost.exe", "{text}");
                assert_eq!(path.svchost_group.as_deref(), Some("netsvcs"), "{text}");
                assert!(path.arguments.is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn differences_stay() {
        let of = |text| ImagePath::parse(text, Some(r"D:\WinNT")).unwrap();
        assert_eq!(of(r"D:\winnt\system32\msiexec.exe /V").arguments, ["/v"]);
        assert_eq!(of(r"C:\Windows\system32\svchost.exe -k netsvcs").executable, r"c:\windows\system32\svchost.exe");
        assert_eq!(
            of(r"C:\Program Files\Evil Tool\svc.exe -k netsvcs").executable,
            r"c:\program files\evil tool\svc.exe"
        );
        let a = of(r"%SystemRoot%\system32\svchost.exe -k netsvcs");
        assert!(!a.same_program(&of(r"%SystemRoot%\system32\svchost.exe -k wusvcs")));
        assert!(!a.same_program(&of(r"%SystemRoot%\system32\svchost.exe -k netsvcs -x")));
        assert!(!a.same_program(&of(r"%SystemRoot%\system32\svchosts.exe -k netsvcs")));
        assert!(a.same_program(&of(r"system32\svchost.exe -p -k netsvcs")));
        assert_eq!(ImagePath::parse("", None), None);
        assert_eq!(ImagePath::parse(r"C:\Windows\", None), None);
    }
}
