//! A package's identity: `NAME~PUBLICKEYTOKEN~ARCHITECTURE~LANGUAGE~VERSION`, as keys of the servicing stack are named.

/// An identity, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity<'t> {
    /// The name.
    pub name: &'t str,
    /// The version, where there are five parts.
    pub version: Option<&'t str>,
}

impl<'t> Identity<'t> {
    /// Takes a key's name apart. One of another form is all name.
    pub fn parse(text: &'t str) -> Self {
        let parts: Vec<&str> = text.split('~').collect();
        match parts.as_slice() {
            [name, _, _, _, version] => Identity { name, version: Some(version).filter(|v| !v.is_empty()).copied() },
            _ => Identity { name: text, version: None },
        }
    }

    /// The article's number in the name: `KB` and digits, not in the middle of a word.
    pub fn kb(&self) -> Option<String> {
        kb(self.name)
    }
}

/// The first `KB` with at least five digits behind it that begins a word.
pub(super) fn kb(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    for (at, pair) in bytes.windows(2).enumerate() {
        let begins = at.checked_sub(1).and_then(|b| bytes.get(b)).is_none_or(|b| !b.is_ascii_alphanumeric());
        if !begins || !pair.eq_ignore_ascii_case(b"KB") {
            continue;
        }
        let digits: String =
            bytes.iter().skip(at + 2).take_while(|b| b.is_ascii_digit()).map(|&b| char::from(b)).collect();
        if (5..=9).contains(&digits.len()) {
            return Some(format!("KB{digits}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identity_is_taken_apart() {
        let id = Identity::parse("Package_10_for_KB2545698~31bf3856ad364e35~x86~~6.1.1.3");
        assert_eq!((id.name, id.version), ("Package_10_for_KB2545698", Some("6.1.1.3")));
        assert_eq!(id.kb().unwrap(), "KB2545698");
        let rollup = Identity::parse("Package_for_RollupFix~31bf3856ad364e35~amd64~~19041.2965.1.9");
        assert_eq!((rollup.version, rollup.kb()), (Some("19041.2965.1.9"), None));
        for odd in ["", "~", "a~b", "Package_for_KB1~~~~", "~~~~~~~"] {
            let _ = Identity::parse(odd).kb();
        }
    }

    #[test]
    fn a_number_begins_a_word_and_is_long_enough() {
        assert_eq!(kb("Package_for_kb4057142_RTM").unwrap(), "KB4057142");
        assert_eq!(kb("KB982018-v3").unwrap(), "KB982018");
        for none in ["WKB1234567", "KB123", "KB1234567890", "KB", "Windows-NetFx3"] {
            assert_eq!(kb(none), None, "{none}");
        }
    }
}
