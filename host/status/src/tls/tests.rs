use std::os::unix::fs::PermissionsExt;

use super::*;

/// A file of this name with this text and mode.
fn file(folder: &Path, name: &str, text: &str, mode: u32) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    path
}

#[test]
fn every_file_that_is_wrong_is_told_with_how_to_mend_it() {
    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const CUT_OFF: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str, text: &str, mode| file(folder.path(), name, text, mode);
    let (absent, prose) = (folder.path().join("absent.pem"), place("prose.pem", "hello\n", 0o644));
    let (broken, cut_off) = (place("broken.pem", BROKEN, 0o644), place("cut.pem", CUT_OFF, 0o644));
    let (open, closed) = (place("open.pem", "hello\n", 0o644), place("closed.pem", "hello\n", 0o640));
    let cases = [
        (&absent, &closed, None, "absent.pem: cannot be read: No such file", "`[admin] certificate` names"),
        (&prose, &closed, None, "prose.pem: holds no certificate", "`[admin] certificate` names"),
        (&broken, &closed, None, "broken.pem: holds a broken certificate", "`[admin] certificate` names"),
        (&cut_off, &closed, None, "cut.pem: cannot be read as PEM", "`[admin] certificate` names"),
        (&prose, &absent, None, "absent.pem: cannot be read: No such file", "`[admin] key` names"),
        (&prose, &open, None, "open.pem: the key can be read or written by others", "`chmod 600` it"),
        (&prose, &closed, None, "closed.pem: holds no private key", "without a password"),
        (&prose, &closed, Some(&absent), "absent.pem: cannot be read", "`[admin] client_ca` names"),
        (&prose, &closed, Some(&prose), "prose.pem: holds no certificate", "`[admin] client_ca` names"),
    ];
    for (certificate, key, client_ca, what, help) in cases {
        let files = TlsFiles { certificate: certificate.clone(), key: key.clone(), client_ca: client_ca.cloned() };
        let problems = load(&files).expect_err("a mistake").to_string();
        assert!(problems.contains(what) && problems.contains(help), "{what}, {help}:\n{problems}");
    }
}
