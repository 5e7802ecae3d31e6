//! `os-upgrade`: the switch that the how-to documents set for the upgrade from 7 and 8.1 to 10. Only by asking.

use crate::checks::{OS_UPGRADE_KEY, OS_UPGRADE_VALUE};
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::plan::{Change, HiveName, RegValue};

use super::{Output, Request};

pub(super) fn changes(request: &Request<'_>, output: &mut Output) -> Result<()> {
    if !request.forced() {
        return Ok(());
    }
    let software = &request.context.software;
    let bad = |e| hive_failure(HiveName::Software, e);
    let before = software.value(OS_UPGRADE_KEY, OS_UPGRADE_VALUE).map_err(bad)?;
    let after = RegValue::dword(1);
    if before.as_ref() == Some(&after) {
        return Ok(());
    }
    let mut missing = Vec::new();
    let mut path = OS_UPGRADE_KEY;
    while !software.key_exists(path).map_err(bad)? {
        missing.push(path.to_string());
        match path.rsplit_once('\\') {
            Some((parent, _)) => path = parent,
            None => break,
        }
    }
    for key in missing.into_iter().rev() {
        output.changes.push(Change::CreateKey { hive: HiveName::Software, key });
    }
    output.changes.push(Change::SetValue {
        hive: HiveName::Software,
        key: OS_UPGRADE_KEY.into(),
        name: OS_UPGRADE_VALUE.into(),
        before,
        after,
    });
    if request.context.installation.version.build >= 10240 {
        output.warnings.push(
            "os-upgrade: Windows 10 and later ignore AllowOSUpgrade; it was for the upgrade from 7 and 8.1".into(),
        );
    }
    Ok(())
}
