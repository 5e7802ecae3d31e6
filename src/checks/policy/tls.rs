//! `tls-settings`: TLS 1.2, which Microsoft's servers ask for, switched off.
//!
//! Switched off for clients where Windows has it: a problem (a suspect where TLS 1.3 may take its place). Left out of what WinHTTP offers
//! by default, or off by default where Windows has it on: a suspect. What is absent is Windows' default, and healthy.

use super::{finding, number, software, software_place};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::policies::Tls12;
use crate::knowledge::Knowledge;
use crate::plan::HiveName;

const ID: &str = "tls-settings";
/// Server 2022 and 11 also have TLS 1.3.
const HAS_TLS13: u32 = 20348;
const CLIENT: &str = "Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Client";
const WINHTTP: [&str; 2] = [
    "Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp",
    "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\WinHttp",
];
/// Bits of `DefaultSecureProtocols`.
const WINHTTP_TLS12: u32 = 0x800;
const WINHTTP_TLS13: u32 = 0x2000;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let Some(row) = Knowledge::builtin().policies().tls(build).filter(|row| row.tls12 != Tls12::No) else {
        return Ok(());
    };
    findings.made += 1;
    for set in &context.installation.control_sets {
        let key = format!("{}\\{CLIENT}", set.key);
        let (enabled, off) = (context.value(&key, "Enabled")?, context.value(&key, "DisabledByDefault")?);
        let place = |name: &str| format!("{}\\{key}\\{name}", HiveName::System);
        if enabled.as_ref().and_then(number) == Some(0) {
            let severity = if build >= HAS_TLS13 { Severity::Suspect } else { Severity::Problem };
            let evidence = vec![Evidence::new(place("Enabled"), shown(enabled.as_ref()), "1 or absent")];
            let title = "TLS 1.2 is switched off: Microsoft's servers can't be reached (0x80072F8F, 0x80072EFE)";
            findings.push(finding(ID, severity, "TLS 1.2", title, evidence, row.source.clone()));
        } else if row.tls12 == Tls12::On && off.as_ref().and_then(number).is_some_and(|n| n != 0) {
            let evidence = vec![Evidence::new(place("DisabledByDefault"), shown(off.as_ref()), "0 or absent")];
            let title = "TLS 1.2 is off for programs that do not ask for it";
            findings.push(finding(ID, Severity::Suspect, "TLS 1.2", title, evidence, row.source.clone()));
        }
    }
    for key in WINHTTP {
        let protocols = software(context, key, "DefaultSecureProtocols")?;
        if protocols.as_ref().and_then(number).is_some_and(|bits| bits & (WINHTTP_TLS12 | WINHTTP_TLS13) == 0) {
            let place = software_place(key, "DefaultSecureProtocols");
            let evidence =
                vec![Evidence::new(place, shown(protocols.as_ref()), "a number with 0x800 in it, or absent")];
            let title = "services do not offer TLS 1.2 by default (0x80072F8F, 0x80072EFE)";
            findings.push(finding(ID, Severity::Suspect, "WinHTTP", title, evidence, row.source.clone()));
        }
    }
    Ok(())
}
