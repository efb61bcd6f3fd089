//! How much is read from and written to disks.

use portcullis_policy::view::{BlockIo, BlockIoKind};
use portcullis_policy::{Kind, Request};

use crate::limit::{Amount, Call, Resource};
use crate::rules::{BLOCK_IO_WEIGHT, READ_BYTES, READ_OPERATIONS, Rules, WRITE_BYTES, WRITE_OPERATIONS};

/// Each with the list of its devices in an update.
static THROTTLES: [(BlockIoKind, &Resource, &str); 4] = [
    (BlockIoKind::ReadBytes, &READ_BYTES, "/BlkioDeviceReadBps"),
    (BlockIoKind::WriteBytes, &WRITE_BYTES, "/BlkioDeviceWriteBps"),
    (BlockIoKind::ReadOperations, &READ_OPERATIONS, "/BlkioDeviceReadIOps"),
    (BlockIoKind::WriteOperations, &WRITE_OPERATIONS, "/BlkioDeviceWriteIOps"),
];

pub(crate) fn objection(rules: &Rules<'_>, request: &Request, given: &[BlockIo], call: Call) -> Option<String> {
    let of_kind = |kind: BlockIoKind| given.iter().filter(move |limit| limit.kind == kind);
    let amount = |limit: &BlockIo| Amount::Of(i64::try_from(limit.value).unwrap_or(i64::MAX));
    let mut weights = of_kind(BlockIoKind::Weight);
    if let Some(reason) = weights.find_map(|weight| rules.objection(&BLOCK_IO_WEIGHT, amount(weight), call)) {
        return Some(reason);
    }
    THROTTLES.iter().find_map(|(kind, resource, list)| {
        if !rules.get(resource.name).exists() {
            return None;
        }
        let mut limits = of_kind(*kind).peekable();
        if limits.peek().is_none() {
            // In an update, a list takes the place of the old one, an empty one, too.
            let takes_away =
                call == Call::Update && request.body().is_some_and(|body| body.kind(list) == Some(Kind::Array));
            return rules.objection(resource, if takes_away { Amount::Unlimited } else { Amount::NotGiven }, call);
        }
        // The kernel takes 0 for no limit.
        limits.find_map(|limit| {
            let amount = if limit.value == 0 { Amount::Unlimited } else { amount(limit) };
            rules.objection(resource, amount, call)
        })
    })
}
