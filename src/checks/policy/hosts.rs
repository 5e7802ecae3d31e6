//! `hosts-file`: names that Windows Update asks for, given another address in `drivers\etc\hosts`.
//!
//! An address that is this computer or none blocks: a problem. Another one may be a cache of the owner's: a suspect. Names that
//! Windows' resolver answers itself are a note. What the file says of other names is nobody's business here.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::address::dead_host;
use super::{finding, shown_text};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::policies::Weight;
use crate::knowledge::Knowledge;
use crate::volume::Kind;

const ID: &str = "hosts-file";
const PATH: &str = "System32\\drivers\\etc\\hosts";
/// Block lists of advertisers have some megabytes.
const LIMIT: u64 = 32 << 20;
/// Lines that are shown; the title says how many there are.
const MOST_SHOWN: usize = 12;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let Some(found) = context.volume.find(&context.in_windows(PATH)?)? else { return Ok(()) };
    let place = found.path.display_escaped();
    if found.kind != Kind::File {
        findings.could_not(ID, format!("{place} is {}, which is not looked into", found.kind));
        return Ok(());
    }
    let bytes = context.volume.read(&found.path, LIMIT)?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        findings.could_not(ID, format!("{place} is in UTF-16, which Windows' resolver does not read"));
        return Ok(());
    }
    let tables = Knowledge::builtin().policies();
    let mut groups: [(Vec<Evidence>, usize, Option<String>); 3] = Default::default();
    for entry in entries(&String::from_utf8_lossy(&bytes)) {
        let Some(row) = tables.host(entry.name, build) else { continue };
        let severity = match (row.weight, dead_host(entry.address).is_some()) {
            (Weight::Ignored, _) => Severity::Note,
            (Weight::Breaks, true) => Severity::Problem,
            (Weight::May, true) | (_, false) => Severity::Suspect,
        };
        let [problems, suspects, notes] = &mut groups;
        let group = match severity {
            Severity::Problem => problems,
            Severity::Suspect => suspects,
            Severity::Note => notes,
        };
        group.1 += 1;
        group.2.get_or_insert_with(|| row.source.clone());
        if group.0.len() < MOST_SHOWN {
            let line = format!("{} {}", shown_text(entry.address), shown_text(entry.name));
            group.0.push(Evidence::new(format!("{place}, line {}", entry.line), line, "no line for this name"));
        }
    }
    for (severity, (evidence, count, source)) in
        [Severity::Problem, Severity::Suspect, Severity::Note].into_iter().zip(groups)
    {
        let Some(source) = source else { continue };
        let names = if count == 1 { "one name".to_owned() } else { format!("{count} names") };
        let title = match severity {
            Severity::Problem => format!("the hosts file blocks {names} that Windows Update needs"),
            Severity::Suspect => {
                format!("the hosts file gives another address to {names} that Windows Update asks for")
            }
            Severity::Note => {
                format!("the hosts file has {names} of Windows Update for which Windows does not look there")
            }
        };
        findings.push(finding(ID, severity, "hosts", title, evidence, source));
    }
    Ok(())
}

struct Entry<'a> {
    line: usize,
    address: &'a str,
    name: &'a str,
}

/// The names in a hosts file, each with its address and line. What is no address is no entry.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    text.trim_start_matches('\u{feff}').lines().zip(1..).flat_map(|(content, line)| {
        let mut words = content.split('#').next().unwrap_or_default().split_whitespace();
        let address = words.next().filter(|address| is_address(address));
        address.into_iter().flat_map(move |address| words.clone().map(move |name| Entry { line, address, name }))
    })
}

fn is_address(text: &str) -> bool {
    let without_zone = text.split('%').next().unwrap_or_default();
    text.parse::<Ipv4Addr>().is_ok() || without_zone.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_windows_reads_them() {
        let text = "\u{feff}# 127.0.0.1 a\r\n127.0.0.1\tlocalhost\r\n 0.0.0.0  x.example  y.example # 0.0.0.0 z\r\nnot-an-address q\r\n::1 v6\n\n0.0.0.0\n";
        let seen: Vec<(usize, &str, &str)> = entries(text).map(|e| (e.line, e.address, e.name)).collect();
        assert_eq!(
            seen,
            [(2, "127.0.0.1", "localhost"), (3, "0.0.0.0", "x.example"), (3, "0.0.0.0", "y.example"), (5, "::1", "v6")]
        );
    }
}
