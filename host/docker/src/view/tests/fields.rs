//! Each field of a body, and each query parameter, is in a view, or it is said why not: `data/views.tsv`.
//!
//! What the table says is tried: a call with one field set is compared with the same call without it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::testing::{call, read, views, with_json};
use crate::wire::Call;

const TABLE: &str = include_str!("../../../data/views.tsv");
const BODIES: &str = include_str!("../../../data/bodies.json");
const OPERATIONS: &str = include_str!("../../../data/operations.tsv");

/// One step into a body: a member of a structure.
#[derive(Clone)]
struct Step {
    structure: String,
    field: String,
    kind: String,
}

/// A field, and the way there from the body of an operation.
struct Place {
    operation: String,
    root: String,
    steps: Vec<Step>,
}

/// What must stand beside a field, or it counts for nothing.
fn beside(structure: &str, field: &str) -> Value {
    match (structure, field) {
        ("container.LogConfig", "Config") => json!({ "Type": "syslog" }),
        ("container.RestartPolicy", "MaximumRetryCount") => json!({ "Name": "on-failure" }),
        ("mount.Mount", "VolumeOptions") => json!({ "Type": "volume", "Source": "v" }),
        ("mount.Mount", "TmpfsOptions") => json!({ "Type": "tmpfs" }),
        ("mount.Mount", "ImageOptions") => json!({ "Type": "image" }),
        ("mount.Mount", "Type") => json!({ "Source": "/x" }),
        ("mount.Mount", _) => json!({ "Type": "bind", "Source": "/x", "ReadOnly": field != "ReadOnly" }),
        ("mount.BindOptions", "NonRecursive") => json!({ "ReadOnlyNonRecursive": true }),
        ("mount.VolumeOptions", "DriverConfig") => json!({ "Subpath": "s" }),
        ("mount.Driver", "Options") => json!({ "Name": "local" }),
        ("swarm.SeccompOpts", "Profile") => json!({ "Mode": "custom" }),
        ("swarm.TaskSpec", "PluginSpec") => json!({ "Runtime": "plugin" }),
        ("swarm.TaskSpec", "RestartPolicy" | "Resources" | "LogDriver") => json!({ "ContainerSpec": {} }),
        ("swarm.TaskSpec", "Runtime") => json!({ "PluginSpec": { "remote": "a/b" } }),
        _ => json!({}),
    }
}

/// A value that is not the default.
fn value(structure: &str, field: &str, kind: &str) -> Value {
    let inner = |start: &str| kind.strip_prefix(start).and_then(|rest| rest.strip_suffix('>'));
    match (structure, field) {
        ("container.HostConfig", "Binds") => return json!(["/x:/y"]),
        ("mount.Mount", "Type") => return json!("image"),
        ("container.HostConfig", "VolumeDriver") => return json!("nfs"),
        ("container.HostConfig", "MaskedPaths" | "ReadonlyPaths") => return json!([]),
        ("container.HostConfig", "NetworkMode") => return json!("host"),
        ("swarm.SeccompOpts", "Mode") => return json!("unconfined"),
        ("swarm.TaskSpec", "Runtime") => return json!("plugin"),
        ("mount.TmpfsOptions", "Options") => return json!([["noexec"]]),
        ("mount.Driver", "Options") => return json!({ "type": "none", "o": "bind", "device": "/x" }),
        ("volume.CreateRequest", "DriverOpts") => return json!({ "type": "none", "o": "bind", "device": "/x" }),
        ("network.EndpointSettings" | "swarm.NetworkAttachmentConfig", "DriverOpts") => {
            return json!({ "com.docker.network.endpoint.sysctls": "a=b" });
        }
        _ => {}
    }
    match kind {
        "bool" => json!(true),
        "string" => json!("x"),
        "base64" => json!("eA=="),
        "float32" | "int" | "int64" | "uint" | "uint64" | "uint32" | "uint16" => json!(7),
        "strslice" => json!(["x"]),
        "custom:netip.Addr" => json!("10.0.0.9"),
        "custom:netip.Prefix" => json!("10.0.0.0/8"),
        "custom:network.HardwareAddr" => json!("02:00:00:00:00:09"),
        _ => match (inner("list<"), inner("map<")) {
            (Some(item), _) => json!([value("", "", item)]),
            (_, Some(of)) => json!({ "80/tcp": value("", "", of) }),
            _ => json!({}),
        },
    }
}

