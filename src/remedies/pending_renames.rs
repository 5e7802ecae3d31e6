//! `pending-renames`: what the next start would take away of the update stack is taken out of the Session Manager's lists; the rest of the
//! lists stays, in its order. The check `session-manager` says which pairs, and what the lists are without them.

use crate::error::Result;

use super::{value_change, Output, Request};

pub(super) fn changes(request: &Request<'_>, output: &mut Output) -> Result<()> {
    output.changes.extend(request.defects().filter_map(value_change));
    Ok(())
}
