//! Networks, services, the swarm, plugins, builds.

use serde_json::{Value, json};

use super::{BUILD, CREATE, SERVICE, check, host, task};

#[test]
fn networks_in_every_shape() {
    let joins = |names: &[&str]| names.iter().map(|name| json!({ "network": name })).collect::<Value>();
    let mode = |mode: &str| host(json!({ "NetworkMode": mode }));
    let endpoints = |mode: &str, endpoints: Value| json!({ "HostConfig": { "NetworkMode": mode }, "NetworkingConfig": { "EndpointsConfig": endpoints } });
    let endpoint = json!({
        "Aliases": ["a"], "Links": ["b:c"], "DriverOpts": { "o": "p" }, "MacAddress": "02:00:00:00:00:01",
        "IPAMConfig": { "IPv4Address": "10.0.0.2", "IPv6Address": "fd00::2", "LinkLocalIPs": ["169.254.0.2"] },
    });
    let shown = json!([{
        "network": "n", "aliases": ["a"], "links": ["b:c"], "options": [{ "name": "o", "value": "p" }],
        "mac_address": "02:00:00:00:00:01", "addresses": ["10.0.0.2", "fd00::2", "169.254.0.2"],
    }]);
    check(
        "networks",
        vec![
            ("POST", CREATE, host(json!({})), joins(&["bridge"])),
            ("POST", CREATE, mode("default"), joins(&["bridge"])),
            ("POST", CREATE, mode("n"), joins(&["n"])),
            ("POST", CREATE, mode("host"), json!([])),
            ("POST", CREATE, mode("none"), json!([])),
            ("POST", CREATE, mode("container:x"), json!([])),
            ("POST", CREATE, endpoints("n", json!({ "n": endpoint })), shown.clone()),
            ("POST", CREATE, endpoints("", json!({ "n": null })), joins(&["n"])),
            ("POST", CREATE, endpoints("default", json!({ "default": {} })), joins(&["bridge"])),
            ("POST", CREATE, endpoints("a", json!({ "b": {}, "c": {} })), joins(&["b", "c", "a"])),
            ("POST", CREATE, endpoints("host", json!({ "b": {} })), joins(&["b"])),
            (
                "POST",
                CREATE,
                json!({ "MacAddress": "02:00:00:00:00:02" }),
                json!([{ "network": "bridge", "mac_address": "02:00:00:00:00:02" }]),
            ),
            ("POST", "/networks/n/connect", json!({ "Container": "x", "EndpointConfig": endpoint }), shown),
            ("POST", "/networks/n/connect", json!({ "Container": "x" }), joins(&["n"])),
            (
                "POST",
                SERVICE,
                task(json!({ "Networks": [{ "Target": "n", "Aliases": ["a"], "DriverOpts": { "o": "p" } }] })),
                json!([{ "network": "n", "aliases": ["a"], "options": [{ "name": "o", "value": "p" }] }]),
            ),
            ("POST", SERVICE, json!({ "Networks": [{ "Target": "n" }] }), joins(&["n"])),
            ("POST", "/networks/n/disconnect", json!({ "Container": "x" }), json!([])),
        ],
    );
    let network = json!({
        "Name": "n", "Driver": "macvlan", "Scope": "local", "EnableIPv4": true, "EnableIPv6": true, "Internal": true,
        "Attachable": true, "Ingress": true, "ConfigOnly": true, "ConfigFrom": { "Network": "c" },
        "Options": { "parent": "eth0.1" },
        "IPAM": { "Driver": "d", "Options": { "o": "p" }, "Config": [{
            "Subnet": "10.0.0.0/8", "IPRange": "10.1.0.0/16", "Gateway": "10.0.0.1", "AuxiliaryAddresses": { "r": "10.0.0.3" },
        }] },
    });
    let option = |name: &str| json!({ "Name": "n", "Options": { name: "br0" } });
    let parent = |name: &str| json!({ "name": "n", "parent": "br0", "options": [{ "name": name, "value": "br0" }] });
    let bridge = "com.docker.network.bridge.name";
    check(
        "created_network",
        vec![
            (
                "POST",
                "/networks/create",
                network,
                json!({
                    "name": "n", "driver": "macvlan", "scope": "local", "ipv4": true, "ipv6": true, "internal": true,
                    "attachable": true, "ingress": true, "config_only": true, "config_from": "c", "parent": "eth0.1",
                    "options": [{ "name": "parent", "value": "eth0.1" }],
                    "ipam": { "name": "d", "options": [{ "name": "o", "value": "p" }] },
                    "subnets": [{
                        "subnet": "10.0.0.0/8", "ip_range": "10.1.0.0/16", "gateway": "10.0.0.1",
                        "auxiliary": [{ "name": "r", "value": "10.0.0.3" }],
                    }],
                }),
            ),
            ("POST", "/networks/create", json!({ "Name": "n" }), json!({ "name": "n" })),
            ("POST", "/networks/create", option(bridge), parent(bridge)),
            ("POST", "/volumes/create", json!({ "Name": "n" }), json!(null)),
        ],
    );
}

