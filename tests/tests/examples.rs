//! The examples for readers are walked as they are written: every line of shell in a README, every answer that it promises.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::command::Finished;
use portcullis_tests::docker::Docker;
use portcullis_tests::dockerd::Dockerd;
use portcullis_tests::portcullis::{self, Config};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::walk::{Caller, Step, hello, tutorial};
use portcullis_tests::{Error, Result, artifacts};

/// Like the harness: private mounts and processes, so that nothing is touched and nothing stays.
const IN_NAMESPACE: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/docker/plugins && exec bash \"$0\"";

/// A reader is slower than a swap; the test asks until the promised answer comes.
const ASK: &str = r#"ask() {
    for _ in $(seq 1000); do
        answer=$(eval "$1" 2>&1 || true)
        case $answer in *"$2"*) echo "as promised: $1"; return ;; esac
        sleep 0.1
    done
    echo "not as promised: $1"; echo "expected: $2"; echo "answered: $answer"; exit 1
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme(example: &str) -> Result<String> {
    let path = root().join("examples").join(example).join("README.md");
    std::fs::read_to_string(&path).map_err(|error| Error::Unexpected(format!("{}: {error}", path.display())))
}

/// Makes one script of all blocks: `sh` as it is, `console` as commands of which some promise an answer, and `text` not
/// at all.
fn script(readme: &str) -> Result<String> {
    let mut script = format!("set -u\n{ASK}");
    let mut blocks = readme.split("```").skip(1).step_by(2);
    while let Some((kind, text)) = blocks.next().and_then(|block| block.split_once('\n')) {
        match kind {
            "sh" => script.push_str(text),
            "console" => console(text, &mut script),
            "text" => {}
            other => return Err(Error::Unexpected(format!("a block of kind `{other}`"))),
        }
    }
    Ok(script)
}

fn console(text: &str, script: &mut String) {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let command = line.trim_start_matches("$ ");
        // Writing to a string does not fail.
        let _ = match lines.next_if(|next| !next.starts_with("$ ")) {
            Some(answer) => writeln!(script, "ask {} {}", quoted(command), quoted(answer)),
            None => writeln!(script, "{command}"),
        };
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Walks a README from the repository's root. `moved` leads a folder of the reader's to one of the test's own.
fn walk(readme: &str, scratch: &Scratch, moved: Option<(&str, &Path)>) -> Result<()> {
    let built = artifacts::portcullis()?;
    let target = built.ancestors().nth(2).unwrap_or(&built).display().to_string();
    let mut script = script(readme)?
        .replace("make setup policies build\n", "")
        .replace("$PWD/target", &target)
        .replace("$OLDPWD/target", &target);
    if let Some((from, to)) = moved {
        script = script.replace(from, &to.display().to_string());
    }
    let path = scratch.path().join("walk.sh");
    std::fs::write(&path, &script).map_err(|error| Error::Unexpected(error.to_string()))?;

    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
    let walked = Finished::of(command.args(["sh", "-c", IN_NAMESPACE]).arg(&path).current_dir(root()))?;
    let promised = script.lines().filter(|line| line.starts_with("ask ")).count();
    let kept = walked.stdout.lines().filter(|line| line.starts_with("as promised: ")).count();
    assert_eq!(kept, promised, "{}\n{}", walked.stdout, walked.stderr);
    assert!(promised > 10 && walked.status.success(), "{walked:?}");
    Ok(())
}

#[test]
fn the_readme_of_the_seeds_is_true() -> Result<()> {
    let scratch = Scratch::new()?;
    let seeds = scratch.folder("seeds")?;
    walk(&readme("seeds")?, &scratch, Some(("/tmp/seeds", &seeds)))
}

/// It stays in `/run`, which in the walk is its own.
#[test]
fn the_readme_of_the_tenants_is_true() -> Result<()> {
    walk(&readme("tenants")?, &Scratch::new()?, None)
}

/// With a daemon that has nothing but the walk's own images, and a host without a policy.
#[test]
fn the_tutorial_over_the_admin_api_is_true() -> Result<()> {
    let host = Config::new()?.start()?;
    let dockerd = Dockerd::setup().guarded_by(portcullis::NAME, &host.config().plugin_folder()).start()?;
    let wasm = artifacts::policy("seccomp")?;
    let wasm = wasm.parent().unwrap_or(&wasm);
    let script = root().join("examples/admin-api/tutorial.sh");
    let (admin, script) = (host.config().admin_socket(), script.display());
    let line = format!("ADMIN={} WASM={} {script}", admin.display(), wasm.display());
    let walked = Docker::new(&dockerd)?.shell(&line)?;
    assert!(walked.status.success(), "{}\n{}", walked.stdout, walked.stderr);
    assert!(walked.stdout.ends_with("Everything was as expected, and nothing was restarted.\n"), "{walked:?}");
    let left = std::fs::read_dir(host.config().path().join("policies"))
        .map_err(|error| Error::Unexpected(error.to_string()))?;
    assert_eq!(left.count(), 0, "it removes what it put");
    Ok(())
}

#[test]
fn the_readme_of_the_seeds_has_every_step_of_the_walk() -> Result<()> {
    let readme = readme("seeds")?;
    let by_hand = |step: &&Step| !matches!(step.caller, Caller::Certified(_) | Caller::CertifiedClaiming { .. });
    for step in hello::STEPS.iter().chain(tutorial::STEPS).filter(by_hand) {
        assert!(readme.contains(&format!("$ {}\n", step.command)), "`{}` is not in the README", step.command);
    }
    Ok(())
}
