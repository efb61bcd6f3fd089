//! Whether a call chooses the folder of a checkpoint.
//!
//! moby joins the container's folder, or the one that the call gives, with the checkpoint's name
//! (`daemon/checkpoint.go`, `getCheckpointDir`). It checks the name when it makes a checkpoint, and not when it starts a
//! container from one: there, `../../x` is as good as a folder.

use crate::view::{Facts, member, text};

pub(crate) fn chooses_folder(facts: Facts<'_>) -> bool {
    let is_given = |name: &str| facts.query.iter().any(|(other, value)| other == name && !value.is_empty());
    let is_path = |name: &str| name.contains(['/', '\0']) || name.starts_with('.');
    match facts.operation {
        "ContainerStart" => {
            let mut names = facts.query.iter().filter(|(name, _)| name == "checkpoint").map(|(_, value)| value);
            is_given("checkpoint-dir") || names.any(|name| is_path(name))
        }
        "(CheckpointList)" | "(CheckpointDelete)" => is_given("dir"),
        "(CheckpointCreate)" => {
            let folder = member(facts.body, "CheckpointDir");
            folder.is_some_and(|folder| folder.as_str() != Some(""))
                || is_path(text(member(facts.body, "CheckpointID")))
        }
        _ => false,
    }
}
