//! `setup-config`: `SetupConfig.ini` of the default profile, which feature updates read their options from. Absent is normal.
//! Source: Microsoft, "Troubleshoot Windows Update error 0x80070490" (a malformed file); its documentation: one section
//! `[SetupConfig]` with `Name=Value` or a bare name in each line.

use super::shown;
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::volume::{Kind, VolPath};

const FILE: &str = "Users\\Default\\AppData\\Local\\Microsoft\\Windows\\WSUS\\SetupConfig.ini";
const LIMIT: u64 = 1 << 20;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(found) = context.volume.find(&VolPath::literal(FILE))?.filter(|f| f.kind == Kind::File) else {
        return Ok(());
    };
    let Some(fault) = malformed(&context.volume.read(&found.path, LIMIT)?) else { return Ok(()) };
    findings.push(Finding {
        id: "setup-config",
        severity: Severity::Suspect,
        subject: "SetupConfig.ini".into(),
        title: "the options of feature updates are malformed (0x80070490)".into(),
        evidence: vec![Evidence::new(found.path.display_escaped(), fault, "[SetupConfig] and lines of Name=Value")],
        remedy: None,
        source: "Microsoft, Troubleshoot Windows Update error 0x80070490".into(),
        defect: None,
    });
    Ok(())
}

fn malformed(bytes: &[u8]) -> Option<String> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> = rest.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').to_owned(),
    };
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(';'));
    match lines.next() {
        None => return Some("a file without content".into()),
        Some(line) if line.eq_ignore_ascii_case("[SetupConfig]") => {}
        Some(line) => return Some(format!("begins with {}", shown(line))),
    }
    let bad =
        |line: &&str| line.starts_with('=') || line.contains('\0') || (line.starts_with('[') && !line.ends_with(']'));
    lines.find(bad).map(|line| format!("the line {}", shown(line)))
}

#[cfg(test)]
mod tests {
    use super::malformed;

    #[test]
    fn the_form_is_told_from_others() {
        assert_eq!(malformed(b"[SetupConfig]\r\nNoReboot\r\nShowOobe=None\r\n"), None);
        assert_eq!(malformed(b"\xef\xbb\xbf; note\n[setupconfig]\n"), None);
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("[SetupConfig]\nA=1".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(malformed(&wide), None);
        for bad in [&b""[..], b"NoReboot=1\n", b"[SetupConfig]\n=1\n", b"[SetupConfig]\n[x\n", b"[SetupConfig]\na\0b\n"]
        {
            assert!(malformed(bad).is_some(), "{bad:?}");
        }
    }
}
