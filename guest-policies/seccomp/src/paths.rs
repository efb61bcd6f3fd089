//! Which paths of `/proc` and `/sys` must be masked.
//!
//! The host takes a list that lacks something the newest daemon masks for `systempaths=unconfined`. The setting
//! `masked_paths` is for an older daemon, whose own list clients repeat when they make a container anew.

use portcullis_policy::{Request, settings};

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Whether the call's own lists have all that the setting names; without the setting, they have not.
pub(crate) fn are_masked(request: &Request) -> bool {
    let wanted = settings().texts("/masked_paths").filter(|paths| !paths.is_empty());
    let (Some(wanted), Some(body)) = (wanted, request.body()) else { return false };
    // A list that is not there, or null, is the daemon's own.
    let lists = [
        (body.texts("/HostConfig/MaskedPaths"), wanted),
        (body.texts("/HostConfig/ReadonlyPaths"), READ_ONLY.map(str::to_owned).to_vec()),
    ];
    let has_all = |(list, wanted): &(Option<Vec<String>>, Vec<String>)| {
        list.as_ref().is_none_or(|list| wanted.iter().all(|path| list.contains(path)))
    };
    lists.iter().any(|(list, _)| list.is_some()) && lists.iter().all(has_all)
}
