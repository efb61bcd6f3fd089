//! Bypasses that take several calls, against every release of the real dockerd: with nobody guarding it each goes through to its
//! end, and with the shipped policies the step that is marked is denied, and nothing comes of it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;
use std::{fs, io};

use portcullis_tests::corpus::{self, Found, Sequence, Substitutions};
use portcullis_tests::loop_device::LoopDevice;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::small_disk::SmallDisk;
use portcullis_tests::{Docker, Dockerd, Error, Release, Result, wait};

const CALLER: (&str, &str) = ("Authz-User", "alice");
const USERS: &str = r#"{"alice": {"readOnly": false}}"#;
/// What nobody may see who is guarded.
const SECRET: &str = "what nobody may see";
const SWARM: &str = "docker swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377";

/// The daemon, its guard, and what is wrong so far.
struct Stage {
    docker: Docker,
    dockerd: Dockerd,
    portcullis: Portcullis,
    /// Unmounted before its folder is removed.
    _below: SmallDisk,
    host: Scratch,
    disk: LoopDevice,
    wrong: Vec<String>,
}

portcullis_tests::for_each_release!(no_sequence_leads_past_the_policies, play);

fn play(release: Release) -> Result<()> {
    let all = corpus::read("sequences", |case: &Sequence| &case.note)?;
    let cases: Vec<_> = all.iter().filter(|found| found.case.works_on(release)).collect();
    let mut stage = Stage::set(release)?;
    let start = Instant::now();
    stage.dockerd.guard(false)?;
    let swarm = stage.docker.shell(SWARM)?;
    assert!(swarm.status.success(), "{swarm:?}");
    for found in &cases {
        stage.play_unguarded(found)?;
    }
    stage.dockerd.guard(true)?;
    for found in &cases {
        stage.play_guarded(found)?;
    }
    assert!(stage.wrong.is_empty(), "{}", stage.wrong.join("\n\n"));
    let (count, took) = (cases.len(), start.elapsed().as_secs_f64());
    // Past the test harness, which keeps what a test prints.
    let _ = writeln!(
        io::stderr(),
        "{release}: {count} sequences in {took:.1} s: each goes through unguarded, none guarded"
    );
    Ok(())
}

// === impl Stage ===

impl Stage {
    fn set(release: Release) -> Result<Self> {
        let host = Scratch::new()?;
        host.folder("around")?;
        let below = host.path().join("around/below");
        fs::create_dir(&below).map_err(|source| Error::Io { doing: "making a folder".to_owned(), source })?;
        // The daemon sees what is mounted when it starts.
        let _below = SmallDisk::over(&below, "1m")?;
        let portcullis = Config::new()?
            .file("policies/bind-mounts.toml", settings(host.path()).as_bytes())?
            .policy("bind-mounts")?
            .policy("seccomp")?
            .file("policies/user-roles.toml", b"[settings]\nuser_header = \"Authz-User\"\n")?
            .policy("user-roles")?
            .file("data/users.json", USERS.as_bytes())?
            .start()?;
        let setup = Dockerd::setup().release(release);
        let dockerd = setup.guarded_by(portcullis::NAME, &portcullis.config().plugin_folder()).start()?;
        let docker = Docker::new(&dockerd)?.header(CALLER.0, CALLER.1)?;
        let disk = LoopDevice::with_file("file", SECRET)?;
        Ok(Self { docker, dockerd, portcullis, host, disk, _below, wrong: Vec::new() })
    }

    fn play_unguarded(&mut self, found: &Found<Sequence>) -> Result<()> {
        let places = self.lay_out()?;
        for (number, step) in found.case.steps.iter().enumerate() {
            let shown = step.play(&self.dockerd.socket(), &self.docker, CALLER, &places)?;
            if !shown.succeeded {
                self.wrong.push(format!("{}\n  unguarded, step {}: {}", found.title, number + 1, shown.text));
            }
        }
        let proven = wait::until("the proof", wait::DEADLINE, || match found.case.proof.holds(&self.docker, &places) {
            Ok(holds) => holds.then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        match proven {
            Ok(proven) => proven?,
            Err(_) => self.wrong.push(format!("{}\n  unguarded, it proves nothing", found.title)),
        }
        self.docker.shell(&places.fill(&found.case.after)).map(drop)
    }

    fn play_guarded(&mut self, found: &Found<Sequence>) -> Result<()> {
        let places = self.lay_out()?;
        let usual = settings(self.host.path());
        let own = found.case.settings.as_ref().map(|text| format!("[settings]\n{}", places.fill(text)));
        if let Some(own) = &own {
            self.portcullis.drop_settings("bind-mounts", own)?;
        }
        let mut denied = false;
        for (number, step) in found.case.steps.iter().enumerate() {
            let shown = step.play(&self.dockerd.socket(), &self.docker, CALLER, &places)?;
            // What follows the denied step is tried as an attacker would, and may fail.
            let wrong = if step.denied.is_some() { !step.is_denied(&shown) } else { !denied && !shown.succeeded };
            denied |= step.denied.is_some();
            if wrong {
                self.wrong.push(format!("{}\n  guarded, step {}: {}", found.title, number + 1, shown.text));
            }
        }
        if !denied || found.case.proof.holds(&self.docker, &places)? {
            self.wrong.push(format!("{}\n  guarded, it leads past the policies", found.title));
        }
        if own.is_some() {
            self.portcullis.drop_settings("bind-mounts", &usual)?;
        }
        self.docker.shell(&places.fill(&found.case.after)).map(drop)
    }

    /// Folders as they are before anybody has done anything.
    fn lay_out(&self) -> Result<Substitutions> {
        let host = self.host.path();
        lay_out(host).map_err(|source| Error::Io { doing: "making folders".to_owned(), source })?;
        Ok(Substitutions(vec![
            ("host", host.display().to_string()),
            ("secret", SECRET.to_owned()),
            ("major", self.disk.major.clone()),
            ("minor", self.disk.minor.clone()),
        ]))
    }
}

/// Of `{host}`, `www` may be read, `scratch` written, and `secret` neither.
fn settings(host: &Path) -> String {
    let path = host.display();
    format!("[settings]\nallow = [{{ source = \"{path}/www\" }}, {{ source = \"{path}/scratch\", writable = true }}]\n")
}

fn lay_out(host: &Path) -> io::Result<()> {
    for name in ["www", "scratch", "secret"] {
        let folder = host.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
    }
    fs::set_permissions(host.join("secret"), fs::Permissions::from_mode(0o700))?;
    fs::write(host.join("secret/file"), SECRET)
}
