//! The two images that the walks run. Nothing is pulled: both are the machine's static busybox.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::artifacts;
use crate::command::Finished;
use crate::docker::Docker;
use crate::error::{Doing, Result};
use crate::scratch::Scratch;

const GREETING: &str = "
Hello from Docker!
This message shows that your installation appears to be working correctly.
";

/// Imports `alpine:latest` and `hello-world:latest`.
pub(crate) fn import(scratch: &Scratch, socket: &Path) -> Result<()> {
    let root = scratch.folder("image")?;
    fill(&root)?;
    let docker = Docker::on_socket(socket)?;
    import_folder(&docker, &root, "alpine:latest", r#"CMD ["/bin/sh"]"#)?;
    import_folder(&docker, &root, "hello-world:latest", r#"CMD ["/hello"]"#)?;
    fs::remove_dir_all(&root).doing_to("removing", &root)
}

fn fill(root: &Path) -> Result<()> {
    let bin = root.join("bin");
    fs::create_dir(&bin).doing_to("making", &bin)?;
    fs::create_dir(root.join("tmp")).doing_to("making", root)?;
    let busybox = artifacts::installed("busybox")?;
    fs::copy(&busybox, bin.join("busybox")).doing_to("copying", &busybox)?;
    for applet in Finished::well(Command::new(&busybox).arg("--list"))?.stdout.lines().filter(|name| *name != "busybox")
    {
        symlink("busybox", bin.join(applet)).doing_to("linking in", &bin)?;
    }
    let etc = root.join("etc");
    fs::create_dir(&etc).doing_to("making", &etc)?;
    fs::write(etc.join("passwd"), "root:x:0:0:root:/root:/bin/sh\n").doing_to("writing in", &etc)?;
    let hello = root.join("hello");
    fs::write(&hello, format!("#!/bin/sh\ncat <<END{GREETING}\nEND\n")).doing_to("writing", &hello)?;
    fs::set_permissions(&hello, fs::Permissions::from_mode(0o755)).doing_to("writing", &hello)
}

fn import_folder(docker: &Docker, root: &Path, name: &str, change: &str) -> Result<()> {
    let mut tar = Command::new("tar")
        .arg("-C")
        .arg(root)
        .args(["-c", "."])
        .stdout(Stdio::piped())
        .spawn()
        .doing("starting `tar`")?;
    let archive = tar.stdout.take().map_or_else(Stdio::null, Stdio::from);
    Finished::well(docker.command(&["import", "--change", change, "-", name]).stdin(archive))?;
    tar.wait().map(drop).doing("waiting for `tar`")
}
