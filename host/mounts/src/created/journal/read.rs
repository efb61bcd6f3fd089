//! What the host before has kept, as far as it can be read.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _};
use std::path::Path;

use tracing::{info, warn};

use super::super::event::Event;
use super::super::shards::Shards;
use super::file::{Entry, Head, content};

/// Bytes of one line. A create has at most some hundred thousand.
const LONGEST: u64 = 64 << 20;
/// Tenants that are named of all whose creates are missing.
const NAMED: usize = 8;

/// Takes all of it into the registries. What of it is missing is the answer, for the operator; nothing where there is no file, for then
/// nothing was ever created.
pub(super) fn read_all(path: &Path, shards: &Shards) -> Option<String> {
    let damage = match lines(path, shards) {
        Ok(None) => return None,
        Ok(Some((head, is_damaged))) => {
            for (listener, tenant) in &head.missing {
                let tenant = tenant.as_deref().and_then(|name| portcullis_model::TenantName::new(name).ok());
                let lost = Event::Lost { tenant, containers: true, volumes: true };
                shards.of(listener).locked().apply(&lost);
            }
            if is_damaged {
                set_aside(path);
                Some("is damaged".to_owned())
            } else {
                head.is_damaged.then(|| "was damaged before".to_owned())
            }
        }
        Err(error) => {
            set_aside(path);
            Some(format!("cannot be read: {error}"))
        }
    };
    if damage.is_some() {
        shards.set_damaged();
    }
    let missing = damage.or_else(|| missing_of(shards));
    missing.map(|what| {
            format!(
                "`{}` {what}: a container or a volume that is not known reads as a mount that never resolves. To take those that are \
                 there for harmless, stop the host, and remove the file",
                path.display()
            )
        })
}

/// Whose creates are missing.
fn missing_of(shards: &Shards) -> Option<String> {
    let lost = shards.all().into_iter().flat_map(|shard| shard.locked().lost());
    let mut names: Vec<_> =
        lost.map(|tenant| tenant.map_or_else(|| "nobody".to_owned(), |name| format!("`{name}`"))).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!names.is_empty()).then(|| format!("does not have all that was created by {}{more}", names.join(", ")))
}

/// Takes in every line that is whole. Where one is not and another after it is, the file is damaged; at the end, it is what was being
/// written when the host ended, and nobody had been told of it.
fn lines(path: &Path, shards: &Shards) -> io::Result<Option<(Head, bool)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    next(&mut reader, &mut line)?;
    let head = Head::read(&line);
    let (mut is_damaged, mut is_torn) = (head.is_none(), false);
    while next(&mut reader, &mut line)? {
        let entry: Option<Entry> = content(&line).and_then(|content| serde_json::from_slice(content).ok());
        let Some(Entry { listener, event }) = entry else {
            is_torn = true;
            continue;
        };
        is_damaged |= is_torn;
        shards.of(&listener).locked().apply(&event);
    }
    if is_torn && !is_damaged {
        info!(path = %path.display(), "what was being written when the host before ended is left out");
    }
    Ok(Some((head.unwrap_or_default(), is_damaged)))
}

/// Whether there is another line.
fn next(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    reader.by_ref().take(LONGEST).read_until(b'\n', line)?;
    Ok(!line.is_empty())
}

/// What is damaged is kept, for whoever wants to know.
fn set_aside(path: &Path) {
    let aside = path.with_extension("journal.damaged");
    // Its own name it loses only to a file that says that something is missing.
    let linked =
        fs::remove_file(&aside).or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) });
    if let Err(error) = linked.and_then(|()| fs::hard_link(path, &aside)) {
        warn!(%error, path = %path.display(), "it could not be set aside");
    }
}
