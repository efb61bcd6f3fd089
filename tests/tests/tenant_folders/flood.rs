//! Folders that change as fast as their tenant can make them.

use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_tests::process::Process;
use portcullis_tests::{Result, guests};

use portcullis_tests::portcullis::Portcullis;

use crate::{TENANT, folder, host, put_tenant, says, tenant_toml, wait_for_answer};

/// A loop of the shell in a folder, by the tenant's user; ended when this is dropped.
pub(crate) struct Flood(Process);

// === impl Flood ===

impl Flood {
    pub(crate) fn start(folder: &Path, line: &str) -> Result<Self> {
        let process = Process::start("a tenant", "setpriv", |command| {
            let (user, group) = (format!("--reuid={TENANT}"), format!("--regid={TENANT}"));
            command.args([&user, &group, "--clear-groups", "--pdeathsig=KILL", "sh", "-ec", line]).current_dir(folder);
        })?;
        Ok(Self(process))
    }

    fn is_under_way(&self) -> bool {
        self.0.ended().is_none()
    }
}

/// How long it takes from the change of the other tenant's policy until its caller is answered by it.
pub(crate) fn swap_of_other(host: &Portcullis, round: u32) -> Result<Duration> {
    let words = format!("swapped {round}");
    let wasm = says(&words)?;
    let start = Instant::now();
    host.config().put("tenants/other/policies/name.wasm", &wasm)?;
    wait_for_answer(host, "other", |reply| reply.msg == format!("name: {words}"))?;
    Ok(start.elapsed())
}

fn swaps(host: &Portcullis, rounds: std::ops::Range<u32>) -> Result<Vec<Duration>> {
    let mut took: Vec<_> = rounds.map(|round| swap_of_other(host, round)).collect::<Result<_>>()?;
    took.sort_unstable();
    Ok(took)
}

#[test]
fn a_tenant_that_changes_its_folder_all_the_time_holds_up_nobody_elses_swap() -> Result<()> {
    const ROUNDS: u32 = 20;
    let host = host()?;
    put_tenant(&host, "evil", &tenant_toml("evil", ""), |folder| {
        std::fs::write(folder.join("policies/good.wasm"), guests::wasm("allow")?).map_err(crate::io)
    })?;
    wait_for_answer(&host, "evil", |reply| reply.allow)?;
    let alone = swaps(&host, 0..ROUNDS)?;
    // New files, renamed, rewritten and removed: every kind of notice there is.
    let line = "i=0; while :; do i=$((i % 500 + 1)); : > policies/$i.wasm; : > data/$i.json; mkdir data/d$i; rmdir data/d$i; \
        read x < policies/$i.wasm || :; : >> policies/$i.wasm; done";
    let floods =
        [0; 2].map(|_| Flood::start(&folder(&host, "evil"), &line.replace("$i.", "$$-$i.").replace("d$i", "$$-d$i")));
    let meanwhile = swaps(&host, ROUNDS..2 * ROUNDS)?;
    for flood in floods {
        assert!(flood?.is_under_way(), "the flood has ended before");
    }
    let figures = |took: &[Duration]| format!("p50 {:?}, longest {:?}", took[took.len() / 2], took[took.len() - 1]);
    println!("another tenant's swap: alone {}; under a flood {}", figures(&alone), figures(&meanwhile));
    Ok(())
}
