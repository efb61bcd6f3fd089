//! Tenants come, change and go while clients ask without pause: no call fails, and each is answered by the tenant that it
//! belonged to just then.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use portcullis_tests::caller::Caller;
use portcullis_tests::http::Connection;
use portcullis_tests::log::Log;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, guests, wait};
use serde_json::Value;

use crate::{Decision, problem_of, said, with_tenants};

const CLIENTS: usize = 8;
const KEPT: &str = "tenant cannot be loaded; the last good one stays";
const DEFAULT: (&str, &str) = ("default", "");

/// What each client was told, without repetitions.
type Told = Arc<Mutex<Vec<Vec<String>>>>;

/// Clients that ask as one caller until they are stopped.
struct Crowd {
    stop: Arc<AtomicBool>,
    told: Told,
    clients: Vec<JoinHandle<Result<u64>>>,
}

// === impl Crowd ===

impl Crowd {
    fn start(socket: &Path, caller: &Caller) -> Self {
        let (stop, told) = (Arc::new(AtomicBool::new(false)), Told::new(Mutex::new(vec![Vec::new(); CLIENTS])));
        let clients = (0..CLIENTS).map(|number| {
            let (socket, call) = (socket.to_owned(), plugin::call(REQUEST, &caller.listing()));
            let (stop, told) = (Arc::clone(&stop), Arc::clone(&told));
            thread::spawn(move || ask_until(&stop, &socket, &call, |reply| note(&told, number, reply)))
        });
        Self { clients: clients.collect(), stop, told }
    }

    /// Waits until every client is told this.
    fn wait_for(&self, words: &str) -> Result<()> {
        wait::until(&format!("`{words}` for every client"), wait::DEADLINE, || {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let dead = self.clients.iter().any(JoinHandle::is_finished);
            (dead || told.iter().all(|told| told.last().is_some_and(|last| last == words))).then_some(())
        })
    }

    /// Stops them, and asserts that each was told exactly this, one after the other.
    fn assert_told(self, expected: &[&str]) -> Result<()> {
        self.stop.store(true, Ordering::SeqCst);
        let mut answers = 0;
        for client in self.clients {
            answers += client.join().unwrap_or_else(|_| Err(Error::Unexpected("a client panicked".into())))?;
        }
        for told in self.told.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            assert_eq!(told, expected);
        }
        println!("{answers} answers of {CLIENTS} clients, none failed: {}", expected.join(", "));
        Ok(())
    }
}

fn ask_until(stop: &AtomicBool, socket: &Path, call: &[u8], mut note: impl FnMut(Reply)) -> Result<u64> {
    let (mut connection, mut answers) = (Connection::open(socket)?, 0);
    while !stop.load(Ordering::SeqCst) {
        connection.write(call)?;
        note(Reply::read(&connection.read()?)?);
        answers += 1;
    }
    Ok(answers)
}

fn note(told: &Told, client: usize, reply: Reply) {
    let words = if reply.allow { "allowed" } else { &reply.msg };
    let told = &mut told.lock().unwrap_or_else(PoisonError::into_inner)[client];
    if told.last().is_none_or(|last| last != words) {
        told.push(words.to_owned());
    }
}

fn matching(user: &str) -> String {
    format!("match = [{{ user = \"{user}\" }}]")
}

fn file(host: &Portcullis, tenant: &str) -> String {
    host.config().path().join("tenants").join(tenant).join("tenant.toml").display().to_string()
}

fn put(host: &Portcullis, tenant: &str, toml: &str) -> Result<()> {
    host.config().put(&format!("tenants/{tenant}/tenant.toml"), toml.as_bytes())
}

/// A new folder, in one step and with its policy.
fn add(host: &Portcullis, tenant: &str, toml: &str) -> Result<()> {
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    let staged = host.config().path().join("staged");
    std::fs::create_dir_all(staged.join("policies")).map_err(io)?;
    std::fs::write(staged.join("policies/name.wasm"), guests::that_says(tenant)?).map_err(io)?;
    std::fs::write(staged.join("tenant.toml"), toml).map_err(io)?;
    let tenants = host.config().path().join("tenants");
    std::fs::rename(&staged, tenants.join(tenant)).map_err(io)
}

/// Takes a folder away in one step.
fn remove(host: &Portcullis, tenant: &str) -> Result<()> {
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    let gone = host.config().path().join("gone");
    std::fs::rename(host.config().path().join("tenants").join(tenant), &gone).map_err(io)?;
    std::fs::remove_dir_all(&gone).map_err(io)
}

fn assert_generations_rise(host: &Portcullis) {
    let records = host.records(Log::START);
    let published = records.iter().filter(|record| record.message() == "generation published");
    let generations: Vec<_> =
        published.filter_map(|record| record.field("generation").and_then(Value::as_u64)).collect();
    assert!(generations.len() > 1 && generations.is_sorted_by(|a, b| a < b), "{generations:?}");
}

