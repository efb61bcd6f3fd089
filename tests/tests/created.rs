//! A folder that is swapped for a symlink after a container or a volume was created with it, with the real dockerd: it is looked
//! up again when the container is started, restarted or copied from, and when the volume is mounted.

#![expect(clippy::indexing_slicing, reason = "JSON has a value, or null, at every name")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use portcullis_tests::corpus::volume_plugin;
use portcullis_tests::http::{self, Answer};
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Dockerd, Error, Result};
use serde_json::{Value, json};

/// What other people's settings allow beside folders: volumes of a plugin, and of a file system.
const MORE: &str = r#"volume_drivers = ["local", "evil"]
file_systems = [{ type = "tmpfs" }, { type = "ext4", devices = ["/dev/none"] }]
"#;

/// The daemon goes first, and then its guard.
struct Stage {
    dockerd: Dockerd,
    host: Portcullis,
    folders: Scratch,
}

// === impl Stage ===

impl Stage {
    /// `open` may be mounted, to be read; `secret` may not.
    fn set() -> Result<Self> {
        let folders = Scratch::new()?;
        for folder in ["open", "secret"] {
            folders.folder(folder)?;
        }
        let open = folders.path().join("open");
        for folder in ["mount", "volume", "inline"] {
            fs::create_dir(open.join(folder)).map_err(io)?;
        }
        let settings = format!("[settings]\nallow = [{{ source = {open:?}, submounts = false }}]\n{MORE}");
        let config = Config::new()?.policy("bind-mounts")?.file("policies/bind-mounts.toml", settings.as_bytes())?;
        let host = config.start()?;
        volume_plugin::serve(&host.config().plugin_folder().join("evil.sock"))?;
        let dockerd = Dockerd::setup().guarded_by(portcullis::NAME, &host.config().plugin_folder()).start()?;
        Ok(Self { dockerd, host, folders })
    }

    fn open(&self, name: &str) -> PathBuf {
        self.folders.path().join("open").join(name)
    }

    /// Puts a symlink to what may not be mounted in a folder's place, or the folder back.
    fn swap(&self, name: &str, is_link: bool) -> Result<()> {
        let folder = self.open(name);
        if is_link {
            fs::remove_dir(&folder).map_err(io)?;
            symlink(self.folders.path().join("secret"), &folder).map_err(io)
        } else {
            fs::remove_file(&folder).map_err(io)?;
            fs::create_dir(&folder).map_err(io)
        }
    }

    fn send(&self, method: &str, path: &str, body: Option<Value>) -> Result<Answer> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let headers: &[_] = if body.is_empty() { &[] } else { &[("Content-Type", "application/json")] };
        http::send(&self.dockerd.socket(), &http::request(method, &format!("/v1.41{path}"), headers, body.as_bytes()))
    }

    /// Does what must be allowed.
    fn must(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let answer = self.send(method, path, body)?;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        Ok(answer.json().unwrap_or_default())
    }

    /// What must be denied by the policy, since a mount leads elsewhere by now.
    fn must_not(&self, method: &str, path: &str, body: Option<Value>) -> Result<()> {
        let answer = self.send(method, path, body)?;
        let told = answer.text();
        let is_denied = answer.status == 403 && told.contains("bind-mounts: ");
        assert!(is_denied, "{method} {path}: {} {told}", answer.status);
        Ok(())
    }

    /// Creates a container that mounts this; gives its ID.
    fn create(&self, name: &str, mounts: Value) -> Result<String> {
        let name = if name.is_empty() { String::new() } else { format!("?name={name}") };
        let created = self.must("POST", &format!("/containers/create{name}"), Some(container(&mounts)))?;
        created["Id"].as_str().map(str::to_owned).ok_or_else(|| Error::Unexpected(created.to_string()))
    }
}

