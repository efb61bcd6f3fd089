//! Documents and their files: crashes, a full disk, hands that write beside the host.

use std::fs;
use std::path::PathBuf;

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::small_disk::SmallDisk;
use portcullis_tests::{Error, Result, wait};
use serde_json::{Value, json};

use crate::{MERGE_PATCH, TENANT, get, go_through, io, names, on_disk, send};

/// A host one of whose folders is a small disk. That is let go first.
struct OnSmallDisk {
    _disk: SmallDisk,
    host: Portcullis,
}

#[test]
fn nothing_is_written_where_a_tenants_folder_leads_out() -> Result<()> {
    let host = Config::new()?.tenant("ci", TENANT)?.start()?;
    let (path, outside) = (host.config().path().join("tenants/ci/data"), host.config().path().join("outside"));
    fs::create_dir(&outside).map_err(io)?;
    fs::write(outside.join("secret.json"), "1").map_err(io)?;
    fs::remove_dir(&path).map_err(io)?;
    std::os::unix::fs::symlink(&outside, &path).map_err(io)?;
    for (method, name) in [("PUT", "x"), ("PUT", "secret"), ("DELETE", "secret")] {
        let answer = send(&host, method, &format!("/v1/tenants/ci/data/{name}"), &[], "2")?;
        assert_eq!(answer.status, 500, "{method} {name}: {}", answer.text());
    }
    assert_eq!(send(&host, "GET", "/v1/tenants/ci/data/secret", &[], "")?.status, 404);
    assert_eq!((names(&outside)?.len(), on_disk(&host, "outside/secret.json")?.as_str()), (1, "1"));
    Ok(())
}

#[test]
fn what_was_acknowledged_outlives_a_crash_and_what_a_crash_left_is_in_nobodys_way() -> Result<()> {
    let mut host = Config::new()?.policy("allow-all")?.start()?;
    for turn in 0..5 {
        let (value, file) = (turn.to_string(), host.config().path().join("data/.incoming-n.json"));
        go_through(&host, &[("PUT", "/v1/data/n", &[], &value, if turn == 0 { 201 } else { 200 }, "")])?;
        host.crash_and_restart_after(|| fs::write(&file, "half of").map_err(io))?;
        assert_eq!(get(&host, "/v1/data")?.0, json!({ "n": turn }));
    }
    go_through(&host, &[("PUT", "/v1/data/n", &[], "9", 200, "")])?;
    assert_eq!(names(&host.config().path().join("data"))?, ["n.json"]);
    Ok(())
}

#[test]
fn a_full_disk_is_told_and_outlived() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let disk = SmallDisk::over(&config.path().join("data"), "256k")?;
    let full = OnSmallDisk { host: config.start()?, _disk: disk };
    let host = &full.host;
    go_through(host, &[("PUT", "/v1/data/n", &[], "[1]", 201, "")])?;
    let (before, tag) = get(host, "/v1/data/n")?;
    let filler = host.config().path().join("data/filler");
    fs::write(&filler, vec![0; 200 << 10]).map_err(io)?;
    let large = format!("\"{}\"", "x".repeat(100 << 10));
    go_through(
        host,
        &[
            ("PUT", "/v1/data/n", &[], &large, 507, "there is no room for it"),
            ("PUT", "/v1/data/n/-", &[], &large, 507, "No space left"),
            ("PUT", "/v1/data/new", &[], &large, 507, "there is no room"),
        ],
    )?;
    assert_eq!(get(host, "/v1/data/n")?, (before, tag));
    assert_eq!(on_disk(host, "data/n.json")?, "[1]");
    assert_eq!(names(&host.config().path().join("data"))?, ["filler", "n.json"]);
    assert!(Caller::named("alice").list(&host.socket())?.allow);
    fs::remove_file(&filler).map_err(io)?;
    go_through(host, &[("PUT", "/v1/data/n/-", &[], &large, 200, ""), ("GET", "/v1/data/n/0", &[], "", 200, "1")])
}

#[test]
fn what_somebody_wrote_by_hand_is_not_lost() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("data/n.json", b"{\"a\":1}")?.start()?;
    for turn in 0..10 {
        // Not read yet, or just so, when the change comes.
        host.config().put("data/n.json", json!({ "by-hand": turn }).to_string().as_bytes())?;
        let value = turn.to_string();
        go_through(&host, &[("PUT", "/v1/data/n/by-host", &[], &value, 200, "")])?;
        assert_eq!(get(&host, "/v1/data/n")?.0, json!({ "by-hand": turn, "by-host": turn }));
    }
    host.config().put("data/n.json", b"{broken")?;
    go_through(
        &host,
        &[
            ("PUT", "/v1/data/n/x", &[], "1", 409, "document `n` is not as its file has it"),
            ("GET", "/v1/data/n/by-hand", &[], "", 200, "9"),
            ("GET", "/v1/data?list", &[], "", 200, ":1: column 2"),
            ("PUT", "/v1/data/n", &[], "{}", 200, ""),
            ("PUT", "/v1/data/n/x", &[], "1", 200, ""),
        ],
    )
}

#[test]
fn of_two_files_with_one_name_neither_is_taken() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("data/n.json", b"1")?.start()?;
    host.config().put("data/n.yml", b"2")?;
    wait::until("trouble", wait::DEADLINE, || {
        let listed = send(&host, "GET", "/v1/data?list", &[], "").ok()?.text();
        listed.contains("remove one of them").then_some(())
    })?;
    let (yes, both) = ("`n.json` and `n.yml` are both document `n`", &[][..]);
    go_through(
        &host,
        &[
            ("GET", "/v1/data/n", both, "", 200, "1"),
            ("PUT", "/v1/data/n", both, "3", 409, yes),
            ("PATCH", "/v1/data/n", &[MERGE_PATCH], "3", 409, yes),
            ("DELETE", "/v1/data/n", both, "", 200, ""),
            ("GET", "/v1/data/n", both, "", 404, ""),
        ],
    )?;
    assert_eq!(names(&host.config().path().join("data"))?, [] as [&str; 0]);
    host.config().put("data/n.json", b"1")?;
    host.config().put("data/n.yml", b"2")?;
    host.config().remove("data/n.json")?;
    host.hang_up()?;
    assert_eq!(get(&host, "/v1/data/n")?.0, json!(2));
    Ok(())
}

#[test]
fn a_change_is_not_read_again() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let users: serde_json::Map<_, _> =
        (0..100_000).map(|n| (format!("user-{n:06}"), json!({ "role": "reader" }))).collect();
    go_through(&host, &[("PUT", "/v1/data/users", &[], &Value::from(users).to_string(), 201, "")])?;
    let read_before = read_bytes(&host)?;
    go_through(&host, &[("PUT", "/v1/data/users/user-000007/role", &[], "\"admin\"", 200, "")])?;
    let read = read_bytes(&host)? - read_before;
    let size = fs::metadata(host.config().path().join("data/users.json")).map_err(io)?.len();
    assert!(read < size / 2, "{read} bytes were read for a change of a document of {size}");
    let large = send(&host, "GET", "/v1/data/users", &[], "")?;
    assert_eq!((large.status, large.body.len() as u64), (200, size));
    Ok(())
}

/// What a process has read so far, of files and sockets.
fn read_bytes(host: &Portcullis) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{}/io", host.process().id()));
    let text = fs::read_to_string(path).map_err(io)?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|number| number.parse().ok()).ok_or(Error::Unexpected(text))
}
