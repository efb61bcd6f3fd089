//! What policies keep under load: no change is lost, and many share one way to the disk.

use std::collections::BTreeSet;
use std::time::Instant;

use portcullis_tests::caller::Caller;
use portcullis_tests::http::{self, Connection};
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, guests};
use serde_json::Value;

const CLIENTS: u64 = 64;
const EACH: u64 = 40;

fn commits(host: &Portcullis) -> Result<u64> {
    let reply = http::send(&host.config().admin_socket(), &http::request("GET", "/v1/state", &[], b""))?;
    let commits = reply.json()?.get("commits").and_then(Value::as_u64);
    commits.ok_or_else(|| Error::Unexpected(format!("no commits in {}", reply.text())))
}

/// Asks so often on one connection; gives what was counted each time.
fn counts(host: &Portcullis, times: u64) -> Result<Vec<u64>> {
    let call = plugin::call(plugin::REQUEST, &Caller::anybody().listing());
    let mut connection = Connection::open(&host.socket())?;
    let ask = |_| {
        connection.write(&call)?;
        let told = Reply::read(&connection.read()?)?.msg;
        guests::counted(&told).ok_or(Error::Unexpected(told))
    };
    (0..times).map(ask).collect()
}

#[test]
fn no_change_is_lost_and_many_share_one_commit() -> Result<()> {
    let config = Config::new()?.file("policies/counts.wasm", &guests::that_counts()?)?;
    let host = config.file("policies/counts.toml", b"grants = [\"state\"]\n")?.start()?;
    let (before, began) = (commits(&host)?, Instant::now());
    let all = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| counts(&host, EACH))).collect();
        let counts = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| panic!("a client panicked")));
        counts.collect::<Result<Vec<_>>>()
    })?;
    let (took, commits) = (began.elapsed(), commits(&host)? - before);
    for client in &all {
        assert!(client.is_sorted(), "one after the other, the count only grows: {client:?}");
    }
    let changes = CLIENTS * EACH;
    let seen: BTreeSet<u64> = all.into_iter().flatten().collect();
    assert!(seen.into_iter().eq(1..=changes), "every count was given once, and none left out");
    let rate = changes as f64 / took.as_secs_f64();
    println!("{changes} changes by {CLIENTS} clients: {rate:.0} a second, {commits} commits");
    assert!(commits * 2 <= changes, "{commits} commits for {changes} changes");
    Ok(())
}
