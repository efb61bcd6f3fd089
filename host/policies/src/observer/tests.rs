//! A host that may start no more threads.

use std::io;
use std::sync::mpsc::channel;

use portcullis_config::Config;
use portcullis_engine::{Compiler, Sandbox, SandboxConfig};
use portcullis_state::Spaces;
use tokio::runtime::Handle;

use super::*;
use crate::{WriteBackCache, job};

fn refuse(_: std::thread::Builder, _: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::WouldBlock))
}

/// What is not active, and whose it is. Nothing has calls denied.
fn warnings(observer: &Observer) -> Vec<String> {
    let (snapshot, issues) = (observer.live.load(), observer.live.issues());
    assert!(snapshot.host.data.is_ok() && snapshot.tenants.iter().all(|tenant| tenant.layer.data.is_ok()));
    let whose =
        |tenant: &Option<TenantName>| tenant.as_ref().map_or(String::new(), |name| format!(" of tenant {name}"));
    let of = |(tenant, issues): (&Option<TenantName>, &Vec<LoadIssue>)| -> Vec<String> {
        issues.iter().map(|issue| format!("{}{}: {}", issue.what, whose(tenant), issue.problem)).collect()
    };
    issues.iter().flat_map(of).collect()
}

#[tokio::test]
async fn a_folder_that_no_thread_can_read_is_told_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["policies", "data", "tenants/ci"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("portcullis.toml"), "").unwrap();
    std::fs::write(folder.path().join("tenants/ci/tenant.toml"), "[[match]]\nuser = \"ci\"\n").unwrap();
    let config = Config::read(folder.path()).unwrap();
    let sandbox =
        Sandbox::new(&SandboxConfig { instances: 1, cache: None, compiler: Compiler::this_program() }).unwrap();
    let context = LoadContext {
        sandbox,
        runtime: Handle::current(),
        write_back: WriteBackCache::default(),
        swaps: Arc::default(),
    };
    let (sender, messages) = channel();
    let mut observer = Observer::start(&config, Spaces::empty(), context, sender, messages);
    assert_eq!(warnings(&observer), [""; 0]);

    observer.spawn = refuse;
    let scopes = [None, Some(TenantName::new("ci").unwrap())];
    for scope in &scopes {
        observer.read(scope.clone(), [None; 3]);
    }
    let message = warnings(&observer);
    assert_eq!(message.len(), 2, "{message:?}");
    for (message, (whose, path)) in message.iter().zip([("folder: ", ""), ("folder of tenant ci: ", "/tenants/ci")]) {
        let path = format!("{}{path}: there is no thread to read the folder: ", folder.path().display());
        assert!(message.starts_with(&format!("{whose}{path}")) && message.contains("TasksMax="), "{message}");
    }
    assert!(observer.running.is_empty());

    // It is due again, and then all is well.
    observer.spawn = job::spawn;
    for scope in &scopes {
        assert!(observer.due.contains(&(observer.folders[scope].due, scope.clone())), "{scope:?}");
        observer.read(scope.clone(), [None; 3]);
        let read = observer.messages.recv_timeout(STALLED).unwrap();
        assert!(observer.take(read).is_continue());
    }
    assert_eq!(warnings(&observer), [""; 0]);
}
