use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A folder `own`, and beside it a file that is not in it.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(dir.path().join("own/policies/deep")).expect("made");
    fs::write(dir.path().join("secret"), "secret").expect("written");
    fs::write(dir.path().join("own/policies/a.wasm"), "own").expect("written");
    dir
}

fn text(root: &Root, path: &str) -> Result<String, String> {
    let read = root.read(path, 100).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(read.1).expect("text"))
}

#[test]
fn nothing_leads_out_of_a_tenants_folder() {
    let dir = folder();
    let link = |to: &str, name: &str| symlink(to, dir.path().join("own/policies").join(name)).expect("linked");
    link("a.wasm", "inside.wasm");
    link("../policies/deep/../a.wasm", "winding.wasm");
    link("../../secret", "relative.wasm");
    link(&dir.path().join("secret").to_string_lossy(), "absolute.wasm");
    link("/proc/self/exe", "magic.wasm");
    link("../..", "up");
    let own = dir.path().join("own");
    let (open, fenced) =
        (Root::open(&own, Containment::Open).expect("open"), Root::open(&own, Containment::Beneath).expect("open"));
    for (name, expected) in [("a", "own"), ("inside", "own"), ("winding", "own")] {
        let path = format!("policies/{name}.wasm");
        assert_eq!(text(&fenced, &path).as_deref(), Ok(expected), "{path}");
        assert_eq!(text(&open, &path).as_deref(), Ok(expected), "{path}");
        assert!(fenced.fingerprint(&path).is_some());
    }
    for path in
        ["policies/relative.wasm", "policies/absolute.wasm", "policies/magic.wasm", "policies/up/secret", "../secret"]
    {
        let problem = text(&fenced, path).expect_err(path);
        assert_eq!(problem, "leads out of the tenant's folder; put the file itself there", "{path}");
        assert!(fenced.fingerprint(path).is_none(), "{path}");
    }
    assert_eq!(text(&open, "policies/relative.wasm").as_deref(), Ok("secret"));
    assert_eq!(fenced.list("policies", "wasm").expect("listed").len(), 6);
    assert!(fenced.list("policies/up", "wasm").expect_err("out").to_string().contains("leads out"));
}

#[test]
fn what_is_not_a_file_is_named_and_never_waited_for() {
    let dir = folder();
    let own = dir.path().join("own");
    fs::create_dir(own.join("folder.wasm")).expect("made");
    rustix::fs::mknodat(rustix::fs::CWD, own.join("fifo.wasm"), FileType::Fifo, Mode::RWXU, 0).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(own.join("socket.wasm")).expect("bound");
    symlink("loop.wasm", own.join("loop.wasm")).expect("linked");
    for containment in [Containment::Open, Containment::Beneath] {
        let root = Root::open(&own, containment).expect("open");
        for (name, expected) in [
            ("folder", "is a folder; "),
            ("fifo", "is a fifo; "),
            ("socket", "is a socket; "),
            ("loop", "cannot be read: Too many levels"),
        ] {
            let problem = text(&root, &format!("{name}.wasm")).expect_err(name);
            assert!(problem.starts_with(expected), "{name}: {problem}");
        }
        assert!(
            root.read("policies/a.wasm", 2)
                .is_err_and(|error| error.to_string() == "is 3 bytes large; at most 2 are read")
        );
    }
}

#[test]
fn a_folder_that_is_not_there_is_empty() {
    let root = Root::absent(Path::new("/nowhere"));
    assert_eq!(root.list("policies", "wasm").expect("listed"), [] as [&str; 0]);
    assert!(root.fingerprint("x").is_none() && !root.has("x"));
}

#[test]
fn a_folder_that_was_moved_away_is_not_in_place() {
    let dir = folder();
    let (own, gone) = (dir.path().join("own"), dir.path().join("gone"));
    let root = Root::open(&own, Containment::Beneath).expect("open");
    assert!(root.is_in_place() && !Root::absent(&own).is_in_place());
    fs::rename(&own, &gone).expect("moved");
    assert!(!root.is_in_place() && Root::absent(&own).is_in_place());
    assert!(root.has("policies/a.wasm"), "it can be read where it is");
    assert!(!root.has("policies/b.wasm") && root.has(&"x".repeat(300)), "what cannot be looked up may be there");
    fs::create_dir(&own).expect("made");
    assert!(!root.is_in_place(), "another one has its name");
    symlink(&gone, dir.path().join("link")).expect("linked");
    assert!(Root::open(&dir.path().join("link"), Containment::Open).expect("open").is_in_place());
}
