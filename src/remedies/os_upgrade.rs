//! `os-upgrade`: the switch that the how-to documents set for the upgrade from 7 and 8.1 to 10. Only by asking.

use crate::checks::{OS_UPGRADE_KEY, OS_UPGRADE_VALUE};
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::plan::{Change, HiveName, RegValue};

use super::{missing_keys, Output, Request};

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
    output.changes.extend(missing_keys(request.context, HiveName::Software, OS_UPGRADE_KEY)?);
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
