use std::collections::HashSet;

use super::{Body, OPERATIONS, Piece, Query, find};

fn found(method: &str, path: &str) -> Option<String> {
    let (operation, parameters) = find(method, path)?;
    let mut text = operation.id.to_owned();
    for name in ["id", "name", "checkpoint", "anyroute"] {
        if let Some(value) = parameters.get(path, name) {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    Some(text)
}

#[test]
fn a_call_is_the_operation_that_the_router_finds() {
    for (method, path, expected) in [
        ("POST", "/containers/create", Some("ContainerCreate")),
        ("POST", "/containers/create/start", Some("ContainerStart id=create")),
        ("POST", "/containers/create/exec", Some("ContainerExec id=create")),
        ("GET", "/containers/json", Some("ContainerList")),
        ("GET", "/containers/json/json", Some("ContainerInspect id=json")),
        ("GET", "/containers/a/b/json", Some("ContainerInspect id=a/b")),
        ("GET", "/containers/a/json/logs", Some("ContainerLogs id=a/json")),
        ("GET", "/containers/a/attach/ws", Some("ContainerAttachWebsocket id=a")),
        ("POST", "/containers/build/exec", Some("ContainerExec id=build")),
        ("POST", "/containers/prune", Some("ContainerPrune")),
        ("POST", "/containers/x/exec/start", Some("ContainerStart id=x/exec")),
        ("POST", "/exec/x/start", Some("ExecStart id=x")),
        ("DELETE", "/containers/a/checkpoints/b", Some("(CheckpointDelete) name=a checkpoint=b")),
        ("DELETE", "/containers/a/b/checkpoints/c", Some("ContainerDelete id=a/b/checkpoints/c")),
        ("DELETE", "/containers/", Some("ContainerDelete id=")),
        ("DELETE", "/containers", None),
        ("GET", "/containers/x/checkpoints", Some("(CheckpointList) name=x")),
        ("HEAD", "/containers/x/archive", Some("ContainerArchiveInfo id=x")),
        ("PUT", "/containers/x/archive", Some("PutContainerArchive id=x")),
        ("GET", "/images/get", Some("ImageGetAll")),
        ("GET", "/images/a/b/c/get", Some("ImageGet name=a/b/c")),
        ("POST", "/images/x/y/tag", Some("ImageTag name=x/y")),
        ("DELETE", "/images/x/json", Some("ImageDelete name=x/json")),
        ("POST", "/images/create", Some("ImageCreate")),
        ("GET", "/networks", Some("NetworkList")),
        ("GET", "/networks/", Some("(NetworkListSlash)")),
        ("GET", "/networks/a/b", Some("NetworkInspect id=a/b")),
        ("POST", "/networks/a/connect", Some("NetworkConnect id=a")),
        ("GET", "/volumes", Some("VolumeList")),
        ("GET", "/volumes/", Some("VolumeInspect name=")),
        ("GET", "/volumes/create", Some("VolumeInspect name=create")),
        ("POST", "/volumes/create", Some("VolumeCreate")),
        ("GET", "/services/a", Some("ServiceInspect id=a")),
        ("GET", "/services/a/b", None),
        ("GET", "/services/", None),
        ("POST", "/services/create/update", Some("ServiceUpdate id=create")),
        ("GET", "/debug/pprof/", Some("(DebugPprofIndex)")),
        ("GET", "/debug/pprof/trace", Some("(DebugPprofTrace)")),
        ("GET", "/debug/pprof/heap", Some("(DebugPprofName)  name=heap")),
        ("GET", "/plugins/privileges", Some("GetPluginPrivileges")),
        ("GET", "/plugins/a/b/json", Some("PluginInspect name=a/b")),
        ("GET", "/_ping", Some("SystemPing")),
        ("HEAD", "/_ping", Some("SystemPingHead")),
        ("HEAD", "/containers/json", None),
        ("HEAD", "/info", None),
        ("OPTIONS", "/", Some("(Options) anyroute=")),
        ("OPTIONS", "/a/b", Some("(Options) anyroute=a/b")),
        ("post", "/containers/create", None),
        ("PATCH", "/containers/create", None),
        ("POST", "/containers/create/", None),
        ("POST", "/Containers/create", None),
        ("POST", "/containers/create#", None),
        ("POST", "/xcontainers/create", None),
        ("POST", "/x/containers/create", None),
        ("POST", "containers/create", None),
        ("POST", "", None),
        ("POST", "/grpc", Some("(GRPC)")),
        ("POST", "/session", Some("Session")),
        ("POST", "/build", Some("ImageBuild")),
        ("POST", "/build/cancel", Some("(BuildCancel)")),
    ] {
        let expected = expected.map(|text| text.replace("  ", " "));
        assert_eq!(found(method, path), expected, "{method} {path}");
    }
}

#[test]
fn the_table_is_whole() {
    assert_eq!(OPERATIONS.len(), 122);
    let ids: HashSet<&str> = OPERATIONS.iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), OPERATIONS.len());
    assert_eq!(OPERATIONS.iter().filter(|operation| matches!(operation.body, Body::Json(_))).count(), 25);
    for operation in OPERATIONS {
        let literals_after = operation.path.iter().skip_while(|piece| !matches!(piece, Piece::Rest { .. })).skip(1);
        assert!(literals_after.count() <= 1, "{}: more than a literal follows `.*`", operation.id);
    }
}

/// What moby's handlers read, as `scripts/query-parameters.py` finds it in their source.
const HANDLERS: &str = include_str!("../../tests/data/query-parameters.tsv");

#[test]
fn every_parameter_that_a_handler_reads_is_in_the_table() {
    let mut seen = 0;
    for line in HANDLERS.lines().filter(|line| !line.starts_with('#')) {
        let &[method, path, first, every] = line.split('\t').collect::<Vec<_>>().as_slice() else {
            panic!("{line}: has not four columns")
        };
        let path = path.replace("{name:.*}", "x").replace("{id:.*}", "x").replace("{id:.+}", "x");
        let path = path.replace("{anyroute:.*}", "x").replace("{id}", "x").replace("{name}", "x");
        let (operation, _) =
            find(method, &path.replace("{checkpoint}", "x")).unwrap_or_else(|| panic!("{line}: no row"));
        let Query::Known { first: ours, every: all } = operation.query else { panic!("{line}: not known") };
        let names = |list: &'static str| list.split(',').filter(|name| *name != "-");
        for name in names(first) {
            assert!(ours.contains(&name), "{}: `{name}` is read and not in the table", operation.id);
        }
        for name in names(every) {
            // The name in the path takes the place of these.
            let is_read = (operation.id, name) != ("ImageGet", "names");
            assert!(all.contains(&name) || !is_read, "{}: `{name}` is read and not in the table", operation.id);
        }
        seen += 1;
    }
    assert_eq!(seen, OPERATIONS.len(), "every route has a row");
}
