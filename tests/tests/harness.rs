//! The harness itself: what it starts works, and nothing of it stays.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_tests::tls::Authority;
use portcullis_tests::{Docker, Dockerd, Result, http};

/// Everything on this machine that would show that a daemon with this folder was not cleaned up.
fn traces(folder: &Path) -> Vec<String> {
    let mut traces = Vec::new();
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if folder.exists() {
        traces.push(format!("{} exists", folder.display()));
    }
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&name) {
            traces.push(format!("running: {command}"));
        }
    }
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    traces.extend(mounts.lines().filter(|line| line.contains(&name)).map(|line| format!("mounted: {line}")));
    let trees = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    let cgroups: Vec<PathBuf> = trees.map(|tree| tree.join(&name)).filter(|path| path.exists()).collect();
    traces.extend(cgroups.iter().map(|path| format!("control group {}", path.display())));
    traces
}

#[test]
fn a_throwaway_dockerd_works_and_leaves_nothing() -> Result<()> {
    let dockerd = Dockerd::setup().with_tls(Authority::new()?).start()?;
    let folder = dockerd.socket().parent().map(Path::to_owned).unwrap_or_default();

    let docker = Docker::new(&dockerd)?;
    let hello = docker.run(&["run", "hello-world"])?;
    assert!(hello.stdout.contains("Hello from Docker!"), "{hello:?}");
    let echo = docker.shell("docker run --rm --network none alpine /bin/sh -c 'echo \"Running an alpine image\"'")?;
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
