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

#[test]
fn what_large_calls_hold_is_their_tenants_and_no_others() -> Result<()> {
    let limits = "[limits]\nmemory = \"16MiB\"\nmemory_in_sum = \"16MiB\"\n";
    let config = Config::new()?.policy("allow-all")?;
    let config = config.listener("a", "tenant = \"a\"\n").listener("b", "tenant = \"b\"\n");
    let host = config.tenant("a", limits)?.tenant("b", "")?.start()?;
    let ask = |tenant, call: &[u8]| plugin::ask(&host.config().socket_of(tenant), call);
    // Read, it takes five times its own memory.
    let call = oversized::spacious();
    for _ in 0..3 {
        let reply = ask("a", &call)?;
        let told = "the large calls of this tenant hold too much memory";
        assert!(!reply.allow && reply.msg.contains(told), "{reply:?}");
        assert!(ask("b", &call)?.allow, "others have memory of their own");
        assert!(ask("a", &oversized::small())?.allow, "and small calls are decided");
    }
    // What a call held is given back: many fit one after the other, where few would at once.
    for _ in 0..40 {
        assert!(ask("b", &call)?.allow);
    }
    Ok(())
}

/// Though each tenant may have more.
#[test]
fn what_large_calls_of_all_tenants_hold_is_bounded_in_sum() -> Result<()> {
    let limits = "[limits]\ndecision_timeout = \"60s\"\nlarge_calls_memory = \"16MiB\"\n";
    let config = Config::new()?.toml(limits).policy("allow-all")?;
    let config = config.listener("a", "tenant = \"a\"\n").listener("b", "tenant = \"b\"\n");
    let host = config.tenant("a", "")?.tenant("b", "")?.start()?;
    let ask = |tenant, call: &[u8]| plugin::ask(&host.config().socket_of(tenant), call);
    for tenant in ["a", "b", "a"] {
        let reply = ask(tenant, &oversized::spacious())?;
        let told = "the large calls of all tenants hold too much memory";
        assert!(!reply.allow && reply.msg.contains(told), "{reply:?}");
        assert!(ask(tenant, &oversized::small())?.allow, "small calls are decided");
        // What was refused holds nothing.
        for _ in 0..10 {
            let reply = ask(tenant, &oversized::harmless())?;
            assert!(reply.allow, "what fits is decided: {reply:?}");
        }
    }
    Ok(())
}
