//! What another tenant created, with every release of the real dockerd: whatever it is called by, nobody has it mounted who may not
//! mount its folders.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_tests::http::{self, Answer};
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Dockerd, Error, Release, Result, wait};
use serde_json::{Value, json};

const TEAMS: [&str; 2] = ["ann", "ben"];

/// The daemon goes first, and then its guard.
struct Stage {
    dockerd: Dockerd,
    _host: Portcullis,
    folders: Scratch,
}

// === impl Stage ===

impl Stage {
    /// Each team may mount its own folder, and what a volume plugin or a `tmpfs` has.
    fn set(release: Release) -> Result<Self> {
        let folders = Scratch::new()?;
        let mut config = Config::new()?.toml("trusted_headers = [\"X-Team\"]");
        for team in TEAMS {
            folders.folder(team)?;
            let folder = folders.path().join(team);
            let settings = format!(
                "[settings]\nallow = [{{ source = {folder:?}, writable = true }}]\nfile_systems = [{{ type = \"tmpfs\" }}]\n"
            );
            config = config
                .tenant(team, &format!("match = [{{ header = {{ X-Team = \"{team}\" }} }}]"))?
                .tenant_policy(team, "bind-mounts")?
                .file(&format!("tenants/{team}/policies/bind-mounts.toml"), settings.as_bytes())?;
        }
        let host = config.start()?;
        let setup = Dockerd::setup().release(release).guarded_by(portcullis::NAME, &host.config().plugin_folder());
        Ok(Self { dockerd: setup.start()?, _host: host, folders })
    }

    fn folder(&self, team: &str) -> std::path::PathBuf {
        self.folders.path().join(team)
    }

    fn send(&self, team: &str, method: &str, path: &str, body: &Value) -> Result<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers: &[_] = &[("Content-Type", "application/json"), ("X-Team", team)];
        http::send(&self.dockerd.socket(), &http::request(method, &format!("/v1.41{path}"), headers, body.as_bytes()))
    }

    fn must(&self, team: &str, method: &str, path: &str, body: Value) -> Result<Value> {
        let answer = self.send(team, method, path, &body)?;
        assert!(answer.status < 300, "{team} {method} {path} {body}: {} {}", answer.status, answer.text());
        Ok(answer.json().unwrap_or_default())
    }

    fn must_not(&self, team: &str, method: &str, path: &str, body: Value) -> Result<()> {
        let answer = self.send(team, method, path, &body)?;
        let is_denied = answer.status == 403 && answer.text().contains("bind-mounts: ");
        assert!(is_denied, "{team} {method} {path} {body}: {} {}", answer.status, answer.text());
        Ok(())
    }

    fn create(&self, team: &str, query: &str, host_config: &Value) -> Result<String> {
        id_of(&self.must(team, "POST", &format!("/containers/create{query}"), container(host_config))?)
    }

    /// What the daemon calls a container.
    fn name_of(&self, team: &str, id: &str) -> Result<String> {
        let inspected = self.must(team, "GET", &format!("/containers/{id}/json"), Value::Null)?;
        Ok(text(&inspected, "Name").trim_start_matches('/').to_owned())
    }
}

fn container(host_config: &Value) -> Value {
    let mut host_config = host_config.clone();
    if let Some(host_config) = host_config.as_object_mut() {
        host_config.insert("NetworkMode".to_owned(), json!("none"));
    }
    json!({ "Image": "alpine", "Cmd": ["sleep", "1000"], "HostConfig": host_config })
}

fn bind(folder: &Path) -> Value {
    json!({ "Binds": [format!("{}:/x", folder.display())] })
}

fn options(folder: &Path) -> Value {
    json!({ "type": "none", "o": "bind", "device": folder })
}

