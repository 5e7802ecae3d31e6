//! What stands in a line: the code and the name of the failing object, by the rows of the table.

use crate::knowledge::{Knowledge, LogObjectKind, LogPattern};

use super::event::Object;

/// The longest name that is taken for one.
const MAX_NAME: usize = 1024;

/// The line's code: what stands where the row says, else the first HRESULT or NTSTATUS, else a named one. `Some(0)` is success.
pub(super) fn code(row: &LogPattern, line: &str) -> Option<u32> {
    if let Some(before) = &row.code {
        let rest = line.split_once(before.as_str())?.1.trim_start();
        return number(rest).map(as_hresult);
    }
    named(line).or_else(|| any_hresult(line))
}

/// A number that a text begins with: `0x` and digits; eight hexadecimal digits; or decimal.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = |text: &str, radix: u32| {
        let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
        text.get(..end).filter(|digits| !digits.is_empty()).map(str::to_owned)
    };
    if let Some(rest) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(&digits(rest, 16)?, 16).ok();
    }
    match digits(text, 16) {
        Some(hex) if hex.len() == 8 => u32::from_str_radix(&hex, 16).ok(),
        _ => digits(text, 10)?.parse().ok(),
    }
}

/// Windows shows the code 2 of Win32 as 0x80070002.
fn as_hresult(code: u32) -> u32 {
    if (1..0x1_0000).contains(&code) {
        0x8007_0000 | code
    } else {
        code
    }
}

fn named(line: &str) -> Option<u32> {
    let codes = &Knowledge::builtin().logs().codes;
    codes.iter().find(|code| line.contains(&code.name)).map(|code| code.code)
}

/// The first number of eight digits that is a failure; `Error 2:` of SetupAPI where there is none.
fn any_hresult(line: &str) -> Option<u32> {
    let failure = line.match_indices("0x").chain(line.match_indices("0X")).find_map(|(at, _)| {
        let digits: String = line.get(at + 2..)?.chars().take_while(char::is_ascii_hexdigit).collect();
        let code = u32::from_str_radix(&digits, 16).ok()?;
        (digits.len() == 8 && code >= 0x8000_0000).then_some(code)
    });
    // `(F) 80070002 [Warning,Facility=…` has no 0x.
    let bare = || number(line.split_once("(F) ")?.1).filter(|&code| code >= 0x8000_0000);
    let win32 = || {
        ["Error = 0x", "Error = ", "Error "].iter().find_map(|before| {
            let rest = line.split_once(before)?.1;
            let code = if before.ends_with("0x") { number(&format!("0x{rest}"))? } else { number(rest)? };
            (1..0x1_0000).contains(&code).then_some(as_hresult(code))
        })
    };
    failure.or_else(bare).or_else(win32)
}

/// The object that the row says to be in the line.
pub(super) fn object(row: &LogPattern, line: &str) -> Option<Object> {
    let kind = row.object?;
    if let Some(name) = &row.name {
        return make(kind, name);
    }
    let after = row.after.as_deref().unwrap_or(&row.text);
    let rest = line.split_once(after)?.1;
    match kind {
        LogObjectKind::Payload if row.until.is_none() => store_object(row, rest),
        LogObjectKind::StoreFile => store_object(row, rest),
        _ => make(kind, name_in(rest, row.until.as_deref())?),
    }
}

/// The name that a text begins with: `[30]"name"`, `[l:10]'name'`, `"name"`, or up to what ends it.
fn name_in<'a>(text: &'a str, until: Option<&str>) -> Option<&'a str> {
    let mut text = text.trim_start();
    if let Some((length, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        if length.len() <= 40 && rest.starts_with(['"', '\'']) {
            text = rest;
        }
    }
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.split_once(quote).map(|(name, _)| name);
        }
    }
    let end = match until {
        Some(until) => text.find(until),
        None => ["\t", " [", ", ", "  "].iter().filter_map(|end| text.find(end)).min(),
    };
    text.get(..end.unwrap_or(text.len())).map(str::trim)
}

fn make(kind: LogObjectKind, name: &str) -> Option<Object> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME || name == "(null)" {
        return None;
    }
    let path = name.strip_prefix(r"\??\").or_else(|| name.strip_prefix(r"\\?\")).unwrap_or(name);
    match kind {
        LogObjectKind::Service => (!name.contains(['\\', '/'])).then(|| Object::Service(name.into())),
        LogObjectKind::File => Some(Object::File(path.into())),
        LogObjectKind::Inf => {
            let file = name.rsplit(['\\', '/']).next()?;
            file.to_ascii_lowercase().ends_with(".inf").then(|| Object::Inf(file.into()))
        }
        LogObjectKind::Package => name.contains('~').then(|| Object::Package(name.into())),
        LogObjectKind::Component => Some(Object::Component(name.into())),
        LogObjectKind::StoreFile => Some(Object::StoreFile(path.into())),
        LogObjectKind::Payload => {
            let (component, file) = split_component(name)?;
            (!file.is_empty()).then(|| Object::Payload { component: component.into(), file: file.into() })
        }
    }
}