fn bodies() -> Value {
    serde_json::from_str(BODIES).expect("is JSON")
}

/// The structure that a kind leads to, if it does.
fn structure_of(kind: &str) -> Option<&str> {
    let name = kind.split_once("struct:")?.1;
    Some(name.trim_end_matches('>')).filter(|name| *name != "empty")
}

fn fields_of(bodies: &Value, structure: &str) -> Vec<(String, String)> {
    let members = |of: &str| bodies[of][structure].as_object().cloned().unwrap_or_default();
    let all = members("structs").into_iter().chain(members("legacy_fields"));
    all.map(|(field, kind)| (field, kind.as_str().expect("is a text").to_owned())).collect()
}

/// Every field of every body that plugins are shown.
fn places(bodies: &Value) -> Vec<Place> {
    let mut places = Vec::new();
    for (operation, root) in bodies["operations"].as_object().expect("is an object") {
        let root = root.as_str().expect("is a text");
        if operation == "SystemAuth" {
            continue;
        }
        let mut left: Vec<(String, Vec<Step>)> =
            structure_of(root).map(|name| (name.to_owned(), vec![])).into_iter().collect();
        while let Some((structure, before)) = left.pop() {
            for (field, kind) in fields_of(bodies, &structure) {
                let mut steps = before.clone();
                steps.push(Step { structure: structure.clone(), field, kind: kind.clone() });
                if let Some(inner) = structure_of(&kind) {
                    left.push((inner.to_owned(), steps.clone()));
                }
                places.push(Place { operation: operation.clone(), root: root.to_owned(), steps });
            }
        }
    }
    places
}

/// A value of a kind that leads to a structure, with that structure in it.
fn wrapped(kind: &str, structure: Value) -> Value {
    match (kind.strip_prefix("list<"), kind.strip_prefix("map<")) {
        (Some(item), _) => json!([wrapped(item, structure)]),
        (_, Some(of)) => json!({ "80/tcp": wrapped(of, structure) }),
        _ => structure,
    }
}

/// The body with the field that the steps lead to, or without.
fn body(place: &Place, is_set: bool) -> Value {
    fn object(steps: &[Step], is_set: bool) -> Value {
        let (step, rest) = steps.split_first().expect("there is one");
        let Value::Object(mut members) = beside(&step.structure, &step.field) else { panic!("is an object") };
        if !rest.is_empty() {
            members.insert(step.field.clone(), wrapped(&step.kind, object(rest, is_set)));
        } else if is_set {
            members.insert(step.field.clone(), value(&step.structure, &step.field, &step.kind));
        }
        Value::Object(members)
    }
    wrapped(&place.root, object(&place.steps, is_set))
}

/// Method and target of each operation, and its query parameters.
fn operations() -> BTreeMap<String, (String, String, Vec<String>)> {
    let lines = OPERATIONS.lines().filter(|line| !line.starts_with('#')).skip(1);
    let operation = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let path: String = columns[2]
            .split('{')
            .map(|part| part.split_once('}').map_or(part.to_owned(), |(_, rest)| format!("x{rest}")))
            .collect();
        let query = columns[6].split(',').filter(|name| *name != "-");
        let query = query.map(|name| name.trim_end_matches('*').to_owned()).collect();
        (columns[0].to_owned(), (columns[1].to_owned(), format!("/v1.44{path}"), query))
    };
    lines.map(operation).collect()
}

/// The views that differ between two calls, or the host rule that refuses the second.
fn changed(before: Call, after: Call) -> BTreeSet<String> {
    let before = read(before).unwrap_or_else(|refusal| panic!("{refusal}"));
    let after = match read(after) {
        Ok(after) => views(&after),
        Err(refusal) => return BTreeSet::from([format!("rule:{}", refusal.rule.name())]),
    };
    let changed = views(&before).into_iter().filter(|(view, shown)| after.get(view) != Some(shown));
    changed.map(|(view, _)| view.to_owned()).collect()
}

/// For each field of a structure, and each parameter of an operation: in which operations it changes what.
type Changes = BTreeMap<(String, String), BTreeMap<String, BTreeSet<String>>>;