fn mount(name: &str, options: &Value) -> Value {
    json!({
        "Type": "volume", "Source": name, "Target": "/x",
        "VolumeOptions": { "DriverConfig": { "Name": "local", "Options": options } },
    })
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn id_of(created: &Value) -> Result<String> {
    let id = text(created, "Id");
    if id.is_empty() { Err(Error::Unexpected(created.to_string())) } else { Ok(id.to_owned()) }
}

portcullis_tests::for_each_release!(an_existing_volume_is_what_it_was_made, existing);

/// The daemon takes a volume that is there, whatever options stand beside its name.
fn existing(release: Release) -> Result<()> {
    let stage = Stage::set(release)?;
    let made = json!({ "Name": "vol", "DriverOpts": options(&stage.folder("ann")) });
    stage.must("ann", "POST", "/volumes/create", made)?;
    let tmpfs = json!({ "type": "tmpfs", "device": "tmpfs" });
    let beside = |name: &str| json!({ "Mounts": [mount(name, &tmpfs)] });
    stage.must_not("ben", "POST", "/containers/create", container(&beside("vol")))?;
    stage.must("ben", "POST", "/containers/create", container(&beside("own")))?;
    stage.must("ann", "POST", "/containers/create", container(&beside("vol")))?;
    // Who makes it once more is given that one.
    stage.must("ben", "POST", "/volumes/create", json!({ "Name": "vol", "DriverOpts": tmpfs.clone() }))?;
    stage.must_not("ben", "POST", "/containers/create", container(&json!({ "Binds": ["vol:/x"] })))?;
    stage.must(
        "ben",
        "POST",
        "/swarm/init",
        json!({ "ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1" }),
    )?;
    let service = |name: &str, mounts: Value| {
        let spec = json!({ "Image": "alpine", "Command": ["sleep", "1000"], "Mounts": mounts });
        json!({ "Name": name, "TaskTemplate": { "ContainerSpec": spec, "RestartPolicy": { "Condition": "any", "Delay": 1 } } })
    };
    stage.must_not("ben", "POST", "/services/create", service("web", json!([mount("vol", &tmpfs)])))?;
    // The container of a task is found by no call that made it.
    let bound = json!([{ "Type": "bind", "Source": stage.folder("ann"), "Target": "/x" }]);
    stage.must("ann", "POST", "/services/create", service("web", bound))?;
    let id = wait::until("the task's container", wait::DEADLINE, || {
        let listed = stage.must("ben", "GET", "/containers/json?all=1", Value::Null).ok()?;
        // One whose task fails to start goes again, and another one comes.
        let is_task = |container: &&Value| {
            let is_of_web = container.get("Names").is_some_and(|names| names.to_string().contains("/web."));
            is_of_web && text(container, "State") == "running"
        };
        listed.as_array()?.iter().find(is_task).map(|container| text(container, "Id").to_owned())
    })?;
    for called in [&id, &id[..12], &*stage.name_of("ben", &id)?] {
        for (method, path) in [("POST", "start"), ("POST", "restart?t=0"), ("GET", "archive?path=/x")] {
            stage.must_not("ben", method, &format!("/containers/{called}/{path}"), Value::Null)?;
        }
        stage.must("ann", "GET", &format!("/containers/{called}/archive?path=/x"), Value::Null).map(drop)?;
    }
    stage.must("ann", "DELETE", "/services/web", Value::Null)?;
    stage.must("ben", "POST", "/swarm/leave?force=1", Value::Null).map(drop)
}

portcullis_tests::for_each_release!(what_has_no_name_of_its_makers_is_known_by_none, nameless);

fn nameless(release: Release) -> Result<()> {
    let stage = Stage::set(release)?;
    let theirs = stage.create("ann", "", &bind(&stage.folder("ann")))?;
    let own = stage.create("ben", "", &bind(&stage.folder("ben")))?;
    let name = stage.name_of("ann", &theirs)?;
    for called in [&theirs, &theirs[..12], &name] {
        stage.must_not("ben", "POST", &format!("/containers/{called}/start"), Value::Null)?;
        stage.must_not("ben", "GET", &format!("/containers/{called}/archive?path=/x"), Value::Null)?;
        let inheriting = json!({ "VolumesFrom": [called] });
        stage.must_not("ben", "POST", "/containers/create", container(&inheriting))?;
    }
    // Whoever looks up a name has the host know it.
    let own_name = stage.name_of("ben", &own)?;
    stage.must("ben", "POST", &format!("/containers/{own_name}/start"), Value::Null)?;
    stage.must("ben", "POST", &format!("/containers/{name}/rename?name=taken"), Value::Null)?;
    stage.must_not("ben", "POST", "/containers/taken/start", Value::Null)?;
    stage.must("ann", "POST", "/containers/taken/start", Value::Null)?;
    // A name that is free again, and the beginning of an ID.
    let beginning = theirs[..13].to_owned();
    let fleeting =
        json!({ "Image": "alpine", "Cmd": ["true"], "HostConfig": { "NetworkMode": "none", "AutoRemove": true } });
    stage.must("ben", "POST", &format!("/containers/create?name={beginning}"), fleeting)?;
    stage.must_not("ben", "POST", &format!("/containers/{beginning}/start"), Value::Null)?;

    let anonymous = json!({ "Mounts": [mount("", &options(&stage.folder("ann")))] });
    let theirs = stage.create("ann", "", &anonymous)?;
    let plain = stage.must("ben", "POST", "/volumes/create", json!({}))?;
    let inspected = stage.must("ann", "GET", &format!("/containers/{theirs}/json"), Value::Null)?;
    let volume = inspected.pointer("/Mounts/0/Name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let by_name = |volume: &str| container(&json!({ "Binds": [format!("{volume}:/x")] }));
    stage.must_not("ben", "POST", "/containers/create", by_name(&volume))?;
    stage.must("ben", "POST", "/containers/create", by_name(text(&plain, "Name")))?;
    // Those of which the host heard nothing are known when they are listed.
    let image = json!({ "Image": "alpine", "Volumes": { "/v": {} }, "HostConfig": { "NetworkMode": "none" } });
    let own = id_of(&stage.must("ben", "POST", "/containers/create", image)?)?;
    let inspected = stage.must("ben", "GET", &format!("/containers/{own}/json"), Value::Null)?;
    let own = inspected.pointer("/Mounts/0/Name").and_then(Value::as_str).unwrap_or_default().to_owned();
    stage.must_not("ben", "POST", "/containers/create", by_name(&own))?;
    stage.must("ben", "GET", "/volumes", Value::Null)?;
    stage.must("ben", "POST", "/containers/create", by_name(&own))?;
    stage.must_not("ben", "POST", "/containers/create", by_name(&volume))?;
    stage.must("ann", "POST", "/containers/create", by_name(&volume)).map(drop)
}

portcullis_tests::for_each_release!(what_no_answer_tells_of_is_not_taken_for_harmless, hidden);

/// dockerd shows a plugin nothing of an answer of more than 64 KiB.
fn hidden(release: Release) -> Result<()> {
    let stage = Stage::set(release)?;
    let labels: BTreeMap<_, _> = [("long", "x".repeat(70_000))].into();
    let made = json!({ "DriverOpts": options(&stage.folder("ann")), "Labels": labels });
    let volume = stage.must("ann", "POST", "/volumes/create", made)?;
    let by_name = container(&json!({ "Binds": [format!("{}:/x", text(&volume, "Name"))] }));
    stage.must_not("ben", "POST", "/containers/create", by_name.clone())?;
    stage.must("ann", "POST", "/containers/create", by_name)?;

    // A volume that went with many others is another one when it is made again.
    stage.must("ben", "POST", "/volumes/create", json!({ "Name": "data" }))?;
    let used = stage.create("ben", "?name=used", &json!({ "Binds": ["data:/x"] }))?;
    stage.must("ben", "DELETE", &format!("/containers/{used}"), Value::Null)?;
    for number in 0..300 {
        let name = format!("{number}-{}", "x".repeat(230));
        stage.must("ben", "POST", "/volumes/create", json!({ "Name": name }))?;
    }
    let all = if release == Release::V20_10 { "" } else { "?filters=%7B%22all%22%3A%5B%22true%22%5D%7D" };
    stage.must("ben", "POST", &format!("/volumes/prune{all}"), Value::Null)?;
    let made = json!({ "Mounts": [mount("data", &options(&stage.folder("ann")))] });
    stage.must("ann", "POST", "/containers/create", container(&made))?;
    stage.must_not("ben", "POST", "/containers/create", container(&json!({ "Binds": ["data:/x"] })))
}
