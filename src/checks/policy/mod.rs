//! Policies and switches: what keeps a Windows with sound services from updating.
//!
//! One file per check. They share what is gathered once per diagnosis ([`gathered::Gathered`]): the policy files, the update
//! server that is configured, and whether somebody manages the machine. A managed machine is healthy: what an
//! administrator's policy does on purpose is a note there.
//!
//! Relies on SOFTWARE and SYSTEM through [`Context`], and on the volume. Facts are in `knowledge/policies/`.

mod access;
mod address;
mod automatic;
mod clock;
mod debugger;
mod firewall;
mod gathered;
mod hosts;
mod internet_proxy;
mod leftovers;
mod mdm;
mod pause;
mod policy_file;
mod proxy;
mod servicing_source;
mod setting;
mod settings_page;
mod source;
mod sysprep;
mod target_version;
mod tasks;
mod time;
mod tls;
mod user;
mod wsus;

use std::cell::OnceCell;

use super::context::Context;
use super::Check;
use crate::error::{Failure, Result};
use crate::evidence::hive_failure;
use crate::findings::reported as finding;
use crate::plan::{HiveName, RegValue};
use crate::volume::escape::escape_text;

use gathered::Gathered;

/// These checks, in the order in which findings are shown.
pub(super) const CHECKS: &[Check] = &[
    Check { id: "policy-file", run: policy_file::run },
    Check { id: "policy-wsus", run: wsus::run },
    Check { id: "policy-update-access", run: access::run },
    Check { id: "policy-update-internet", run: access::run_internet },
    Check { id: "policy-automatic-updates", run: automatic::run },
    Check { id: "policy-target-version", run: target_version::run },
    Check { id: "policy-update-source", run: source::run },
    Check { id: "policy-mdm", run: mdm::run },
    Check { id: "policy-user", run: user::run },
    Check { id: "policy-servicing-source", run: servicing_source::run },
    Check { id: "update-pause", run: pause::run },
    Check { id: "settings-page", run: settings_page::run },
    Check { id: "sysprep-marker", run: sysprep::run },
    Check { id: "image-debugger", run: debugger::run },
    Check { id: "hosts-file", run: hosts::run },
    Check { id: "firewall-rule", run: firewall::run },
    Check { id: "winhttp-proxy", run: proxy::run },
    Check { id: "system-proxy", run: internet_proxy::run },
    Check { id: "tls-settings", run: tls::run },
    Check { id: "time-settings", run: time::run },
    Check { id: "update-tasks", run: tasks::run },
    Check { id: "reset-leftovers", run: leftovers::run },
];

/// Where [`Context`] keeps what is gathered.
pub(super) type Cell = OnceCell<Gathered>;

/// What these checks share, gathered when the first of them asks.
fn gathered<'c>(context: &'c Context<'_>) -> Result<&'c Gathered> {
    if let Some(known) = context.policies.get() {
        return Ok(known);
    }
    let new = Gathered::new(context)?;
    Ok(context.policies.get_or_init(|| new))
}

/// Whether somebody manages the machine, so that what is unusual may be meant: an update server, MDM, a domain.
pub(super) fn somebody_manages(context: &Context<'_>) -> Result<bool> {
    let gathered = gathered(context)?;
    Ok(gathered.is_managed() || gathered.domain.is_some())
}

/// A value of SOFTWARE.
fn software(context: &Context<'_>, key: &str, name: &str) -> Result<Option<RegValue>> {
    context.software.value(key, name).map_err(|e| software_failure(e, key))
}

fn software_failure(error: crate::evidence::RegistryError, key: &str) -> Failure {
    hive_failure(HiveName::Software, error).context(format!("reading {key}"))
}

fn system_failure(error: crate::evidence::RegistryError, key: &str) -> Failure {
    hive_failure(HiveName::System, error).context(format!("reading {key}"))
}

/// A place in SOFTWARE as evidence shows it.
pub(super) fn software_place(key: &str, name: &str) -> String {
    format!("{}\\{key}\\{}", HiveName::Software, shown_text(name))
}

/// A text from the volume, made harmless and not too long.
pub(super) fn shown_text(text: &str) -> String {
    let mut short: String = text.chars().take(300).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    escape_text(short.as_ref())
}

/// The number that a policy value holds: a `REG_DWORD`, or the text of one.
fn number(value: &RegValue) -> Option<u32> {
    value.as_dword().or_else(|| value.as_text()?.trim().parse().ok())
}