#[test]
fn services_and_swarms() {
    let file = json!({ "Name": "f", "UID": "0", "GID": "1", "Mode": 292 });
    let shown = json!({ "id": "i", "name": "s", "file": "f", "uid": "0", "gid": "1", "mode": 292 });
    let mode = |mode: Value| json!({ "Mode": mode });
    let service = |mode: &str, replicas: Value| json!({ "runtime": "container", "mode": mode, "replicas": replicas });
    check(
        "service",
        vec![
            (
                "POST",
                SERVICE,
                json!({ "Name": "n", "Mode": { "Replicated": { "Replicas": 3 } }, "TaskTemplate": {
                    "Placement": { "Constraints": ["node.role==manager"] },
                    "ContainerSpec": {
                        "Secrets": [{ "File": file, "SecretID": "i", "SecretName": "s" }],
                        "Configs": [
                            { "File": file, "ConfigID": "i", "ConfigName": "s" },
                            { "Runtime": {}, "ConfigID": "i" },
                        ],
                    },
                } }),
                json!({
                    "name": "n", "runtime": "container", "mode": "replicated", "replicas": 3,
                    "constraints": ["node.role==manager"], "secrets": [shown], "configs": [shown, { "id": "i", "mode": 0 }],
                }),
            ),
            ("POST", SERVICE, json!({}), service("replicated", json!(null))),
            ("POST", SERVICE, mode(json!({ "Global": {} })), service("global", json!(null))),
            ("POST", SERVICE, mode(json!({ "GlobalJob": {} })), service("global-job", json!(null))),
            (
                "POST",
                "/services/x/update?version=1",
                mode(json!({ "ReplicatedJob": { "MaxConcurrent": 2, "TotalCompletions": 5 } })),
                service("replicated-job", json!(5)),
            ),
            (
                "POST",
                SERVICE,
                task(json!({ "Runtime": "attachment" })),
                json!({ "runtime": "attachment", "mode": "replicated" }),
            ),
            ("POST", CREATE, host(json!({})), json!(null)),
        ],
    );
    let spec = json!({
        "CAConfig": {
            "SigningCACert": "x", "ExternalCAs": [{ "Protocol": "cfssl", "URL": "https://x", "Options": { "o": "p" } }],
        },
        "TaskDefaults": { "LogDriver": { "Name": "gelf" } }, "EncryptionConfig": { "AutoLockManagers": true },
    });
    let of_spec = json!({
        "auto_lock": true, "signing_certificate": true, "log": { "name": "gelf" },
        "certificate_authorities": [{
            "protocol": "cfssl", "url": "https://x", "options": [{ "name": "o", "value": "p" }],
        }],
    });
    let node = json!({
        "ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "eth0", "DataPathAddr": "eth1", "Availability": "DRAIN",
    });
    let of_node = json!({
        "listen_address": "0.0.0.0:2377", "advertise_address": "eth0", "data_path_address": "eth1",
        "availability": "drain",
    });
    let with = |one: &Value, other: Value| {
        let mut both = one.clone();
        let members = other.as_object().expect("is one").clone();
        both.as_object_mut().expect("is one").extend(members);
        both
    };
    let init = json!({
        "Spec": spec, "DataPathPort": 4789, "ForceNewCluster": true, "DefaultAddrPool": ["10.0.0.0/8"], "SubnetSize": 24,
    });
    let of_init = json!({
        "data_path_port": 4789, "force_new_cluster": true, "address_pools": ["10.0.0.0/8"], "subnet_size": 24,
    });
    check(
        "swarm",
        vec![
            ("POST", "/swarm/init", with(&node, init), with(&with(&of_node, of_init), of_spec.clone())),
            ("POST", "/swarm/init", json!({ "AutoLockManagers": true }), json!({ "auto_lock": true })),
            (
                "POST",
                "/swarm/join",
                with(&node, json!({ "RemoteAddrs": ["10.0.0.1:2377"], "JoinToken": "secret" })),
                with(&of_node, json!({ "remote_addresses": ["10.0.0.1:2377"] })),
            ),
            ("POST", "/swarm/update?version=1", spec, of_spec),
            (
                "POST",
                "/swarm/update?version=1&rotateWorkerToken=1&rotateManagerToken=T&rotateManagerUnlockKey=false",
                json!({}),
                json!({ "rotates": ["worker-token", "manager-token"] }),
            ),
            (
                "POST",
                "/nodes/x/update?version=1",
                json!({ "Role": "Manager", "Availability": "active" }),
                json!({ "role": "manager", "availability": "active" }),
            ),
            ("POST", SERVICE, json!({}), json!(null)),
        ],
    );
}

