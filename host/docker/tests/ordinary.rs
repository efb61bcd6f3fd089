//! Ordinary calls, as the docker CLI, compose, buildx and the common client libraries send them: none may be refused.
//!
//! Written from captured calls of the docker CLI and from what is known of the clients.

use std::sync::Arc;

use portcullis_docker::wire::Call;
use portcullis_docker::{NoResolve, Reader, Rules};
use portcullis_model::Request as _;

/// How a client sends a body, or none.
#[derive(Clone, Copy)]
enum Sent {
    /// No body and no header about one: GET, DELETE, HEAD.
    Nothing,
    /// `Content-Length: 0`, as Go's client sends a POST without a body.
    Empty,
    /// The same and `Content-Type: text/plain`, as the CLI did before 20.10, and does to attach.
    EmptyText,
    /// `Content-Type: application/json` and nothing, as dockerode sends some.
    EmptyJson,
    /// JSON with its length.
    Json(&'static str),
    /// JSON, chunked, as some proxies send it on.
    Chunked(&'static str),
    /// A stream of this type, of which the plugin is shown nothing.
    Stream(&'static str),
    /// A stream without a type, as docker-py sends an archive.
    BareStream,
}
use Sent::*;

const CREATE: &str = r#"{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,
"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["sh"],"Image":"alpine","Volumes":{},"WorkingDir":"","Entrypoint":null,
"OnBuild":null,"Labels":{},"HostConfig":{"Binds":["/srv:/srv:ro"],"ConsoleSize":[0,0],"MaskedPaths":null,"ReadonlyPaths":null},
"NetworkingConfig":{"EndpointsConfig":{}},"Platform":null}"#;
/// docker-py has members that are null at the root.
const CREATE_PY: &str = r#"{"Hostname":null,"Domainname":null,"ExposedPorts":{"80/tcp":{}},"User":null,"Tty":false,"OpenStdin":false,
"StdinOnce":false,"AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Env":null,"Cmd":["sh"],"Image":"alpine","Volumes":null,
"NetworkDisabled":false,"Entrypoint":null,"WorkingDir":null,"HostConfig":{"NetworkMode":"default","PortBindings":{"80/tcp":[{"HostIp":"",
"HostPort":"8080"}]}},"NetworkingConfig":null,"MacAddress":null,"Labels":null,"StopSignal":null,"Healthcheck":null,"StopTimeout":null,"Runtime":null}"#;
/// The CLI of 19.03 has members that are gone today.
const CREATE_19: &str = r#"{"Image":"alpine","HostConfig":{"Capabilities":null,"KernelMemory":0,"KernelMemoryTCP":0,"CapAdd":null,
"OomKillDisable":false,"PidsLimit":0,"Ulimits":null,"MaskedPaths":null,"ReadonlyPaths":null},"NetworkingConfig":{"EndpointsConfig":{}}}"#;
/// Compose gives everything a label and a network.
const CREATE_COMPOSE: &str = r#"{"Image":"app","Labels":{"com.docker.compose.project":"p","com.docker.compose.service":"web",
"com.docker.compose.oneoff":"False"},"HostConfig":{"Binds":["data:/data:rw"],"NetworkMode":"p_default","RestartPolicy":{"Name":"always",
"MaximumRetryCount":0},"Mounts":[{"Type":"volume","Source":"data","Target":"/data","VolumeOptions":{}}],"ExtraHosts":[],"Init":null},
"NetworkingConfig":{"EndpointsConfig":{"p_default":{"IPAMConfig":null,"Links":null,"Aliases":["web"],"MacAddress":"","NetworkID":"",
"EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,
"DriverOpts":null,"GwPriority":0,"DNSNames":null}}}}"#;
const NETWORK: &str = r#"{"CheckDuplicate":true,"Driver":"bridge","Scope":"","EnableIPv6":false,"IPAM":{"Driver":"default","Options":{},
"Config":[{"Subnet":"10.9.0.0/24","Gateway":"10.9.0.1"}]},"Internal":false,"Attachable":false,"Ingress":false,"ConfigOnly":false,
"ConfigFrom":null,"Options":{},"Labels":{},"Name":"n"}"#;
const SERVICE: &str = r#"{"Name":"web","Labels":{},"TaskTemplate":{"ContainerSpec":{"Image":"nginx:latest",
"DNSConfig":{},"Isolation":"default","StopGracePeriod":10000000000},
"Resources":{"Limits":{},"Reservations":{}},"RestartPolicy":{"Condition":"any","Delay":5000000000,"MaxAttempts":0},"Placement":{"Platforms":
[{"Architecture":"amd64","OS":"linux"}]},"ForceUpdate":0,"Runtime":"container"},"Mode":{"Replicated":{"Replicas":1}},"UpdateConfig":
{"Parallelism":1,"FailureAction":"pause","Monitor":5000000000,"MaxFailureRatio":0,"Order":"stop-first"},"EndpointSpec":{"Mode":"vip"}}"#;

