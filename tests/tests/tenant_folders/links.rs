//! Symlinks that stay inside, and those of the operator, who may lay a folder wherever it is wanted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use portcullis_tests::portcullis::Record;
use portcullis_tests::{Result, wait};

use crate::{as_tenant, ask, assert_other_goes_on, folder, host, io, put_tenant, says, tenant_toml, wait_for_answer};

/// One generation of a folder as Kubernetes mounts it: a folder of files, to which `..data` is turned in one step.
fn flip(folder: &Path, number: u32) -> Result<()> {
    let next = folder.join(format!("..{number}"));
    fs::create_dir_all(next.join("policies")).map_err(io)?;
    fs::write(next.join("policies/name.wasm"), says(&format!("version {number}"))?).map_err(io)?;
    symlink(format!("..{number}"), folder.join("..next")).map_err(io)?;
    fs::rename(folder.join("..next"), folder.join("..data")).map_err(io)
}

#[test]
fn links_inside_the_folder_are_followed() -> Result<()> {
    let host = host()?;
    put_tenant(&host, "map", &tenant_toml("map", ""), |folder| {
        fs::remove_dir(folder.join("policies")).map_err(io)?;
        symlink("..data/policies", folder.join("policies")).map_err(io)?;
        flip(folder, 0)
    })?;
    for number in 0..10 {
        if number > 0 {
            flip(&folder(&host, "map"), number)?;
        }
        wait_for_answer(&host, "map", |reply| reply.msg == format!("name: version {number}"))?;
    }
    put_tenant(&host, "linked", &tenant_toml("linked", ""), |folder| {
        fs::write(folder.join("data/store"), says("through a link")?).map_err(io)?;
        as_tenant(folder, "ln -s ../data/./store policies/name.wasm")
    })?;
    wait_for_answer(&host, "linked", |reply| reply.msg == "name: through a link")
}

/// The tenant's own file may have many names.
#[test]
fn a_hard_link_to_a_file_of_its_own_is_as_good() -> Result<()> {
    let host = host()?;
    put_tenant(&host, "own", &tenant_toml("own", ""), |folder| {
        fs::write(folder.join("policies/store"), says("its own")?).map_err(io)?;
        crate::as_root(folder, "chown 1001:1001 policies/store")?;
        as_tenant(folder, "ln policies/store policies/name.wasm")
    })?;
    wait_for_answer(&host, "own", |reply| reply.msg == "name: its own")
}

#[test]
fn the_operator_may_lay_a_tenants_whole_folder_elsewhere() -> Result<()> {
    let host = host()?;
    let real = host.config().path().join("elsewhere");
    fs::create_dir_all(real.join("policies")).map_err(io)?;
    fs::write(real.join("tenant.toml"), tenant_toml("far", "")).map_err(io)?;
    fs::write(real.join("policies/name.wasm"), says("far")?).map_err(io)?;
    symlink(&real, folder(&host, "far")).map_err(io)?;
    wait_for_answer(&host, "far", |reply| reply.msg == "name: far")
}

/// Between the tenant's file and another's, as fast as the kernel can: what is read is never the other's.
#[test]
fn a_link_that_is_turned_outside_and_back_all_the_time_never_gives_the_other_file() -> Result<()> {
    const KEPT: &str = "policy cannot be loaded; the last good one stays";
    let host = host()?;
    let mark = host.mark();
    put_tenant(&host, "evil", &tenant_toml("evil", ""), |folder| {
        fs::write(folder.join("policies/in"), says("inside")?).map_err(io)?;
        as_tenant(
            folder,
            "ln -s in policies/name.wasm; ln -s in policies/a; ln -s ../../other/policies/name.wasm policies/b",
        )
    })?;
    wait_for_answer(&host, "evil", |reply| reply.msg == "name: inside")?;
    let line = "cd policies; while :; do ln -s ../../other/policies/name.wasm b2; mv -T b2 name.wasm; ln -s in a2; mv -T a2 name.wasm; done";
    let flood = crate::flood::Flood::start(&folder(&host, "evil"), line)?;
    let is_refusal = |record: &Record| record.is_of("evil") && record.message() == KEPT;
    let refused = wait::until("a refusal", wait::DEADLINE, || {
        assert!(ask(&host, "evil").is_ok_and(|reply| reply.msg == "name: inside"));
        host.records(mark).into_iter().find(is_refusal)
    })?;
    for _ in 0..200 {
        assert_eq!(ask(&host, "evil")?.msg, "name: inside");
    }
    drop(flood);
    let refused = refused.text("problem");
    assert!(refused.contains("leads out of the tenant's folder") || refused.contains("has not stopped"), "{refused}");
    assert_other_goes_on(&host, "a link that turns")
}