#[test]
fn plugins_builds_and_tags() {
    let privileges = json!([{ "Name": "mount", "Description": "d", "Value": ["/"] }]);
    let shown = json!([{ "name": "mount", "description": "d", "values": ["/"] }]);
    check(
        "plugin",
        vec![
            (
                "POST",
                "/plugins/pull?remote=a/b&name=n",
                privileges.clone(),
                json!({ "name": "n", "privileges": shown }),
            ),
            ("POST", "/plugins/a/b/upgrade?remote=a/b", privileges, json!({ "name": "a/b", "privileges": shown })),
            (
                "POST",
                "/plugins/n/set",
                json!(["data.source=/", "DEBUG", "A=b=c"]),
                json!({ "name": "n", "settings": [
                    { "name": "data.source", "value": "/" }, { "name": "DEBUG" }, { "name": "A", "value": "b=c" },
                ] }),
            ),
            (
                "POST",
                SERVICE,
                task(json!({ "PluginSpec": {
                    "name": "n", "Privileges": [{ "Name": "mount", "description": "d", "value": ["/"] }], "env": ["A=b"],
                } })),
                json!({ "name": "n", "privileges": shown, "settings": [{ "name": "A", "value": "b" }] }),
            ),
            ("POST", "/plugins/create?name=n", json!(null), json!({ "name": "n" })),
            ("POST", "/plugins/n/enable", json!(null), json!(null)),
        ],
    );
    check(
        "build",
        vec![
            ("POST", BUILD, json!(null), json!({ "builder": "1" })),
            (
                "POST",
                "/build?version=2&remote=client-session&session=s&dockerfile=D&target=t&platform=linux/arm64&pull=1&nocache=true&squash=on&securityopt=a&securityopt=b",
                json!(null),
                json!({
                    "builder": "2", "remote": "client-session", "session": "s", "dockerfile": "D", "target": "t",
                    "platform": "linux/arm64", "pull": true, "no_cache": true, "squash": true,
                    "security_options": ["a", "b"],
                }),
            ),
            ("POST", "/build?pull=0&nocache=No&squash=%20false%20", json!(null), json!({ "builder": "1" })),
            (
                "POST",
                "/build?buildargs=%7B%22A%22:%22s%22,%22B%22:null%7D&cachefrom=%5B%22a%22%5D&outputs=%5B%7B%22type%22:%22local%22,%22Attrs%22:%7B%22dest%22:%22/x%22%7D%7D%5D",
                json!(null),
                json!({
                    "builder": "1", "arguments": ["A", "B"], "cache_from": ["a"],
                    "outputs": [{ "name": "local", "options": [{ "name": "dest", "value": "/x" }] }],
                }),
            ),
            (
                "POST",
                "/build?buildargs=%5B%5D&cachefrom=%7B%7D&outputs=x&ulimits=1&labels=%7B",
                json!(null),
                json!({ "builder": "1", "unreadable": ["buildargs", "labels", "cachefrom", "outputs", "ulimits"] }),
            ),
            ("POST", "/build/prune", json!(null), json!(null)),
        ],
    );
    let image = |registry: &str, repository: &str, tag: &str| json!([{ "registry": registry, "repository": repository, "tag": tag }]);
    check(
        "tags",
        vec![
            ("POST", "/build?t=a&t=", json!(null), image("docker.io", "library/a", "latest")),
            ("POST", "/commit?container=x&repo=a/b&tag=1", json!({}), image("docker.io", "a/b", "1")),
            ("POST", "/commit?container=x", json!({}), json!([])),
            ("POST", "/images/create?fromSrc=-&repo=r.example/a", json!(null), image("r.example", "a", "latest")),
            ("POST", "/images/create?fromImage=a&repo=b", json!(null), json!([])),
            ("POST", "/images/evil/tag?repo=a&tag=2", json!(null), image("docker.io", "library/a", "2")),
            ("POST", "/images/evil/tag?repo=A", json!(null), json!([{ "repository": "A" }])),
        ],
    );
}
