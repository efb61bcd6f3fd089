//! The harness itself: what it starts works, and nothing of it stays.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use portcullis_tests::log::Log;
use portcullis_tests::tls::Authority;
use portcullis_tests::{Docker, Dockerd, Error, Result, artifacts, http, wait};
use rustix::process::{Pid, Signal, kill_process};

/// Everything on this machine that has `name` in it: folders, processes, mounts, control groups.
fn traces(name: &str) -> Vec<String> {
    let trees = entries("/sys/fs/cgroup").into_iter().chain(["/sys/fs/cgroup".into(), "/tmp".into()]);
    let paths = trees.flat_map(|tree| entries(&tree)).filter(|path| path.contains(name));
    let commands =
        entries("/proc").into_iter().map(|process| fs::read(format!("{process}/cmdline")).unwrap_or_default());
    let commands = commands.map(|command| String::from_utf8_lossy(&command).replace('\0', " "));
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts: Vec<String> = mounts.lines().map(str::to_owned).collect();
    paths.chain(commands.chain(mounts).filter(|line| line.contains(name))).collect()
}

fn entries(folder: &str) -> Vec<String> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().display().to_string()).collect()
}

/// Starts the demo, and waits until its dockerd has run a container.
fn demo_under_way() -> Result<Child> {
    let demo = artifacts::demo()?;
    let failed = |error: std::io::Error| Error::Unexpected(format!("starting `{}`: {error}", demo.display()));
    let mut child = Command::new(&demo).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let log = Log::default();
    child.stdout.take().into_iter().for_each(|pipe| log.follow(pipe));
    let ran = log.wait(Log::START, 3 * wait::DEADLINE, |line| line.contains("Hello from Docker!").then_some(()));
    ran.map(|()| child).map_err(|error| Error::Unexpected(format!("no container ({error:?}): {}", log.tail(20))))
}

fn send(child: &Child, signal: Signal) -> Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let sent = pid.map(|pid| kill_process(pid, signal));
    sent.and_then(|sent| sent.ok()).ok_or_else(|| Error::Unexpected("the demo could not be signalled".to_owned()))
}

fn code(child: &mut Child) -> Result<Option<i32>> {
    let ended = wait::until("the demo's end", wait::DEADLINE, || child.try_wait().ok().flatten())?;
    Ok(ended.code())
}

#[test]
fn a_throwaway_dockerd_works_and_leaves_nothing() -> Result<()> {
    let dockerd = Dockerd::setup().with_tls(Authority::new()?).start()?;
    let folder = dockerd.socket().parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();

    let docker = Docker::new(&dockerd)?;
    let hello = docker.shell_that_prints("docker run hello-world")?;
    assert!(hello.stdout.contains("Hello from Docker!"), "{hello:?}");
    let echo = docker
        .shell_that_prints("docker run --rm --network none alpine /bin/sh -c 'echo \"Running an alpine image\"'")?;
    assert_eq!(echo.stdout, "Running an alpine image\n", "{echo:?}");
    let left_running = docker.run(&["run", "-d", "alpine", "sleep", "1000"])?;
    assert!(left_running.status.success(), "{left_running:?}");

    let by_certificate = Docker::with_certificate(dockerd.tls()?, "/O=ops/CN=alice")?.run(&["ps"])?;
    assert!(by_certificate.stdout.contains("sleep 1000"), "{by_certificate:?}");

    let raw = http::send(&dockerd.socket(), &http::request("GET", "/v1.41/containers/json", &[], b""))?;
    assert_eq!((raw.status, raw.json()?.as_array().map(Vec::len)), (200, Some(1)), "{}", raw.text());

    assert_ne!(traces(&folder), Vec::<String>::new());
    drop(dockerd);
    assert_eq!(traces(&folder), Vec::<String>::new());
    Ok(())
}

#[test]
fn an_interrupted_demo_leaves_nothing() -> Result<()> {
    for (signal, expected) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut demo = demo_under_way()?;
        let name = format!("portcullis-{}-", demo.id());
        assert_ne!(traces(&name), Vec::<String>::new());
        send(&demo, signal)?;
        assert_eq!(code(&mut demo)?, Some(expected));
        assert_eq!(traces(&name), Vec::<String>::new(), "after {signal:?}");
    }
    Ok(())
}

/// Nobody can clean up after `kill -9`; but nothing goes on running, and the next run removes the files.
#[test]
fn a_killed_demo_leaves_only_files_and_only_until_the_next_run() -> Result<()> {
    let mut demo = demo_under_way()?;
    let name = format!("portcullis-{}-", demo.id());
    send(&demo, Signal::KILL)?;
    assert_eq!(code(&mut demo)?, None);
    let is_file = |trace: &String| trace.starts_with("/tmp/") || trace.starts_with("/sys/fs/cgroup/");
    wait::until("the end of its children", wait::DEADLINE, || traces(&name).iter().all(is_file).then_some(()))?;
    let mut next = demo_under_way()?;
    assert_eq!(traces(&name), Vec::<String>::new());
    send(&next, Signal::INT)?;
    code(&mut next).map(drop)
}