fn container(host_config: &Value) -> Value {
    let mut host_config = host_config.clone();
    host_config["NetworkMode"] = json!("none");
    json!({ "Image": "alpine", "Cmd": ["sleep", "1000"], "HostConfig": host_config })
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

#[test]
fn what_a_container_was_created_with_is_looked_up_whenever_it_is_mounted() -> Result<()> {
    let stage = Stage::set()?;
    let bind = json!({ "Binds": [format!("{}:/x:ro", stage.open("mount").display())] });
    let id = stage.create("named", bind.clone())?;
    let unnamed = stage.create("", bind.clone())?;
    let chosen = stage.must("GET", &format!("/containers/{unnamed}/json"), None)?["Name"].clone();
    let chosen = chosen.as_str().unwrap_or_default().trim_start_matches('/').to_owned();
    let running = stage.create("running", bind)?;
    stage.must("POST", &format!("/containers/{running}/start"), None)?;

    stage.swap("mount", true)?;
    for called in ["named", &id, &id[..12], &unnamed, &chosen] {
        stage.must_not("POST", &format!("/containers/{called}/start"), None)?;
        stage.must_not("POST", &format!("/containers/{called}/restart"), None)?;
        stage.must_not("GET", &format!("/containers/{called}/archive?path=/x"), None)?;
    }
    stage.must_not("POST", "/containers/running/restart?t=0", None)?;
    stage.must("POST", "/containers/named/rename?name=renamed", None)?;
    stage.must_not("POST", "/containers/renamed/start", None)?;
    // What mounts nothing is none of it.
    stage.must("GET", "/containers/renamed/json", None)?;
    let plain = stage.create("named", json!({}))?;
    stage.must("POST", "/containers/named/start", None)?;

    stage.swap("mount", false)?;
    stage.must("POST", "/containers/renamed/start", None)?;
    stage.must("POST", &format!("/containers/{chosen}/start"), None)?;
    for container in [&id, &unnamed, &running, &plain] {
        stage.must("DELETE", &format!("/containers/{container}?force=1"), None)?;
    }
    Ok(())
}

#[test]
fn what_a_volume_was_created_with_is_looked_up_wherever_it_is_mounted() -> Result<()> {
    let stage = Stage::set()?;
    let options = |folder: &str| json!({ "type": "none", "o": "bind,ro", "device": stage.open(folder) });
    stage.must("POST", "/volumes/create", Some(json!({ "Name": "made", "DriverOpts": options("volume") })))?;
    // A mount can make one, too.
    let inline = json!({ "Mounts": [{
        "Type": "volume", "Source": "inline", "Target": "/x", "ReadOnly": true,
        "VolumeOptions": { "NoCopy": true, "DriverConfig": { "Name": "local", "Options": options("inline") } },
    }] });
    stage.create("first", inline)?;
    for volume in ["made", "inline"] {
        let by_name = json!({ "Binds": [format!("{volume}:/x:ro")] });
        let before = stage.create(&format!("before-{volume}"), by_name.clone())?;
        let folder = if volume == "made" { "volume" } else { "inline" };
        stage.swap(folder, true)?;
        stage.must_not("POST", &format!("/containers/{before}/start"), None)?;
        stage.must_not("POST", "/containers/create", Some(container(&by_name)))?;
        stage.swap(folder, false)?;
        stage.must("POST", &format!("/containers/{before}/start"), None)?;
        stage.must("DELETE", &format!("/containers/{before}?force=1"), None)?;
    }
    // One that is gone is forgotten: its name can stand for another one.
    stage.swap("volume", true)?;
    stage.must("DELETE", "/volumes/made", None)?;
    stage.must("POST", "/volumes/create", Some(json!({ "Name": "made" })))?;
    stage.create("after", json!({ "Binds": ["made:/x"] }))?;
    Ok(())
}

#[test]
fn what_kind_of_volume_it_is_is_told_wherever_it_is_mounted() -> Result<()> {
    let stage = Stage::set()?;
    let disk = json!({ "type": "ext4", "device": "/dev/none" });
    for volume in [
        json!({ "Name": "plugged", "Driver": "evil" }),
        json!({ "Name": "disk", "DriverOpts": disk }),
        json!({ "Name": "plain" }),
    ] {
        stage.must("POST", "/volumes/create", Some(volume))?;
    }
    // A mount and a bind can make one, too.
    let mount = json!({ "Type": "volume", "Source": "mounted", "Target": "/x", "VolumeOptions": { "DriverConfig": { "Name": "evil" } } });
    stage.create("first", json!({ "Mounts": [mount] }))?;
    stage.create("second", json!({ "Binds": ["bound:/x"], "VolumeDriver": "evil" }))?;
    let volumes = ["plugged", "disk", "mounted", "bound", "plain"];
    let by_name = |volume: &str| json!({ "Binds": [format!("{volume}:/x")] });
    for volume in volumes {
        stage.create(&format!("before-{volume}"), by_name(volume))?;
    }
    stage.host.drop_settings("bind-mounts", "[settings]\n")?;
    for volume in volumes {
        let create = Some(container(&by_name(volume)));
        let start = format!("/containers/before-{volume}/start");
        if volume == "plain" {
            stage.must("POST", "/containers/create", create)?;
            stage.must("POST", &start, None)?;
        } else {
            stage.must_not("POST", "/containers/create", create)?;
            stage.must_not("POST", &start, None)?;
            let of_another = json!({ "VolumesFrom": [format!("before-{volume}")] });
            stage.must_not("POST", "/containers/create", Some(container(&of_another)))?;
        }
    }
    stage.must("DELETE", "/containers/before-plain?force=1", None).map(drop)
}

#[test]
fn what_was_created_is_known_to_every_host_that_comes_after() -> Result<()> {
    let mut stage = Stage::set()?;
    let bind = json!({ "Binds": [format!("{}:/x:ro", stage.open("mount").display())] });
    let id = stage.create("named", bind)?;
    let options = json!({ "type": "none", "o": "bind,ro", "device": stage.open("volume") });
    stage.must("POST", "/volumes/create", Some(json!({ "Name": "made", "DriverOpts": options })))?;
    stage.swap("mount", true)?;
    stage.swap("volume", true)?;
    let by_name = container(&json!({ "Binds": ["made:/x:ro"] }));
    let mut name = "named".to_owned();
    for next in ["crashed", "ended", "handed-over"] {
        match next {
            "crashed" => stage.host.crash_and_restart()?,
            "ended" => stage.host.restart()?,
            _ => stage.host.hand_over()?,
        }
        for called in [&*name, &id, &id[..12]] {
            stage.must_not("POST", &format!("/containers/{called}/start"), None)?;
        }
        stage.must_not("POST", "/containers/create", Some(by_name.clone()))?;
        stage.must("POST", &format!("/containers/{name}/rename?name={next}"), None)?;
        name = next.to_owned();
    }
    stage.must_not("POST", &format!("/containers/{name}/start"), None)?;
    stage.swap("mount", false)?;
    stage.must("POST", &format!("/containers/{name}/start"), None)?;
    stage.must("DELETE", &format!("/containers/{name}?force=1"), None).map(drop)
}
