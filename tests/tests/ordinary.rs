//! What the docker command and other clients send every day, against every release of the real dockerd, guarded as it would
//! be in earnest: nothing of it is denied.

use std::io::Write;
use std::path::Path;
use std::time::Instant;
use std::{fs, io};

use portcullis_tests::corpus::{self, Asked, Call, Ordinary, Substitutions};
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Docker, Dockerd, Error, Release, Result};

const AT_LEAST: usize = 60;
/// Other clients say who they are; the policies here do not ask.
const AGENT: (&str, &str) = ("User-Agent", "docker-sdk-python/7.1.0");

portcullis_tests::for_each_release!(no_ordinary_call_is_denied, play);

fn play(release: Release) -> Result<()> {
    let cases = corpus::read("ordinary", |case: &Ordinary| &case.note)?;
    assert!(cases.len() >= AT_LEAST, "{} cases", cases.len());
    let folder = Scratch::new()?;
    lay_out(folder.path()).map_err(|source| Error::Io { doing: "making folders".to_owned(), source })?;
    let portcullis = guard(folder.path())?;
    let setup = Dockerd::setup().release(release).guarded_by(portcullis::NAME, &portcullis.config().plugin_folder());
    let dockerd = setup.start()?;
    let docker = Docker::new(&dockerd)?;
    let places = Substitutions(vec![
        ("dir", folder.path().display().to_string()),
        ("bridge", format!("pc{}", std::process::id())),
    ]);

    let start = Instant::now();
    let mut wrong = Vec::new();
    let mut commands = 0;
    for found in &cases {
        let difference = match found.case.asked(&places) {
            Some(Asked::Shell(line)) => {
                commands += 1;
                let prints = found.case.prints(release);
                let finished = if prints { docker.shell_that_prints(&line)? } else { docker.shell(&line)? };
                found.case.wrong_with_command(release, &finished)
            }
            Some(Asked::Raw(call)) => {
                found.case.wrong_with_answer(release, &call.send(&dockerd.socket(), AGENT, &places)?)
            }
            None => Some("it asks nothing, or two things".to_owned()),
        };
        wrong.extend(difference.map(|difference| format!("{}\n  {difference}", found.title)));
    }
    wrong.extend(guard_still_denies(&dockerd, &places)?);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Past the test harness, which keeps what a test prints.
    let (count, took) = (cases.len(), start.elapsed().as_secs_f64());
    let counted = format!(
        "{release}: {count} ordinary calls, {commands} of them by the docker command, in {took:.1} s: none denied"
    );
    let _ = writeln!(io::stderr(), "{counted}");
    Ok(())
}

fn guard(folder: &Path) -> Result<Portcullis> {
    let path = folder.display();
    let mounts = format!(
        "[settings]\nplugins = true\nallow = [{{ source = \"{path}/www\", submounts = false }}, {{ source = \"{path}/scratch\", writable = true }}]\n"
    );
    // What the daemon of these calls masks, which is less than the newest does, and what clients repeat.
    let masked = "[settings]\nmasked_paths = [\"/proc/asound\", \"/proc/acpi\", \"/proc/kcore\", \"/proc/keys\", \
                  \"/proc/latency_stats\", \"/proc/timer_list\", \"/proc/timer_stats\", \"/proc/sched_debug\", \
                  \"/proc/scsi\", \"/sys/firmware\"]\n";
    Config::new()?
        .file("policies/seccomp.toml", masked.as_bytes())?
        .file("policies/bind-mounts.toml", mounts.as_bytes())?
        .policy("bind-mounts")?
        .policy("seccomp")?
        .start()
}

/// That nothing was denied shows something only if it could have been.
fn guard_still_denies(dockerd: &Dockerd, places: &Substitutions) -> Result<Option<String>> {
    let body = r#"{"Image":"alpine","HostConfig":{"Privileged":true}}"#;
    let call = Call::with_json("POST /v1.41/containers/create".to_owned(), body.to_owned());
    let answer = call.send(&dockerd.socket(), AGENT, places)?;
    let denied = corpus::Denial::of(&answer).is_some_and(|denial| denial.is_by_policy("seccomp"));
    Ok((!denied).then(|| format!("a privileged container was answered {} {}", answer.status, answer.text())))
}

fn lay_out(folder: &Path) -> io::Result<()> {
    for name in ["www", "scratch", "context"] {
        fs::create_dir_all(folder.join(name))?;
    }
    for (name, text) in [
        ("www/index.html", "welcome\n"),
        ("env", "B=c\n"),
        ("labels", "c=d\n"),
        (
            "seccomp.json",
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
        ),
        ("context/Dockerfile", "FROM alpine\nARG A\nENV A=$A\nCOPY file /file\nRUN cat /file\n"),
        ("context/Scratch", "FROM scratch\nCOPY file /file\nCMD [\"/file\"]\n"),
        ("context/file", "text\n"),
    ] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
