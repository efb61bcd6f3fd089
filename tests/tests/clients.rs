//! Real clients of Docker, of pinned versions, under `seccomp`, `bind-mounts` and `user-roles`: their ordinary work is done without
//! a refusal, and what is forbidden fails with the reason in the client's own error.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use portcullis_tests::clients::{self, Certificates, Client, Folders, Work};
use portcullis_tests::command::Finished;
use portcullis_tests::corpus::{self, Captured, captured};
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::recorder::{Recorder, Seen};
use portcullis_tests::release::Release;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::tls::Authority;
use portcullis_tests::{Dockerd, Error, Result, plugin};
use serde_json::{Value, json};

/// Set to write down the calls that were made, for the cases of every day.
const CAPTURE: &str = "PORTCULLIS_CAPTURE";
/// How many clients work at once.
const AT_ONCE: usize = 2;

/// A daemon that asks Portcullis, and what stands between them.
struct Stage {
    dockerd: Dockerd,
    recorder: Recorder,
    place: Folders,
    /// Where dockerd finds its plugin.
    _between: Scratch,
    _portcullis: Portcullis,
}

fn guarded(clients: &[Client], place: &Folders) -> Result<Config> {
    let users = clients.iter().flat_map(|client| {
        [(client.user().to_owned(), json!({ "readOnly": false })), (client.reader(), json!({ "readOnly": true }))]
    });
    let users = Value::Object(users.collect()).to_string();
    Config::new()?
        .toml("[decision_log]\nsinks = []")
        .file("policies/bind-mounts.toml", place.allowed(clients).as_bytes())?
        .file("data/users.json", users.as_bytes())?
        .policy("bind-mounts")?
        .policy("seccomp")?
        .policy("user-roles")
}

portcullis_tests::for_each_release!(clients_work_as_ever, work_with);

/// Everything that the clients do, with a daemon of this release.
fn work_with(release: Release) -> Result<()> {
    let clients = clients::all()?;
    let stage = Stage::set(release, &clients)?;
    let authority = &stage.dockerd.tls()?.authority;
    let known: Vec<_> = clients
        .iter()
        .filter(|client| client.speaks_to(release))
        .map(|client| Ok((client, client.certificates(authority)?)))
        .collect::<Result<_>>()?;
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((client, who)) = known.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = stage.play(client, who) {
                        let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                        wrong.push(format!("{}: {error}", client.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{release}: {}", wrong.join("\n\n"));
    Ok(())
}

/// Without a daemon: what the clients made, asked of the policies once more.
#[test]
fn the_captured_calls_of_every_client_are_allowed() -> Result<()> {
    let clients = clients::all()?;
    let place = Folders::new(&clients)?;
    let host = guarded(&clients, &place)?.start()?;
    let captured = captured()?;
    let names = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&mut captured.keys()), names(&mut clients.iter().map(|client| &client.name)));
    let mut denied = Vec::new();
    for (client, calls) in &captured {
        for call in calls {
            let asked = call.plugin_call(client, &place.name()).to_string();
            let reply = plugin::ask(&host.socket(), asked.as_bytes())?;
            if !reply.allow {
                denied.push(format!("{client}: {} {}: {}", call.method, call.uri, reply.msg));
            }
        }
    }
    assert!(denied.is_empty(), "{}", denied.join("\n"));
    Ok(())
}

// === impl Stage ===

impl Stage {
    fn set(release: Release, clients: &[Client]) -> Result<Self> {
        let place = Folders::new(clients)?;
        let portcullis = guarded(clients, &place)?.start()?;
        let between = Scratch::new()?;
        let socket = between.path().join(format!("{}.sock", portcullis::NAME));
        let recorder = Recorder::between(&socket, &portcullis.socket())?;
        let setup = Dockerd::setup().release(release).guarded_by(portcullis::NAME, between.path()).with_bridge();
        let dockerd = setup.with_tls(Authority::new()?).start()?;
        Ok(Self { dockerd, recorder, place, _between: between, _portcullis: portcullis })
    }

    fn play(&self, client: &Client, who: &Certificates) -> Result<()> {
        let start = Instant::now();
        let finished = client.run(Work::Ordinary, &self.dockerd, who, &self.place)?;
        let took = start.elapsed().as_secs_f64();
        let seen = self.recorder.calls_of(client.user());
        works(&finished, &seen)?;
        let calls = Captured::of(&seen, &self.place.name())?;
        if std::env::var_os(CAPTURE).is_some() {
            corpus::write(self.dockerd.release(), &client.name, &calls)?;
        }
        are_captured(client, &calls)?;
        let finished = client.run(Work::Forbidden, &self.dockerd, who, &self.place)?;
        let seen_before = seen.len();
        let mut since = self.recorder.calls_of(client.user()).split_off(seen_before);
        since.extend(self.recorder.calls_of(&client.reader()));
        let said = is_told(client, &finished, &since)?;
        // Past the test harness, which keeps what a test prints.
        let _ = writeln!(
            io::stderr(),
            "{}, {}: {seen_before} calls in {took:.1} s, none denied; a forbidden one: {said}",
            client.name,
            self.dockerd.release()
        );
        Ok(())
    }
}

/// The work was done, and nothing of it denied.
fn works(finished: &Finished, seen: &[Seen]) -> Result<()> {
    let denied: Vec<_> = seen.iter().filter(|seen| !seen.reply.allow).map(shown).collect();
    if finished.status.success() && denied.is_empty() && !seen.is_empty() {
        return Ok(());
    }
    Err(failed("its ordinary work was not done", finished, &denied))
}

/// The cases of every day have every operation that the client uses.
fn are_captured(client: &Client, calls: &[Captured]) -> Result<()> {
    let operations =
        |calls: &[Captured]| -> Result<BTreeSet<String>> { calls.iter().map(Captured::operation).collect() };
    let captured = captured()?.remove(&client.name);
    let missing: Vec<_> = operations(calls)?.difference(&operations(&captured.unwrap_or_default())?).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Error::Unexpected(format!(
        "among its captured calls is none to {missing}: `make capture-clients` writes them anew"
    )))
}

/// What Portcullis said, which is what the client says.
fn is_told(client: &Client, finished: &Finished, seen: &[Seen]) -> Result<String> {
    let denied: Vec<_> = seen.iter().filter(|seen| !seen.reply.allow).collect();
    let printed = format!("{}{}", finished.stdout, finished.stderr);
    let told = denied.iter().map(|seen| &seen.reply.msg).find(|said| said.starts_with(&client.denied));
    let repeated = told.is_some_and(|said| printed.contains(&format!("plugin {}: {said}", portcullis::NAME)));
    let also = client.also.iter().all(|text| printed.contains(text));
    match told {
        Some(said) if repeated && also && !finished.status.success() => Ok(said.clone()),
        _ => {
            let denied: Vec<_> = denied.into_iter().map(shown).collect();
            Err(failed(&format!("expected the denial `{}`, in its own error too", client.denied), finished, &denied))
        }
    }
}

fn shown(seen: &Seen) -> String {
    let text = |name: &str| seen.call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    format!("{} {}: {}", text("RequestMethod"), text("RequestUri"), seen.reply.msg)
}

fn failed(problem: &str, finished: &Finished, denied: &[String]) -> Error {
    let Finished { status, stdout, stderr } = finished;
    Error::Unexpected(format!("{problem} ({status})\ndenied: {}\n{stdout}{stderr}", denied.join("\n        ")))
}
