//! One shape for every spelling.

mod fields;
mod rows;

use portcullis_model::Request as _;
use portcullis_model::view::{
    Device, DeviceRequest, Entry, Image, Namespace, NamespaceMode, Port, SecurityOption, Sysctl,
};

use std::sync::Arc;

use crate::testing::{call, read, with_json};
use crate::{DockerRequest, NoResolve, Reader, Rules};

fn create(host_config: &str) -> DockerRequest {
    post("/v1.44/containers/create?name=x", &format!(r#"{{"Image":"alpine","hostconfig":{{{host_config}}}}}"#))
}

fn service(container: &str) -> DockerRequest {
    post("/services/create", &format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{{container}}}}}}}"#))
}

fn post(uri: &str, body: &str) -> DockerRequest {
    read(with_json("POST", uri, body)).unwrap_or_else(|refusal| panic!("{body}: {refusal}"))
}

fn options(request: &DockerRequest) -> Vec<String> {
    let shown = |SecurityOption { name, value }: &SecurityOption| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    request.security_options().iter().map(shown).collect()
}

#[test]
fn security_options_have_a_name_and_a_value() {
    for (text, expected) in [
        ("seccomp=unconfined", "seccomp=unconfined"),
        ("seccomp:unconfined", "seccomp=unconfined"),
        ("label:type:svirt_t", "label=type:svirt_t"),
        ("label=type:svirt_t", "label=type:svirt_t"),
        ("a:b=c", "a:b=c"),
        ("disable", "label=disable"),
        ("label:disable", "label=disable"),
        ("no-new-privileges", "no-new-privileges=true"),
        ("no-new-privileges:T", "no-new-privileges=true"),
        ("no-new-privileges=0", "no-new-privileges=false"),
        ("no-new-privileges=maybe", "no-new-privileges=maybe"),
        ("writable-cgroups=True", "writable-cgroups=true"),
        ("apparmor=", "apparmor="),
        ("unconfined", "unconfined"),
        ("", ""),
    ] {
        assert_eq!(options(&create(&format!(r#""SecurityOpt":["{text}"]"#))), [expected], "{text}");
    }
    let inline = create(r#""SecurityOpt":["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"]"#);
    assert_eq!(options(&inline), [r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#]);
}

#[test]
fn unmasked_paths_are_a_security_option() {
    let all = r#"["/proc/asound","/proc/acpi","/proc/interrupts","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list",
        "/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/devices/virtual/powercap","/sys/firmware"]"#;
    let read_only = r#"["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]"#;
    let masked = |paths: &str| options(&create(&format!(r#""MaskedPaths":{paths}"#))).concat();
    assert_eq!(masked("null"), "");
    assert_eq!(masked("[]"), "systempaths=unconfined");
    assert_eq!(masked(r#"["/nothing"]"#), "systempaths=unconfined");
    assert_eq!(masked(all), "");
    for path in all.split('"').filter(|part| part.starts_with('/')) {
        assert_eq!(masked(&all.replace(path, "/proc/x")), "systempaths=unconfined", "{path}");
    }
    // The list of 2018, and that of 20.10.
    let of_2020 = all.replace("/proc/interrupts", "/x").replace("/sys/devices/virtual/powercap", "/x");
    assert_eq!(masked(&of_2020.replace("/proc/asound", "/x")), "systempaths=unconfined");
    assert_eq!(masked(&of_2020), "systempaths=unconfined");
    // Where processors can be throttled by heat, the daemon masks what says so.
    let throttle = |cpu: u8| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle");
    let on_machine = |paths: &str| {
        let body = format!(r#"{{"HostConfig":{{"MaskedPaths":{paths}}}}}"#);
        let reader = Reader::new(Rules::default(), Arc::new(NoResolve)).masking(Arc::new([throttle(0), throttle(1)]));
        options(&reader.read(with_json("POST", "/containers/create", &body)).expect("is read")).concat()
    };
    let with = |cpus: &[u8]| {
        let more: Vec<String> = cpus.iter().map(|cpu| format!(r#","{}""#, throttle(*cpu))).collect();
        all.replace(']', &format!("{}]", more.concat()))
    };
    assert_eq!(on_machine(all), "systempaths=unconfined");
    assert_eq!(on_machine(&with(&[0])), "systempaths=unconfined");
    assert_eq!(on_machine(&with(&[0, 1, 2])), "");
    assert_eq!(on_machine("null"), "");
    assert_eq!(options(&create(r#""ReadonlyPaths":[]"#)).concat(), "systempaths=unconfined");
    assert_eq!(options(&create(&format!(r#""ReadonlyPaths":{read_only}"#))).concat(), "");
    for path in read_only.split('"').filter(|part| part.starts_with('/')) {
        let without = read_only.replace(path, "/proc/x");
        let found = options(&create(&format!(r#""ReadonlyPaths":{without}"#))).concat();
        assert_eq!(found, "systempaths=unconfined", "{path}");
    }
}

#[test]
fn privileges_of_a_service_are_security_options() {
    for (privileges, expected) in [
        (r#""Seccomp":{"Mode":"unconfined"}"#, "seccomp=unconfined"),
        (r#""seccomp":{"mode":"default"}"#, ""),
        (r#""Seccomp":{"Mode":"custom","Profile":"e30="}"#, "seccomp={}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"/w=="}"#, "seccomp=\u{fffd}"),
        // Go takes line ends anywhere, and whatever the last bits are.
        (r#""Seccomp":{"Mode":"custom","Profile":"e30=\n"}"#, "seccomp={}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"\r\ne\n30=\r"}"#, "seccomp={}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"e3\n0\n=\n"}"#, "seccomp={}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"e31="}"#, "seccomp={}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"e33="}"#, "seccomp={}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"/x=="}"#, "seccomp=\u{fffd}"),
        (r#""Seccomp":{"Mode":"custom","Profile":"/3=\n="}"#, "seccomp=\u{fffd}"),
        (r#""Seccomp":{"Mode":"custom","Profile":""}"#, "seccomp="),
        (r#""Seccomp":{"Mode":"custom"}"#, "seccomp="),
        (r#""Seccomp":{"Mode":"Unconfined"}"#, "seccomp=Unconfined"),
        (r#""AppArmor":{"Mode":"disabled"}"#, "apparmor=unconfined"),
        (r#""AppArmor":{"Mode":"default"},"Seccomp":null"#, ""),
        (r#""SELinuxContext":{"Disable":true}"#, "label=disable"),
        (r#""SELinuxContext":{"Type":"t"}"#, "label=type:t"),
        (r#""NoNewPrivileges":true"#, "no-new-privileges=true"),
    ] {
        assert_eq!(options(&service(&format!(r#""Privileges":{{{privileges}}}"#))).concat(), expected, "{privileges}");
    }
}

#[test]
fn capabilities_have_one_spelling() {
    let shown = |request: &DockerRequest| {
        let capabilities = request.capabilities();
        format!("+{} -{}", capabilities.added.join(","), capabilities.dropped.join(","))
    };
    let container =
        create(r#""CapAdd":["sys_admin","CAP_NET_RAW","Cap_Chown","all","ſys_time"],"capdrop":["ALL",null]"#);
    assert_eq!(shown(&container), "+CAP_SYS_ADMIN,CAP_NET_RAW,CAP_CHOWN,ALL,CAP_SYS_TIME -ALL,CAP_");
    assert_eq!(shown(&service(r#""CapabilityAdd":["sys_admin"],"CapabilityDrop":["all"]"#)), "+CAP_SYS_ADMIN -ALL");
    assert_eq!(shown(&create("")), "+ -");
}

#[test]
fn privileged_and_user_are_told_of_containers_execs_and_services() {
    let exec = |body: &str| post("/containers/x/exec", body);
    for (request, privileged, user) in [
        (create(r#""Privileged":true"#), true, None),
        (create(r#""PRIVILEGED":false"#), false, None),
        (create(r#""Privileged":null"#), false, None),
        (post("/containers/create", r#"{"User":"0:0"}"#), false, Some("0:0")),
        (post("/containers/create", "null"), false, None),
        (exec(r#"{"Privileged":true,"User":"root","Cmd":["sh"]}"#), true, Some("root")),
        (exec(r#"{"User":""}"#), false, None),
        (service(r#""User":"1000""#), false, Some("1000")),
        (post("/commit?container=x", r#"{"User":"root"}"#), false, None),
    ] {
        assert_eq!((request.privileged(), request.run_as()), (privileged, user), "{:?}", request.body());
    }
}

#[test]
fn devices_are_paths_requests_and_rules() {
    let request = create(
        r#""Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/dev/x","CgroupPermissions":"rwm"}],
        "DeviceRequests":[{"Driver":"cdi","Count":-1,"DeviceIDs":["a/b=c"],"Options":{"o":"p"}},
        {"Capabilities":[["gpu","x"],null]}],"DeviceCgroupRules":["c 1:3 mr"]"#,
    );
    let path =
        Device::Path { host: "/dev/sda".to_owned(), container: "/dev/x".to_owned(), permissions: "rwm".to_owned() };
    let rule = Device::CgroupRule("c 1:3 mr".to_owned());
    let cdi = Device::Request(DeviceRequest {
        driver: "cdi".to_owned(),
        count: -1,
        ids: vec!["a/b=c".to_owned()],
        capabilities: Vec::new(),
        options: vec![Entry { name: "o".to_owned(), value: "p".to_owned() }],
    });
    let gpu = Device::Request(DeviceRequest {
        driver: String::new(),
        count: 0,
        ids: Vec::new(),
        capabilities: vec![vec!["gpu".to_owned(), "x".to_owned()], Vec::new()],
        options: Vec::new(),
    });
    assert_eq!(request.devices(), [path, cdi, gpu, rule.clone()]);
    assert_eq!(post("/containers/x/update", r#"{"DeviceCgroupRules":["c 1:3 mr"]}"#).devices(), [rule]);
}

fn namespaces(request: &DockerRequest) -> String {
    let shown = |Namespace { kind, mode }: &Namespace| match mode {
        NamespaceMode::Host => format!("{kind:?}=host"),
        NamespaceMode::Container(container) => format!("{kind:?}=of:{container}"),
        NamespaceMode::Unknown(text) => format!("{kind:?}=?{text}"),
        NamespaceMode::Other(other) => format!("{kind:?}={other}"),
    };
    request.namespaces().iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[test]
fn namespaces_are_told_where_something_is_asked() {
    for (host_config, expected) in [
        (r#""PidMode":"host","IpcMode":"host","UTSMode":"host""#, "Ipc=host Pid=host Uts=host"),
        (r#""UsernsMode":"host","CgroupnsMode":"host","NetworkMode":"host""#, "Cgroup=host Network=host User=host"),
        (r#""PidMode":"container:db","IpcMode":"container:","Cgroup":"container:x""#, "Cgroup=of:x Ipc=of: Pid=of:db"),
        (r#""PidMode":"","IpcMode":null,"NetworkMode":"default""#, "Network=default"),
        (r#""PidMode":"HOST","IpcMode":"shareable","NetworkMode":"hosts""#, "Ipc=shareable Network=hosts Pid=HOST"),
    ] {
        assert_eq!(namespaces(&create(host_config)), expected, "{host_config}");
    }
    let endpoints = post(
        "/containers/create",
        r#"{"HostConfig":{"NetworkMode":"a"},"NetworkingConfig":{"EndpointsConfig":{"a":{},"b":null,"host":{}}}}"#,
    );
    assert_eq!(namespaces(&endpoints), "Network=a Network=b Network=host");
    let service = post(
        "/services/x/update?version=1",
        r#"{"TaskTemplate":{"Networks":[{"Target":"host"}]},"networks":[{"target":"n"}]}"#,
    );
    assert_eq!(namespaces(&service), "Network=host Network=?n");
    let id = "b36133b8039425c7b47a6b48fa6104963e813ab1ae749dd019794a070d9a837a";
    for (target, expected) in [
        // An ID of the daemon's, of the swarm's, and beginnings of them.
        (id, format!("?{id}")),
        (&id[..12], format!("?{}", &id[..12])),
        ("n1c0x8wrqfyo7w0m5uy5jqd3p", "?n1c0x8wrqfyo7w0m5uy5jqd3p".to_owned()),
        ("n1c", "?n1c".to_owned()),
        ("backend", "?backend".to_owned()),
        ("none", "?none".to_owned()),
        ("", "?".to_owned()),
        // No ID begins so.
        ("bridge", "bridge".to_owned()),
        ("shop_backend", "shop_backend".to_owned()),
        ("Backend", "Backend".to_owned()),
        ("HOST", "HOST".to_owned()),
        ("host ", "host ".to_owned()),
        ("n1c0x8wrqfyo7w0m5uy5jqd3pp", "n1c0x8wrqfyo7w0m5uy5jqd3pp".to_owned()),
    ] {
        for networks in [
            format!(r#"{{"TaskTemplate":{{"Networks":[{{"Target":"{target}"}}]}}}}"#),
            format!(r#"{{"Networks":[{{"Target":"{target}"}}]}}"#),
        ] {
            assert_eq!(namespaces(&post("/services/create", &networks)), format!("Network={expected}"), "{networks}");
        }
    }
    assert_eq!(namespaces(&post("/services/create", r#"{"TaskTemplate":{"Networks":[null]}}"#)), "Network=?");
    assert_eq!(namespaces(&post("/networks/host/connect", r#"{"Container":"x"}"#)), "Network=host");
    assert_eq!(namespaces(&post("/networks/back/connect", r#"{"Container":"x"}"#)), "Network=back");
    let build =
        read(call("POST", "/build?networkmode=host", &["Content-Type: application/x-tar"], None)).expect("is read");
    assert_eq!(namespaces(&build), "Network=host");
}

#[test]
fn sysctls_are_told_wherever_they_stand() {
    let sysctls = |request: &DockerRequest| {
        let shown = |sysctl: &Sysctl| format!("{}={}", sysctl.name, sysctl.value);
        request.sysctls().iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    let option =
        |value: &str| format!(r#"{{"DriverOpts":{{"com.docker.network.endpoint.sysctls":"{value}","x":"y"}}}}"#);
    let one = option("net.ipv4.conf.IFNAME.log_martians=1");
    let expected = "net.ipv4.conf.IFNAME.log_martians=1";
    for (request, expected) in [
        (create(r#""sysctls":{"net.ipv4.ip_forward":"1","kernel.shmmax":""}"#), "net.ipv4.ip_forward=1 kernel.shmmax="),
        (service(r#""Sysctls":{"a":"b"}"#), "a=b"),
        (
            post("/containers/create", &format!(r#"{{"NetworkingConfig":{{"EndpointsConfig":{{"n":{one}}}}}}}"#)),
            expected,
        ),
        (post("/networks/n/connect", &format!(r#"{{"Container":"x","EndpointConfig":{one}}}"#)), expected),
        (post("/services/create", &format!(r#"{{"TaskTemplate":{{"Networks":[{one}]}}}}"#)), expected),
        (post("/services/x/update", &format!(r#"{{"networks":[{one}]}}"#)), expected),
        (post("/networks/n/connect", &format!(r#"{{"EndpointConfig":{}}}"#, option("a=1,b=2=3,c,,"))), "a=1 b=2=3 c="),
        (create(r#""Sysctls":null"#), ""),
        (post("/networks/create", r#"{"Name":"n"}"#), ""),
    ] {
        assert_eq!(sysctls(&request), expected);
    }
}

fn ports(request: &DockerRequest) -> Vec<String> {
    let shown = |Port { container, protocol, address, first, last }: &Port| {
        format!("{address}:{first}-{last}>{container}/{protocol}")
    };
    request.ports().iter().map(shown).collect()
}

#[test]
fn ports_are_told_with_their_range() {
    for (bindings, expected) in [
        (r#""80/tcp":[{"HostIp":"","HostPort":"8080"}]"#, ":8080-8080>80/tcp"),
        (r#""80/UDP":[{"HostIp":"127.0.0.1","HostPort":"8000-8010"}]"#, "127.0.0.1:8000-8010>80/udp"),
        (r#""80":[{"hostport":"22"}]"#, ":22-22>80/tcp"),
        (r#""80/tcp":[{"HostPort":""}]"#, ":0-0>80/tcp"),
        (r#""80/tcp":[{"HostPort":"0"}]"#, ":0-0>80/tcp"),
        (r#""80/tcp":[]"#, ":0-0>80/tcp"),
        (r#""80/tcp":null"#, ":0-0>80/tcp"),
        (r#""80/tcp":[null]"#, ":0-0>80/tcp"),
        (r#""80-90/tcp":[{"HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostPort":"x"}]"#, ":0-65535>80/tcp"),
        (r#""80/tcp":[{"HostPort":"99999"}]"#, ":0-65535>80/tcp"),
        // Every address, in all spellings that Go's `netip.ParseAddr` takes.
        (r#""80/tcp":[{"HostIp":"0.0.0.0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"::","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"0:0:0:0:0:0:0:0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"0::0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"::0.0.0.0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"::ffff:0.0.0.0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"::FFFF:0:0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        // What Go does not parse is every address to daemons up to 28.5.
        (r#""80/tcp":[{"HostIp":"[::]","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"localhost","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"127.0.0.1 ","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"127.0.0.01","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"127.1","HostPort":"1"}]"#, ":1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"fe80::1%eth0","HostPort":"1"}]"#, ":1-1>80/tcp"),
        // One address, in one spelling.
        (r#""80/tcp":[{"HostIp":"::ffff:127.0.0.1","HostPort":"1"}]"#, "127.0.0.1:1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"0:0:0::0:1","HostPort":"1"}]"#, "::1:1-1>80/tcp"),
        (r#""80/tcp":[{"HostIp":"2001:DB8::1","HostPort":"1"}]"#, "2001:db8::1:1-1>80/tcp"),
    ] {
        assert_eq!(ports(&create(&format!(r#""PortBindings":{{{bindings}}}"#))), [expected], "{bindings}");
    }
    let all = post(
        "/containers/create",
        r#"{"ExposedPorts":{"80/tcp":{},"53/udp":{}},"HostConfig":{"PublishAllPorts":true}}"#,
    );
    assert_eq!(ports(&all), [":0-0>80/tcp", ":0-0>53/udp", ":0-0>0/"]);
    let service = post(
        "/services/create",
        r#"{"EndpointSpec":{"Ports":[{"TargetPort":80,"PublishedPort":8080},{"Protocol":"udp","TargetPort":53}]}}"#,
    );
    assert_eq!(ports(&service), [":8080-8080>80/tcp", ":0-0>53/udp"]);
}

/// `registry repository :tag @digest`
fn image(request: &DockerRequest) -> String {
    let Some(Image { registry, repository, tag, digest }) = request.image() else { return "none".to_owned() };
    let mut text = format!("{registry} {repository}");
    text.extend(tag.as_ref().map(|tag| format!(" :{tag}")));
    text.extend(digest.as_ref().map(|digest| format!(" @{digest}")));
    text.replace("0123456789abcdef", "~")
}

#[test]
fn image_references_are_completed_as_the_daemon_does() {
    let hex = "0123456789abcdef".repeat(4);
    for (reference, expected) in [
        ("alpine", "docker.io library/alpine :latest"),
        ("alpine:3.20", "docker.io library/alpine :3.20"),
        ("library/alpine", "docker.io library/alpine :latest"),
        ("docker.io/alpine", "docker.io library/alpine :latest"),
        ("docker.io/library/alpine:latest", "docker.io library/alpine :latest"),
        ("index.docker.io/alpine", "docker.io library/alpine :latest"),
        ("user/app", "docker.io user/app :latest"),
        ("a/b/c:x", "docker.io a/b/c :x"),
        ("localhost/app", "localhost app :latest"),
        ("localhost:5000/app:1", "localhost:5000 app :1"),
        ("localhost:5000", "docker.io library/localhost :5000"),
        ("registry.example/app", "registry.example app :latest"),
        ("registry.example:443/a/b@sha256:HEX", "registry.example:443 a/b @sha256:~~~~"),
        ("alpine:3@sha256:HEX", "docker.io library/alpine :3 @sha256:~~~~"),
        ("[::1]:5000/app", "[::1]:5000 app :latest"),
        ("Registry/app", "Registry app :latest"),
        ("HEX", "  @sha256:~~~~"),
        ("sha256:HEX", "  @sha256:~~~~"),
        ("0123456789ab", "docker.io library/0123456789ab :latest"),
        ("f/a__b.c--d_e", "docker.io f/a__b.c--d_e :latest"),
        // What is no reference is no known image.
        ("Alpine", " Alpine"),
        ("alpine:", " alpine:"),
        ("alpine:a b", " alpine:a b"),
        ("alpine@", " alpine@"),
        ("alpine@sha256:1", " alpine@sha256:1"),
        ("a..b", " a..b"),
        ("a___b", " a___b"),
        ("-a", " -a"),
        ("a/", " a/"),
        ("/a", " /a"),
        ("a//b", " a//b"),
        ("http://a/b", " http://a/b"),
        ("a@b@c", " a@b@c"),
        ("x:y/z", " x:y/z"),
        ("a_b.c/d", " a_b.c/d"),
        ("x:/z", " x:/z"),
        ("-x.y/z", " -x.y/z"),
        ("[::1/z", " [::1/z"),
        ("evil.example/x:y/z", " evil.example/x:y/z"),
        (" alpine", "  alpine"),
    ] {
        let reference = reference.replace("HEX", &hex);
        let body = format!(r#"{{"Image":"{reference}"}}"#);
        assert_eq!(image(&post("/containers/create", &body)), expected, "{reference}");
        let body = format!(r#"{{"TaskTemplate":{{"ContainerSpec":{body}}}}}"#);
        assert_eq!(image(&post("/services/create", &body)), expected, "{reference}");
    }
}

#[test]
fn every_operation_that_takes_an_image_tells_it() {
    let hex = "0123456789abcdef".repeat(4);
    for (method, uri, expected) in [
        ("POST", "/images/create?fromImage=alpine&tag=3", "docker.io library/alpine :3"),
        ("POST", "/images/create?fromImage=alpine:2&tag=3", "docker.io library/alpine :3"),
        ("POST", "/images/create?fromImage=alpine:2", "docker.io library/alpine :2"),
        ("POST", "/images/create?fromImage=alpine", "docker.io library/alpine"),
        ("POST", "/images/create?fromImage=alpine:", "docker.io library/alpine"),
        ("POST", "/images/create?fromImage=evil.example/x&tag=sha256:HEX", "evil.example x @sha256:~~~~"),
        ("POST", "/images/create?fromImage=a:1@sha256:HEX&tag=2", "docker.io library/a :2 @sha256:~~~~"),
        ("POST", "/images/create?fromImage=sha256:HEX", "docker.io library/sha256 :TAG"),
        ("POST", "/images/create?fromImage=a&tag=b/c", " a:b/c"),
        ("POST", "/images/create?fromSrc=-&repo=x", "none"),
        ("POST", "/images/evil.example/x/push?tag=1", "evil.example x :1"),
        ("POST", "/images/evil.example/x/push", "evil.example x"),
        ("POST", "/images/evil/tag?repo=trusted", "docker.io library/evil :latest"),
        ("POST", "/images/HEX/tag?repo=trusted", "  @sha256:~~~~"),
        ("GET", "/images/a/b/json", "docker.io a/b :latest"),
        ("DELETE", "/images/alpine:3", "docker.io library/alpine :3"),
        ("GET", "/distribution/alpine/json", "docker.io library/alpine :latest"),
        ("POST", "/plugins/pull?remote=vieux/sshfs&name=x", "docker.io vieux/sshfs :latest"),
        ("GET", "/plugins/privileges?remote=vieux/sshfs", "docker.io vieux/sshfs :latest"),
        ("GET", "/plugins/x/json", "none"),
        ("GET", "/images/json", "none"),
        ("POST", "/build?t=trusted", "none"),
    ] {
        let request = read(call(method, &uri.replace("HEX", &hex), &["Content-Length: 0"], None)).expect(uri);
        let expected = expected.replace("TAG", "~~~~");
        assert_eq!(image(&request), expected, "{method} {uri}");
    }
    let plugin =
        post("/services/create", r#"{"TaskTemplate":{"PluginSpec":{"Remote":"vieux/sshfs"},"Runtime":"plugin"}}"#);
    assert_eq!(image(&plugin), "docker.io vieux/sshfs :latest");
    // The runtime says which of two it is.
    for (runtime, expected) in [("plugin", "docker.io evil/x :latest"), ("container", "docker.io library/good :latest")]
    {
        let body = format!(
            r#"{{"TaskTemplate":{{"Runtime":"{runtime}","PluginSpec":{{"Remote":"evil/x"}},"ContainerSpec":{{"Image":"good"}}}}}}"#
        );
        assert_eq!(image(&post("/services/create", &body)), expected, "{runtime}");
    }
    assert_eq!(image(&post("/containers/create", r#"{"Image":""}"#)), "none");
}

#[test]
fn a_request_tells_what_was_called() {
    let mut call = with_json("POST", "/v1.044/containers%2Fa%2Fb/exec?x=1&x=1", "{}");
    call.user = Some("alice".to_owned());
    call.authentication = Some("TLS".to_owned());
    let request = read(call).expect("is read");
    assert_eq!(
        (request.operation(), request.method(), request.path()),
        ("ContainerExec", "POST", "/containers/a/b/exec")
    );
    assert_eq!(
        (request.api_version(), request.parameter("id"), request.parameter("name")),
        (Some("1.44"), Some("a/b"), None)
    );
    assert_eq!(request.query(), [("x".to_owned(), "1".to_owned()), ("x".to_owned(), "1".to_owned())]);
    assert_eq!((request.header("CONTENT-type"), request.header("x")), (Some("application/json"), None));
    assert_eq!((request.user(), request.authentication()), (Some("alice"), Some("TLS")));
    assert_eq!(request.uri(), "/v1.044/containers%2Fa%2Fb/exec?x=1&x=1");
    assert_eq!(request.certificates(), Ok(&[][..]));
}
