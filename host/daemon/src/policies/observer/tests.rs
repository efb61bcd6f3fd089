//! A host that may start no more threads.

use std::io;
use std::sync::mpsc::channel;

use portcullis_engine::{Compiler, Sandbox, SandboxConfig};
use tokio::runtime::Handle;

use super::*;
use crate::config::Config;
use crate::health::Readiness;
use crate::policies::Offers;
use crate::policies::job;
use crate::state::Spaces;

fn refuse(_: std::thread::Builder, _: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::WouldBlock))
}

/// What keeps nobody from being ready, and is told.
fn warnings(observer: &Observer) -> Vec<String> {
    let told = Readiness::of(&observer.live.load(), &observer.live.troubles(), None);
    assert!(told.is_ready, "{told:?}");
    told.warnings.iter().map(ToString::to_string).collect()
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
    let workshop = Workshop { sandbox, runtime: Handle::current(), offers: Offers::default(), swaps: Arc::default() };
    let (sender, messages) = channel();
    let mut observer = Observer::start(&config, Spaces::empty(), workshop, sender, messages);
    assert_eq!(warnings(&observer), [""; 0]);

    observer.spawn = refuse;
    let scopes = [None, Some(TenantName::new("ci").unwrap())];
    for scope in &scopes {
        observer.read(scope.clone());
    }
    let told = warnings(&observer);
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, (whose, path)) in told.iter().zip([("folder: ", ""), ("folder of tenant ci: ", "/tenants/ci")]) {
        let path = format!("{}{path}: there is no thread to read the folder: ", folder.path().display());
        assert!(told.starts_with(&format!("{whose}{path}")) && told.contains("TasksMax="), "{told}");
    }
    assert!(observer.running.is_empty());

    // It is due again, and then all is well.
    observer.spawn = job::spawn;
    for scope in &scopes {
        assert!(observer.due.contains(&(observer.folders[scope].due, scope.clone())), "{scope:?}");
        observer.read(scope.clone());
        let read = observer.messages.recv_timeout(STALLED).unwrap();
        assert!(observer.take(read).is_continue());
    }
    assert_eq!(warnings(&observer), [""; 0]);
}
