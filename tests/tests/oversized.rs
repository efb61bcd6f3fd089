//! One call of four megabytes cannot keep the host busy, nor fill its memory.

use portcullis_tests::portcullis::Config;
use portcullis_tests::{Result, oversized, plugin};

/// Of the whole host, at its largest: a call is there as it came, decoded, and read.
const MOST_KIB: u64 = 200 << 10;

#[test]
fn a_call_of_four_megabytes_of_items_is_denied_by_its_rule() -> Result<()> {
    let host = Config::new()?.policy("bind-mounts")?.start()?;
    for (kind, call) in oversized::calls() {
        let reply = plugin::ask(&host.socket(), &call)?;
        let is_clear = reply.msg.contains("at most") && reply.msg.ends_with("(host rule `oversized`)");
        assert!(!reply.allow && is_clear, "{kind}: {reply:?}");
    }
    let reply = plugin::ask(&host.socket(), &oversized::harmless())?;
    assert!(reply.allow, "what is in no view may be large: {reply:?}");
    let peak = host.peak_memory()?;
    assert!(peak < MOST_KIB, "{peak} KiB");
    Ok(())
}