#[test]
fn a_caller_goes_from_tenant_to_tenant_while_it_asks() -> Result<()> {
    let host = with_tenants(Config::new()?, &[DEFAULT, ("other", &matching("other"))])?.start()?;
    let (mover, other) = (Caller::named("mover"), Caller::named("other"));
    let crowd = Crowd::start(&host.socket(), &mover);
    let neighbours = Crowd::start(&host.socket(), &other);
    let [default, a, b] = ["default", "a", "b"].map(said);
    crowd.wait_for(&default)?;

    add(&host, "a", &matching("mover"))?;
    crowd.wait_for(&a)?;

    // What overlaps waits until the other lets go, and then both change at once: nobody is the default tenant's meanwhile.
    let mark = host.mark();
    add(&host, "b", &matching("b"))?;
    host.wait_for(mark, "b active", |record| record.is_of("b") && record.message() == "generation published")?;
    put(&host, "b", &matching("m*"))?;
    let problem = problem_of(&host, mark, "b", KEPT)?;
    let help = "every caller belongs to one tenant: make one of the two `[[match]]` narrower";
    let expected = format!("user `mover` and user `m*`\n  help: {help}");
    let both = format!("{}: claims the same callers as {}", file(&host, "b"), file(&host, "a"));
    assert_eq!(problem, format!("{both}: {expected}"));
    put(&host, "a", &matching("nobody"))?;
    crowd.wait_for(&b)?;

    // Without its file a tenant is as it was.
    let mark = host.mark();
    host.config().remove("tenants/b/tenant.toml")?;
    let problem = problem_of(&host, mark, "b", KEPT)?;
    let expected = "is not there\n  help: it says who belongs to the tenant (to remove the tenant, remove its folder)";
    assert_eq!(problem, format!("{}: {expected}", file(&host, "b")));

    let mark = host.mark();
    put(&host, "b", "match = [{ usr = \"mover\" }]")?;
    let problem = problem_of(&host, mark, "b", KEPT)?;
    assert!(problem.contains(&format!("{}:1: unknown key `[[match]] usr`", file(&host, "b"))), "{problem}");

    // What another one has cannot be taken.
    let mark = host.mark();
    put(&host, "a", &matching("*"))?;
    let problem = problem_of(&host, mark, "a", KEPT)?;
    assert!(problem.contains(&file(&host, "a")), "{problem}");
    assert!(problem.contains(&file(&host, "b")) || problem.contains(&file(&host, "other")), "{problem}");
    assert!(problem.contains("claims the same callers"), "{problem}");
    Decision::of(&host, &Caller::named("nobody"))?;

    // What is claimed in vain is claimed all the same, until it is taken back.
    put(&host, "a", &matching("nobody"))?;
    put(&host, "b", &matching("nobody-else"))?;
    crowd.wait_for(&default)?;
    put(&host, "a", &matching("mover"))?;
    crowd.wait_for(&a)?;
    remove(&host, "a")?;
    crowd.wait_for(&default)?;

    crowd.assert_told(&[&default, &a, &b, &default, &a, &default])?;
    neighbours.assert_told(&[&said("other")])?;
    assert_generations_rise(&host);
    Ok(())
}

/// One that is new is compiled first, and its callers stay where they are until it is.
#[test]
fn who_is_given_to_a_new_tenant_is_nobody_elses_in_between() -> Result<()> {
    let host = with_tenants(Config::new()?, &[DEFAULT, ("a", &matching("mover"))])?.start()?;
    let crowd = Crowd::start(&host.socket(), &Caller::named("mover"));
    crowd.wait_for(&said("a"))?;
    let mark = host.mark();
    add(&host, "b", &matching("mover"))?;
    host.wait_for(mark, "the refusal of b", |record| record.is_of("b") && record.level() == "ERROR")?;
    put(&host, "a", &matching("nobody"))?;
    crowd.wait_for(&said("b"))?;
    crowd.assert_told(&[&said("a"), &said("b")])?;
    assert_generations_rise(&host);
    Ok(())
}

/// Many times over, as fast as it goes: whatever is active, it is one of the two.
#[test]
fn two_tenants_hand_a_caller_to_each_other() -> Result<()> {
    let host = with_tenants(Config::new()?, &[DEFAULT, ("a", &matching("mover")), ("b", &matching("x"))])?.start()?;
    let crowd = Crowd::start(&host.socket(), &Caller::named("mover"));
    let mut expected = vec![said("a")];
    crowd.wait_for(&said("a"))?;
    for round in 0..20 {
        let (from, to) = if round % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let mark = host.mark();
        put(&host, to, &matching("mov*"))?;
        problem_of(&host, mark, to, KEPT)?;
        put(&host, from, &matching(&format!("nobody-{round}")))?;
        crowd.wait_for(&said(to))?;
        expected.push(said(to));
    }
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    crowd.assert_told(&expected)?;
    assert_generations_rise(&host);
    Ok(())
}

#[test]
fn a_reload_ends_when_what_lies_there_is_active() -> Result<()> {
    let host = with_tenants(Config::new()?, &[DEFAULT])?.start()?;
    let caller = Caller::named("mover");
    for round in 0..10 {
        let name = format!("t{round}");
        add(&host, &name, &matching("mover"))?;
        host.hang_up()?;
        Decision::of(&host, &caller)?.assert_of(&name, "added");
        host.config().put(&format!("tenants/{name}/policies/name.wasm"), &guests::that_says("changed")?)?;
        host.hang_up()?;
        assert_eq!(Decision::of(&host, &caller)?.reply.msg, said("changed"), "{name}");
        remove(&host, &name)?;
        host.hang_up()?;
        Decision::of(&host, &caller)?.assert_of("default", "removed");
    }
    Ok(())
}

#[test]
fn a_reload_tries_again_what_is_broken_and_leaves_the_rest_as_it_is() -> Result<()> {
    let host = with_tenants(Config::new()?, &[DEFAULT, ("a", &matching("a"))])?.start()?;
    let mark = host.mark();
    host.config().put("tenants/a/policies/name.wasm", b"\0asm broken")?;
    let kept = "policy cannot be loaded; the last good one stays";
    let first = problem_of(&host, mark, "a", kept)?;
    for _ in 0..3 {
        let mark = host.mark();
        host.hang_up()?;
        assert_eq!(problem_of(&host, mark, "a", kept)?, first);
        let records = host.records(mark);
        assert!(!records.iter().any(|record| record.message().ends_with(" loaded")), "{records:?}");
        Decision::of(&host, &Caller::named("a"))?.assert_of("a", "the last good one");
    }
    Ok(())
}
