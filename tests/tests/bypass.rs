//! Every known bypass an authorization plugin, against every release of the real dockerd: first with nobody guarding it,
//! which shows that it is one, then guarded by policies that were written the obvious way.
//!
//! What came into being is read from the daemon's disk, not from its answers. Docker 20.10 is the most vulnerable daemon
//! that is still in use; where newer ones do something else, the case says so.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;
use std::{fs, io};

use portcullis_tests::corpus::{self, Bypass, Call, Disk, Found, Made, Substitutions, volume_plugin};
use portcullis_tests::http::Answer;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Dockerd, Error, Release, Result};

/// What callers say who they are. A case may say something else.
const CALLER: (&str, &str) = ("Authz-User", "alice");
const USERS: &str = r#"{"alice": {"readOnly": false}, "bob": {"readOnly": true}}"#;

/// Containers and volumes that are older than the policies: one is harmless and runs, two have a forbidden folder, one is a plugin's.
const OLDER: [(&str, &str); 5] = [
    (
        "POST /v1.41/containers/create?name=plain",
        r#"{"Image":"alpine","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}"#,
    ),
    ("POST /v1.41/containers/plain/start", ""),
    ("POST /v1.41/containers/create?name=donor", r#"{"Image":"alpine","HostConfig":{"Binds":["{host}/secret:/x"]}}"#),
    (
        "POST /v1.41/volumes/create",
        r#"{"Name":"older","DriverOpts":{"type":"none","o":"bind","device":"{host}/secret"}}"#,
    ),
    ("POST /v1.41/volumes/create", r#"{"Name":"plugged","Driver":"evil"}"#),
];

/// The daemon, its guard, and what is wrong so far.
struct Stage {
    dockerd: Dockerd,
    _portcullis: Portcullis,
    host: Scratch,
    disk: Disk,
    wrong: Vec<String>,
}

/// What came of one call.
struct Outcome {
    answer: Answer,
    /// By the call, and by the calls before it.
    made: Made,
    made_before: Made,
    places: Substitutions,
}

#[derive(Default)]
struct Counts {
    proven: usize,
    denied: usize,
    limits: usize,
}

portcullis_tests::for_each_release!(no_way_round_leads_past_the_policies, play);

fn play(release: Release) -> Result<()> {
    let cases = corpus::read("bypass", |case: &Bypass| &case.note)?;
    let mut counts = Counts::default();
    let mut stage = Stage::set(release)?;

    let start = Instant::now();
    stage.dockerd.guard(false)?;
    stage.make_older()?;
    for (number, found) in cases.iter().enumerate() {
        counts.proven += usize::from(stage.play_unguarded(number, found)?);
    }
    let unguarded = start.elapsed();
    stage.dockerd.guard(true)?;
    let before = stage.disk.made()?;
    for (number, found) in cases.iter().enumerate() {
        stage.play_guarded(number, found)?;
        counts.denied += usize::from(found.case.guarded(release).is_denial());
        counts.limits += usize::from(found.case.limit.is_some());
    }
    let forbidden = stage.disk.forbidden(&stage.disk.made()?.since(&before))?;
    stage.wrong.extend(forbidden);

    assert!(stage.wrong.is_empty(), "{}", stage.wrong.join("\n\n"));
    let Counts { proven, denied, limits } = counts;
    let took = (unguarded.as_secs_f64(), (start.elapsed() - unguarded).as_secs_f64());
    let newer = cases.iter().filter(|found| found.case.newer.is_some()).count();
    // Past the test harness, which keeps what a test prints.
    let mut stderr = io::stderr();
    let _ = writeln!(
        stderr,
        "{release}: {} cases: {proven} bypasses proven on the unguarded daemon in {:.1} s; guarded, in {:.1} s, {denied} denied and \
         {limits} known limits; {newer} that newer daemons treat otherwise",
        cases.len(),
        took.0,
        took.1
    );
    Ok(())
}

// === impl Stage ===

impl Stage {
    fn set(release: Release) -> Result<Self> {
        let host = Scratch::new()?;
        lay_out(host.path()).map_err(|source| Error::Io { doing: "making folders".to_owned(), source })?;
        let path = host.path().display();
        let mounts = format!(
            "[settings]\nallow = [{{ source = \"{path}/www\", submounts = false }}, {{ source = \"{path}/scratch\", writable = true }}]\n"
        );
        let portcullis = Config::new()?
            .file("policies/bind-mounts.toml", mounts.as_bytes())?
            .policy("bind-mounts")?
            .policy("no-powers")?
            .policy("seccomp")?
            .file("policies/user-roles.toml", b"[settings]\nuser_header = \"Authz-User\"\n")?
            .policy("user-roles")?
            .file("data/users.json", USERS.as_bytes())?
            .start()?;
        let plugins = portcullis.config().plugin_folder();
        volume_plugin::serve(&plugins.join("evil.sock"))?;
        let dockerd = Dockerd::setup().release(release).guarded_by(portcullis::NAME, &plugins).start()?;
        let disk = Disk::of(&dockerd.socket(), host.path());
        Ok(Self { dockerd, _portcullis: portcullis, host, disk, wrong: Vec::new() })
    }

    fn make_older(&self) -> Result<()> {
        let places = self.places("older".to_owned());
        for (line, body) in OLDER {
            let call = Call::with_json(line.to_owned(), body.to_owned());
            let answer = self.send(&call, &places)?;
            assert!(answer.status < 300, "{line}: {} {}", answer.status, answer.text());
        }
        Ok(())
    }

    /// Whether the case got round the policies, and was to.
    fn play_unguarded(&mut self, number: usize, found: &Found<Bypass>) -> Result<bool> {
        let expected = found.case.unguarded(self.release());
        let Some(outcome) = self.play(&format!("u{number}"), found)? else { return Ok(false) };
        let Outcome { answer, made, places, .. } = &outcome;
        let made = made.since(&Made::default());
        let difference = expected.difference(answer, &made, &self.disk, places);
        let difference =
            difference.unwrap_or_else(|error| Some(format!("{error}; {} {}", answer.status, answer.text())));
        let leaves = expected.leaves.is_some() && self.is_left(found, &outcome)?;
        if difference.is_none() && expected.leaves.is_some() && !leaves {
            self.wrong.push(format!("{}\n  unguarded, it leaves nothing", found.title));
        }
        self.wrong.extend(difference.map(|difference| format!("{}\n  unguarded: {difference}", found.title)));
        let round = expected.round || leaves || !self.disk.forbidden(&made)?.is_empty();
        self.undo(found, &outcome)?;
        Ok(round && found.case.guarded(self.release()).is_denial())
    }

    fn play_guarded(&mut self, number: usize, found: &Found<Bypass>) -> Result<()> {
        let Some(outcome) = self.play(&format!("g{number}"), found)? else { return Ok(()) };
        let (unguarded, guarded) = (found.case.unguarded(self.release()), found.case.guarded(self.release()));
        let mut wrong: Vec<String> = guarded.difference(&outcome.answer).into_iter().collect();
        if guarded.is_denial() {
            let by_itself = outcome.made.since(&outcome.made_before);
            wrong.extend((!by_itself.is_empty()).then(|| format!("to be denied, and yet there is {by_itself:?}")));
            if unguarded.leaves.is_some() && self.is_left(found, &outcome)? {
                wrong.push("to be denied, and yet it was done".to_owned());
            }
        }
        wrong.extend(self.disk.forbidden(&outcome.made)?);
        self.wrong.extend(wrong.iter().map(|wrong| format!("{}\n  guarded: {wrong}", found.title)));
        self.undo(found, &outcome)
    }

    /// None where it could not be made ready.
    fn play(&mut self, name: &str, found: &Found<Bypass>) -> Result<Option<Outcome>> {
        let places = self.places(name.to_owned());
        let start = self.disk.made()?;
        for call in &found.case.before {
            let answer = self.send(call, &places)?;
            if !matches!(answer.status, 200..400) {
                self.wrong.push(format!(
                    "{}\n  {} before it: {} {}",
                    found.title,
                    call.line,
                    answer.status,
                    answer.text()
                ));
                return Ok(None);
            }
        }
        let made_before = self.disk.made()?.since(&start);
        let answer = self.send(&found.case.request, &places)?;
        let made = self.disk.made()?.since(&start);
        Ok(Some(Outcome { answer, made, made_before, places }))
    }

    fn is_left(&self, found: &Found<Bypass>, outcome: &Outcome) -> Result<bool> {
        let Some(leaves) = &found.case.unguarded(self.release()).leaves else { return Ok(false) };
        let Some(call) = leaves.call(&outcome.answer, &outcome.places) else { return Ok(false) };
        Ok(leaves.is_in(&self.send(&call, &outcome.places)?, &outcome.places))
    }

    fn undo(&self, found: &Found<Bypass>, outcome: &Outcome) -> Result<()> {
        found.case.after.iter().try_for_each(|call| self.send(call, &outcome.places).map(drop))
    }

    fn release(&self) -> Release {
        self.dockerd.release()
    }

    fn send(&self, call: &Call, places: &Substitutions) -> Result<Answer> {
        call.send(&self.dockerd.socket(), CALLER, places)
    }

    fn places(&self, name: String) -> Substitutions {
        Substitutions(vec![("host", self.host.path().display().to_string()), ("name", name)])
    }
}

/// What `{host}` is: folders that may be mounted, one that may not, and ways from the ones to the other.
fn lay_out(host: &Path) -> io::Result<()> {
    for folder in ["www/sub", "www/deep", "scratch/sub", "secret/deep", "www-secret"] {
        fs::create_dir_all(host.join(folder))?;
    }
    symlink("../secret", host.join("www/link"))?;
    symlink("../www", host.join("scratch/towww"))?;
    symlink("../www/sub", host.join("secret/into"))?;
    symlink(host.join("secret/missing"), host.join("www/dangling"))?;
    symlink(host.join("secret/deep"), host.join("www/up"))
}
