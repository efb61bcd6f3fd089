//! A full disk under the configuration and the store: what is put is refused as a whole, what is there stays and goes on.

use std::fs;
use std::path::Path;

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::small_disk::SmallDisk;
use portcullis_tests::{Error, Result, artifacts, http};
use serde_json::{Value, json};

const CONFIG: &str = "/v1/policies/deny-all/config";

/// The disk goes first: a folder that something is mounted on cannot be removed.
struct Stage {
    disk: SmallDisk,
    host: Portcullis,
}

// === impl Stage ===

impl Stage {
    fn set() -> Result<Self> {
        let config = Config::new()?;
        let disk = SmallDisk::over(config.path(), "24m")?;
        for folder in ["policies", "data", "plugins"] {
            fs::create_dir(config.path().join(folder)).map_err(io)?;
        }
        let config = config.policy("allow-all")?.policy("deny-all")?;
        let host = config.file("policies/deny-all.toml", b"# on trial\nmode = \"observe\"\n")?.start()?;
        Ok(Self { disk, host })
    }

    fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Value)> {
        let request = http::request(method, path, &[("content-type", "application/json")], body);
        let reply = http::send(&self.host.config().admin_socket(), &request)?;
        Ok((reply.status, reply.json().unwrap_or(Value::Null)))
    }

    fn is_allowed(&self) -> Result<bool> {
        Ok(Caller::anybody().list(&self.host.socket())?.allow)
    }

    fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        files(&self.host.config().path().join("policies"))
    }
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// With their bytes, hidden ones as well.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        files.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).map_err(io)?));
    }
    files.sort();
    Ok(files)
}

#[test]
fn what_there_is_no_room_for_is_refused_and_nothing_good_is_lost() -> Result<()> {
    let stage = Stage::set()?;
    let (wasm, before) = (artifacts::policy_bytes("seccomp")?, stage.files()?);
    assert!(stage.is_allowed()?);
    stage.disk.fill()?;
    let large = json!({ "settings": { "text": "x".repeat(1 << 20) } }).to_string();
    let calls: [(&str, &str, &[u8]); 6] = [
        ("PUT", "/v1/policies/new", &wasm),
        ("PUT", "/v1/policies/allow-all", &wasm),
        ("PUT", CONFIG, br#"{"mode": "enforce"}"#),
        ("PATCH", CONFIG, large.as_bytes()),
        ("PUT", "/v1/policies/deny-all/mode", b"enforce"),
        ("PUT", "/v1/policies/new/config", b"{\"grants\": [\"state\"]}"),
    ];
    for (method, path, body) in calls {
        let (status, answer) = stage.send(method, path, body)?;
        assert_eq!(status, 507, "{method} {path}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("no room")), "{answer}");
        assert!(stage.is_allowed()?, "decisions go on");
    }
    assert_eq!(stage.files()?, before, "nothing is lost, and nothing half written stays");
    assert_eq!(stage.send("GET", "/v1/status", b"")?.1["is_sound"], json!(true));

    stage.disk.empty()?;
    assert_eq!(stage.send("PUT", CONFIG, br#"{"mode": "enforce"}"#)?.0, 200);
    assert!(!stage.is_allowed()?, "it works again");
    assert_eq!(stage.send("PUT", "/v1/policies/new", &wasm)?.0, 201);
    assert_eq!(stage.send("PATCH", CONFIG, large.as_bytes())?.0, 200);
    let text = fs::read_to_string(stage.host.config().path().join("policies/deny-all.toml")).map_err(io)?;
    assert!(text.starts_with("# on trial\nmode = \"enforce\"\n"), "{}", text.get(..60).unwrap_or_default());
    Ok(())
}