fn changes() -> Changes {
    let (bodies, operations) = (bodies(), operations());
    let mut all = Changes::new();
    for place in places(&bodies) {
        let (method, uri, _) = &operations[&place.operation];
        let call = |is_set| with_json(method, uri, &body(&place, is_set).to_string());
        let step = place.steps.last().expect("there is one");
        let of = all.entry((step.structure.clone(), step.field.clone())).or_default();
        of.entry(place.operation.clone()).or_default().extend(changed(call(false), call(true)));
    }
    for (operation, (method, uri, query)) in &operations {
        for name in query {
            let (needs, value) = of_parameter(operation, name);
            let target = |query: &str| call(method, &format!("{uri}?{needs}{query}"), &["Content-Length: 0"], None);
            let changed = changed(target(""), target(&format!("{name}={value}")));
            all.entry((operation.clone(), name.clone())).or_default().insert(operation.clone(), changed);
        }
    }
    all
}

/// What must stand before a query parameter, and a value of it.
fn of_parameter(operation: &str, name: &str) -> (&'static str, &'static str) {
    let needs = match (operation, name) {
        ("ImageCreate", "tag") => "fromImage=a&",
        ("ImageCommit" | "ImageTag", "tag") => "repo=a&",
        _ => "",
    };
    let value = match name {
        "buildargs" | "labels" => "%7B%22a%22:%22b%22%7D",
        "cachefrom" => "%5B%22a%22%5D",
        "outputs" => "%5B%7B%22Type%22:%22local%22%7D%5D",
        "ulimits" => "%5B%7B%7D%5D",
        _ => "7",
    };
    (needs, value)
}

/// A line of the table: the views, and why there is none, or not in every operation.
struct Entry {
    views: BTreeSet<String>,
    why: &'static str,
}

fn table() -> BTreeMap<(String, String), Entry> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
    let mut all = BTreeMap::new();
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let &[of, name, views, why] = columns.as_slice() else { panic!("`{line}` has not four columns") };
        let views = views.split(',').filter(|view| *view != "-").map(str::to_owned).collect();
        let before = all.insert((of.to_owned(), name.to_owned()), Entry { views, why });
        assert!(before.is_none(), "`{of}.{name}` is there twice");
    }
    all
}

#[test]
fn each_field_is_in_a_view_or_it_is_said_why_not() {
    let (changes, table) = (changes(), table());
    let mut problems = Vec::new();
    for ((of, name), operations) in &changes {
        let views: BTreeSet<String> = operations.values().flatten().cloned().collect();
        let shown = || views.iter().cloned().collect::<Vec<_>>().join(",");
        let silent: Vec<&String> =
            operations.iter().filter(|(_, views)| views.is_empty()).map(|(name, _)| name).collect();
        match table.get(&(of.clone(), name.clone())) {
            None => problems.push(format!("no line\t{of}\t{name}\t{}\t{silent:?}", shown())),
            Some(entry) if entry.views != views => problems.push(format!("it changes\t{of}\t{name}\t{}", shown())),
            Some(entry) if !silent.is_empty() && entry.why.is_empty() => {
                problems.push(format!("why not in {silent:?}?\t{of}\t{name}\t{}", shown()));
            }
            Some(_) => {}
        }
    }
    let stale = table.keys().filter(|key| !changes.contains_key(*key));
    problems.extend(stale.map(|(of, name)| format!("no such field\t{of}\t{name}")));
    assert!(problems.is_empty(), "data/views.tsv:\n{}", problems.join("\n"));
}

/// As many as moby has, of which the table of bodies lacks none.
#[test]
fn no_field_is_forgotten() {
    let bodies = bodies();
    let count = |of: &str| {
        bodies[of]
            .as_object()
            .expect("is one")
            .values()
            .map(|fields| fields.as_object().map_or(0, Map::len))
            .sum::<usize>()
    };
    let of_auth = fields_of(&bodies, "registry.AuthConfig").len();
    let seen: BTreeSet<_> = places(&bodies)
        .into_iter()
        .filter_map(|place| place.steps.last().map(|step| (step.structure.clone(), step.field.clone())))
        .collect();
    assert_eq!(seen.len(), count("structs") + count("legacy_fields") - of_auth);
}