/// `amd64_…_31bf3856ad364e35_10.0.1.1_none_0123456789abcdef`, and what follows it: the file, after a backslash or at once.
fn split_component(text: &str) -> Option<(&str, &str)> {
    let is_hash = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let first = text.split('\\').next()?;
    let at = first.rmatch_indices('_').map(|(at, _)| at).find(|at| {
        let hash = first.get(at + 1..at + 17);
        hash.is_some_and(is_hash)
    })?;
    // The token of the publisher is as long, and stands before the version.
    if first.get(..at)?.matches('_').count() < 4 {
        return None;
    }
    let (component, rest) = text.split_at_checked(at + 17)?;
    Some((component, rest.trim_start_matches('\\')))
}

/// The object in a line of a scan of the component store: fields between tabs (or blanks), of which some say how and whether
/// it was repaired.
fn store_object(row: &LogPattern, rest: &str) -> Option<Object> {
    let rest = rest.split(" from ").next()?;
    let fields: Vec<&str> =
        if rest.contains('\t') { rest.split('\t').collect() } else { rest.split_whitespace().collect() };
    let mut before = None;
    for field in fields.into_iter().map(str::trim) {
        let is_mark = field.is_empty() || field.starts_with('(') || field.starts_with("0x") || field.len() > MAX_NAME;
        if is_mark {
            continue;
        }
        let lower = field.to_ascii_lowercase();
        if lower.starts_with("servicing\\") || lower.starts_with("winsxs\\") {
            return Some(Object::StoreFile(field.into()));
        }
        if let Some((component, file)) = split_component(field) {
            if !file.is_empty() {
                return Some(Object::Payload { component: component.into(), file: file.into() });
            }
            if row.object == Some(LogObjectKind::StoreFile) {
                return Some(Object::StoreFile(format!("WinSxS\\Manifests\\{component}.manifest")));
            }
            let file: &str = before?;
            return Some(Object::Payload { component: component.into(), file: file.into() });
        }
        if field.contains('~') {
            let ending = match () {
                () if lower.ends_with(".mum") || lower.ends_with(".cat") => "",
                () if row.text.contains("Catalog") => ".cat",
                () => ".mum",
            };
            return Some(Object::StoreFile(format!("servicing\\Packages\\{field}{ending}")));
        }
        before = Some(field);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_row_finds_what_it_says() {
        for row in &Knowledge::builtin().logs().patterns {
            let found = object(row, &row.example).map(|object| object.to_string());
            assert_eq!(found, row.finds, "{}", row.id);
            assert!(row.also.iter().all(|also| row.example.contains(also)), "{}", row.id);
            assert!(!row.unless.iter().any(|unless| row.example.contains(unless)), "{}", row.id);
        }
    }

    #[test]
    fn codes() {
        let row = |id: &str| Knowledge::builtin().logs().patterns.iter().find(|row| row.id == id).unwrap();
        let of_example = |id: &str| code(row(id), &row(id).example);
        assert_eq!(of_example("cbs-service-start"), Some(0x8007_0002));
        assert_eq!(of_example("cbs-object-not-found"), Some(0xC000_0034));
        assert_eq!(of_example("cbs-driver-result"), Some(0x8007_0003));
        assert_eq!(of_example("cbs-driver-install"), Some(0x8007_0002));
        assert_eq!(of_example("cbs-resolve-package"), Some(0x800f_0831));
        assert_eq!(of_example("cbs-hresult"), Some(0x8007_0003));
        assert_eq!(of_example("cbs-scan-result"), Some(0x800f_081f));
        assert_eq!(of_example("dism-error"), Some(0x800f_081f));
        assert_eq!(of_example("setupapi-xp-error"), Some(0x8007_0002));
        assert_eq!(of_example("setupapi-copy"), Some(0x8007_0002));
        assert_eq!(of_example("setupapi-exit"), Some(0x8007_0002));
        assert_eq!(of_example("setupapi-error"), Some(0xE000_0247));
        assert_eq!(of_example("wu-failed"), Some(0x8024_000C));
        assert_eq!(of_example("wu-warning"), Some(0x8024_402C));
        assert_eq!(of_example("setup-wimmount"), Some(0x8007_0002));
        let error = row("cbs-error");
        assert_eq!(code(error, "x, Error CSI 000000fd (F) 80070002 [Warning,Facility=x]"), Some(0x8007_0002));
        assert_eq!(code(error, "x, Error CBS nothing"), None);
        assert_eq!(code(row("cbs-driver-result"), "Doqe: Recording result: 0x0, for Inf: a.inf"), Some(0));
        for text in ["", "0x", "0xzz", "99999999999999999999", "0xfffffffffffff", "é"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn components() {
        let glued = "x86_microsoft-windows-directwrite_31bf3856ad364e35_7.1.7601.23545_none_229deeb1ba2a85d3DWrite.dll";
        assert_eq!(split_component(glued).unwrap().1, "DWrite.dll");
        assert_eq!(split_component("x86_a_31bf3856ad364e35"), None);
        assert_eq!(split_component("é_é_é"), None);
    }
}