const CALLS: &[(&str, &str, &str, Sent)] = &[
    ("docker ps", "HEAD", "/_ping", Nothing),
    ("docker ps", "GET", "/v1.51/containers/json", Nothing),
    (
        "docker ps -a --filter",
        "GET",
        "/v1.51/containers/json?all=1&filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D",
        Nothing,
    ),
    ("docker info", "GET", "/v1.51/info", Nothing),
    ("docker version", "GET", "/v1.51/version", Nothing),
    ("docker events", "GET", "/v1.51/events?since=1&until=2", Nothing),
    ("docker system df", "GET", "/v1.51/system/df?type=image&type=container&type=volume", Nothing),
    ("docker login", "POST", "/v1.51/auth", Stream("application/json")),
    ("docker search", "GET", "/v1.51/images/search?limit=25&term=alpine", Nothing),
    ("docker run", "POST", "/v1.51/containers/create?name=web", Json(CREATE)),
    ("docker run, by a proxy", "POST", "/v1.51/containers/create", Chunked(CREATE)),
    ("docker run --platform", "POST", "/v1.51/containers/create?platform=linux%2Famd64", Json(CREATE)),
    ("docker run, CLI 19.03", "POST", "/v1.40/containers/create", Json(CREATE_19)),
    ("docker-py create", "POST", "/v1.41/containers/create?name=web", Json(CREATE_PY)),
    ("docker compose up", "POST", "/v1.51/containers/create?name=p-web-1", Json(CREATE_COMPOSE)),
    ("docker run", "POST", "/v1.51/containers/x/attach?stderr=1&stdin=1&stdout=1&stream=1", EmptyText),
    ("docker run", "POST", "/v1.51/containers/x/wait?condition=next-exit", Empty),
    ("docker run", "POST", "/v1.51/containers/x/start", Empty),
    ("docker start, CLI 19.03", "POST", "/v1.40/containers/x/start", EmptyText),
    ("dockerode start", "POST", "/v1.51/containers/x/start", Json("{}")),
    ("dockerode start", "POST", "/v1.51/containers/x/start?", EmptyJson),
    ("curl -X POST start", "POST", "/containers/x/start", Nothing),
    ("docker run -t", "POST", "/v1.51/containers/x/resize?h=50&w=120", Empty),
    ("docker attach by websocket", "GET", "/v1.51/containers/x/attach/ws?stream=1", Nothing),
    ("docker stop", "POST", "/v1.51/containers/x/stop?t=10", Empty),
    ("dockerode stop", "POST", "/v1.51/containers/x/stop?t=10", Json(r#"{"t":10}"#)),
    ("docker restart", "POST", "/v1.51/containers/x/restart", Empty),
    ("docker kill", "POST", "/v1.51/containers/x/kill?signal=SIGKILL", Empty),
    ("docker pause", "POST", "/v1.51/containers/x/pause", Empty),
    ("docker unpause", "POST", "/v1.51/containers/x/unpause", Empty),
    ("docker rename", "POST", "/v1.51/containers/x/rename?name=y", Empty),
    (
        "docker update",
        "POST",
        "/v1.51/containers/x/update",
        Json(
            r#"{"CpuShares":0,"Memory":1048576,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"PidsLimit":null,"RestartPolicy":{"Name":"","MaximumRetryCount":0},"KernelMemory":0}"#,
        ),
    ),
    ("docker rm -fv", "DELETE", "/v1.51/containers/x?force=1&v=1", Nothing),
    ("docker logs", "GET", "/v1.51/containers/x/logs?follow=1&stderr=1&stdout=1&tail=all", Nothing),
    ("docker top", "GET", "/v1.51/containers/x/top?ps_args=-ef", Nothing),
    ("docker stats", "GET", "/v1.51/containers/x/stats?stream=0&one-shot=1", Nothing),
    ("docker diff", "GET", "/v1.51/containers/x/changes", Nothing),
    ("docker inspect", "GET", "/v1.51/containers/x/json?size=1", Nothing),
    ("docker export", "GET", "/v1.51/containers/x/export", Nothing),
    ("docker cp from", "HEAD", "/v1.51/containers/x/archive?path=%2Fetc%2Fhosts", Nothing),
    ("docker cp from", "GET", "/v1.51/containers/x/archive?path=%2Fetc%2Fhosts", Nothing),
    ("docker cp to", "PUT", "/v1.51/containers/x/archive?noOverwriteDirNonDir=true&path=%2F", Stream("text/plain")),
    ("docker-py put_archive", "PUT", "/v1.41/containers/x/archive?path=%2F", BareStream),
    ("docker container prune", "POST", "/v1.51/containers/prune?filters=%7B%7D", Empty),
    (
        "docker commit",
        "POST",
        "/v1.51/commit?author=&comment=&container=x&repo=r&tag=t&changes=ENV+a%3Db&changes=CMD+x",
        Json("null"),
    ),
    ("docker commit -c", "POST", "/v1.51/commit?container=x", Json(r#"{"Hostname":"","Env":["a=b"],"Labels":null}"#)),
    (
        "docker exec",
        "POST",
        "/v1.51/containers/x/exec",
        Json(
            r#"{"User":"","Privileged":false,"Tty":true,"ConsoleSize":[50,120],"AttachStdin":true,"AttachStderr":true,"AttachStdout":true,"Detach":false,"DetachKeys":"","Env":[],"WorkingDir":"","Cmd":["sh"]}"#,
        ),
    ),
    (
        "docker-py exec",
        "POST",
        "/v1.41/containers/x/exec",
        Json(
            r#"{"Container":"x","User":"","Privileged":false,"Tty":false,"AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Cmd":["ls"],"Env":null}"#,
        ),
    ),
    ("docker exec", "POST", "/v1.51/exec/e/start", Json(r#"{"Detach":false,"Tty":true,"ConsoleSize":[50,120]}"#)),
    ("docker exec -t", "POST", "/v1.51/exec/e/resize?h=50&w=120", Empty),
    ("docker exec", "GET", "/v1.51/exec/e/json", Nothing),
    ("docker images", "GET", "/v1.51/images/json?all=0&manifests=1", Nothing),
    ("docker pull", "POST", "/v1.51/images/create?fromImage=docker.io%2Flibrary%2Falpine&tag=latest", Empty),
    ("docker pull, CLI 19.03", "POST", "/v1.40/images/create?fromImage=alpine&tag=latest", EmptyText),
    ("docker pull by digest", "POST", "/v1.51/images/create?fromImage=alpine&tag=sha256%3A0123", Empty),
    (
        "docker import -",
        "POST",
        "/v1.51/images/create?changes=CMD+a&changes=ENV+b%3Dc&fromSrc=-&repo=x",
        Stream("text/plain"),
    ),
    ("docker-py import", "POST", "/v1.41/images/create?fromSrc=-&repo=x", Stream("application/tar")),
    ("docker import URL", "POST", "/v1.51/images/create?fromSrc=http%3A%2F%2Fa%2Fb.tar&repo=x", Empty),
    ("docker push", "POST", "/v1.51/images/registry.example/a/b/push?tag=1", Empty),
    ("docker tag", "POST", "/v1.51/images/a/tag?repo=b&tag=c", Empty),
    ("docker rmi", "DELETE", "/v1.51/images/a:b?force=1&noprune=1", Nothing),
    ("docker save", "GET", "/v1.51/images/get?names=a&names=b", Nothing),
    ("docker load", "POST", "/v1.51/images/load?quiet=1", Stream("application/x-tar")),
    ("docker history", "GET", "/v1.51/images/a/history", Nothing),
    ("docker image prune", "POST", "/v1.51/images/prune?filters=%7B%22dangling%22%3A%7B%22true%22%3Atrue%7D%7D", Empty),
    (
        "docker build, classic",
        "POST",
        "/v1.51/build?buildargs=%7B%7D&t=a&t=b&version=1&networkmode=default",
        Stream("application/x-tar"),
    ),
    (
        "docker build, BuildKit",
        "POST",
        "/v1.51/build?buildid=b&remote=client-session&session=s&version=2",
        Stream("application/x-tar"),
    ),
    ("docker build, BuildKit", "POST", "/v1.51/session", Empty),
    ("docker buildx", "POST", "/v1.51/grpc", Empty),
    ("docker builder prune", "POST", "/v1.51/build/prune?all=1", Empty),
    ("docker build, interrupted", "POST", "/v1.51/build/cancel?id=b", Empty),
    (
        "docker volume create",
        "POST",
        "/v1.51/volumes/create",
        Json(r#"{"Driver":"local","DriverOpts":{},"Labels":{},"Name":"v"}"#),
    ),
    ("docker volume ls", "GET", "/v1.51/volumes", Nothing),
    ("docker volume rm", "DELETE", "/v1.51/volumes/v?force=1", Nothing),
    ("docker volume prune", "POST", "/v1.51/volumes/prune?filters=%7B%22all%22%3A%7B%22true%22%3Atrue%7D%7D", Empty),
    ("docker network create", "POST", "/v1.41/networks/create", Json(NETWORK)),
    ("docker network ls", "GET", "/v1.51/networks?filters=%7B%7D", Nothing),
    (
        "docker network connect",
        "POST",
        "/v1.51/networks/n/connect",
        Json(r#"{"Container":"x","EndpointConfig":{"IPAMConfig":{},"Aliases":null}}"#),
    ),
    ("docker network disconnect", "POST", "/v1.51/networks/n/disconnect", Json(r#"{"Container":"x","Force":false}"#)),
    ("docker network rm", "DELETE", "/v1.51/networks/n", Nothing),
    ("docker plugin install", "GET", "/v1.51/plugins/privileges?remote=vieux%2Fsshfs", Nothing),
    (
        "docker plugin install",
        "POST",
        "/v1.51/plugins/pull?name=vieux%2Fsshfs%3Alatest&remote=vieux%2Fsshfs",
        Json(r#"[{"Name":"network","Description":"","Value":["host"]}]"#),
    ),
    ("docker plugin install", "POST", "/v1.51/plugins/vieux/sshfs:latest/enable?timeout=0", Empty),
    ("docker plugin set", "POST", "/v1.51/plugins/vieux/sshfs/set", Json(r#"["DEBUG=1"]"#)),
    ("docker plugin create", "POST", "/v1.51/plugins/create?name=x", Stream("application/x-tar")),
    ("docker plugin disable", "POST", "/v1.51/plugins/vieux/sshfs/disable", Empty),
    (
        "docker swarm init",
        "POST",
        "/v1.51/swarm/init",
        Json(
            r#"{"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"","DataPathAddr":"","DataPathPort":0,"ForceNewCluster":false,"Spec":{"Labels":null,"Orchestration":{},"Raft":{"ElectionTick":0,"HeartbeatTick":0},"Dispatcher":{},"CAConfig":{},"TaskDefaults":{},"EncryptionConfig":{"AutoLockManagers":false}},"AutoLockManagers":false,"Availability":"active","DefaultAddrPool":null,"SubnetSize":0}"#,
        ),
    ),
    ("docker swarm leave", "POST", "/v1.51/swarm/leave?force=1", Empty),
    ("docker service create", "GET", "/v1.51/distribution/nginx/json", Nothing),
    ("docker service create", "POST", "/v1.51/services/create", Json(SERVICE)),
    ("docker service update", "POST", "/v1.51/services/s/update?registryAuthFrom=spec&version=11", Json(SERVICE)),
    ("docker service logs", "GET", "/v1.51/services/s/logs?follow=1&stderr=1&stdout=1", Nothing),
    ("docker secret create", "POST", "/v1.51/secrets/create", Json(r#"{"Name":"s","Labels":{},"Data":"aGk="}"#)),
    (
        "docker config create",
        "POST",
        "/v1.51/configs/create",
        Json(r#"{"Name":"c","Labels":{},"Data":"aGk=","Templating":null}"#),
    ),
    (
        "docker node update",
        "POST",
        "/v1.51/nodes/n/update?version=9",
        Json(r#"{"Labels":{},"Role":"worker","Availability":"drain"}"#),
    ),
    (
        "docker checkpoint create",
        "POST",
        "/v1.51/containers/x/checkpoints",
        Json(r#"{"CheckpointID":"c","CheckpointDir":"","Exit":true}"#),
    ),
    ("a browser", "OPTIONS", "/v1.51/containers/json", Nothing),
];

fn call(method: &str, uri: &str, sent: Sent) -> Call {
    let (headers, body): (&[(&str, String)], _) = match sent {
        Nothing | BareStream => (&[], None),
        Empty => (&[("Content-Length", "0".to_owned())], None),
        EmptyText => (&[("Content-Length", "0".to_owned()), ("Content-Type", "text/plain".to_owned())], None),
        EmptyJson => (&[("Content-Length", "0".to_owned()), ("Content-Type", "application/json".to_owned())], None),
        Json(body) => (
            &[("Content-Length", body.len().to_string()), ("Content-Type", "application/json".to_owned())],
            Some(body.as_bytes().to_vec()),
        ),
        Chunked(body) => (&[("Content-Type", "application/json".to_owned())], Some(body.as_bytes().to_vec())),
        Stream(media_type) => (&[("Content-Type", media_type.to_owned())], None),
    };
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Call { method: method.to_owned(), uri: uri.to_owned(), headers, body, ..Call::default() }
}

#[test]
fn no_ordinary_call_is_refused() {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    assert!(CALLS.len() >= 60);
    let mut refused = Vec::new();
    for (client, method, uri, sent) in CALLS {
        match reader.read(call(method, uri, *sent)) {
            Ok(request) => assert_ne!(request.operation(), "(Unknown)", "{client}: {method} {uri}"),
            Err(refusal) => refused.push(format!("{client}: {method} {uri}: {refusal}")),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
