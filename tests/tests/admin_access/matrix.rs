//! Every caller at every route: who may is answered, who may not gets 401 or 403, and nothing else happens.

use std::path::Path;

use portcullis_admin::{Listed, routes};
use portcullis_config::Scope;
use portcullis_tests::admin::{self, Door};
use portcullis_tests::http::{self, Connection};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Result, portcullis};

use super::{ALL, CI, ROOT, bearer, host, tokens};

/// How a tenant can be written in a path, and which one that is.
const SPELLINGS: &[(&str, &str)] = &[
    ("ci", "ci"),
    ("%63i", "ci"),
    ("ops", "ops"),
    ("op%73", "ops"),
    ("..%2Fops", "../ops"),
    ("ci%2F..%2Fops", "ci/../ops"),
    ("ci%00", "ci\0"),
    ("CI", "CI"),
    ("%2e%2e", ".."),
    ("default", "default"),
];

struct Caller {
    name: &'static str,
    door: Door,
    headers: Vec<(&'static str, String)>,
    /// What they may do, and for whom; none where nobody knows them.
    may: Option<(Vec<Scope>, Option<&'static str>)>,
}

// === impl Caller ===

impl Caller {
    fn is_allowed(&self, route: &Listed, tenant: Option<&str>) -> bool {
        let Some(needs) = route.scope else { return true };
        let Some((scopes, own)) = &self.may else { return false };
        scopes.contains(&needs) && own.is_none_or(|own| !route.is_host_wide && tenant == Some(own))
    }

    fn status(&self, route: &Listed, path: &str) -> Result<u16> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut connection = self.door.connect()?;
        connection.write(&http::request(route.method.as_str(), path, &headers, b""))?;
        connection.read_status()
    }
}

fn scopes(names: &[&str]) -> Vec<Scope> {
    [Scope::Read, Scope::Data, Scope::Policies].into_iter().filter(|scope| names.contains(&scope.as_str())).collect()
}

/// The route's path for each spelling of a tenant, or once where there is no tenant in it.
fn paths(route: &Listed) -> Vec<(String, Option<&'static str>)> {
    let fill = |tenant: &str| {
        let part = |part: &str| match part {
            "{tenant}" => tenant.to_owned(),
            "{origin}" => "tenant".to_owned(),
            part if part.starts_with('{') => "nothing-like-it".to_owned(),
            part => part.to_owned(),
        };
        route.path.split('/').map(part).collect::<Vec<_>>().join("/")
    };
    if route.path.contains("{tenant}") {
        SPELLINGS.iter().map(|(written, meant)| (fill(written), Some(*meant))).collect()
    } else {
        vec![(fill(""), None)]
    }
}

fn callers(door: &Door, certificates: [&Path; 3]) -> Vec<Caller> {
    let caller = |name, headers: &[(&'static str, String)], may| Caller {
        name,
        door: door.clone(),
        headers: headers.to_vec(),
        may,
    };
    let with = |name, token: &str, names: &[&str], tenant| {
        caller(name, &[("Authorization", bearer(token))], Some((scopes(names), tenant)))
    };
    let showing = |certificate: &Path, name, may| Caller { door: door.showing(certificate), ..caller(name, &[], may) };
    let [ops, print, unlisted] = certificates;
    vec![
        caller("nobody", &[], None),
        caller("a wrong token", &[("Authorization", bearer("token-of-the-whole-hosT"))], None),
        caller("an empty token", &[("Authorization", "Bearer ".into())], None),
        caller("a token as a password", &[("Authorization", format!("Basic {ROOT}"))], None),
        caller("two tokens", &[("Authorization", bearer(ROOT)), ("Authorization", bearer(ROOT))], None),
        caller("a token elsewhere", &[("Cookie", bearer(ROOT)), ("X-Authorization", bearer(ROOT))], None),
        with("reads everything", "host-read", &["read"], None),
        with("changes data", "host-data", &["data"], None),
        with("changes policies", "host-policies", &["policies"], None),
        with("may everything", ROOT, ALL, None),
        with("reads ci", "ci-read", &["read"], Some("ci")),
        with("changes data of ci", "ci-data", &["data"], Some("ci")),
        with("changes policies of ci", "ci-policies", &["policies"], Some("ci")),
        with("may everything with ci", CI, ALL, Some("ci")),
        with("of a tenant that is not there", "absent", ALL, Some("absent")),
        showing(ops, "a certificate by name", Some((scopes(&["read"]), None))),
        showing(print, "a certificate by fingerprint", Some((scopes(ALL), Some("ci")))),
        showing(unlisted, "a certificate that is not listed", None),
        Caller {
            headers: vec![("Authorization", bearer("wrong"))],
            may: None,
            ..showing(ops, "a good certificate and a wrong token", None)
        },
    ]
}

fn fingerprint(folder: &Path) -> Result<String> {
    let file = folder.join("cert.pem").display().to_string();
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &file]);
    let printed = portcullis_tests::command::Finished::well(&mut openssl)?.stdout;
    Ok(printed.trim().split('=').next_back().unwrap_or_default().to_owned())
}

#[test]
fn everybody_gets_what_they_may_and_nothing_else_at_every_route() -> Result<()> {
    let authority = Authority::new()?;
    let (ops, print) = (authority.client("/CN=ops-admin")?, authority.client("/CN=by-print")?);
    let unlisted = authority.client("/CN=somebody")?;
    let mut tables = tokens();
    for (name, token, scopes, tenant) in [
        ("read", "host-read", &["read"][..], None),
        ("data", "host-data", &["data"], None),
        ("policies", "host-policies", &["policies"], None),
        ("ci-read", "ci-read", &["read"], Some("ci")),
        ("ci-data", "ci-data", &["data"], Some("ci")),
        ("ci-policies", "ci-policies", &["policies"], Some("ci")),
        ("absent", "absent", ALL, Some("absent")),
    ] {
        tables.push_str(&admin::token(name, token, scopes, tenant));
    }
    tables.push_str("[[admin.client]]\ncommon_name = \"ops-admin\"\nscopes = [\"read\"]\n");
    let print_line = format!("fingerprint = {:?}\nscopes = {ALL:?}\ntenant = \"ci\"\n", fingerprint(&print)?);
    tables.push_str(&format!("[[admin.client]]\n{print_line}"));
    let (_host, door) = host(&authority, &tables)?;
    let (mut wrong, mut counts) = (Vec::new(), [0; 3]);
    for caller in callers(&door, [&ops, &print, &unlisted]) {
        for route in routes() {
            for (path, tenant) in paths(&route) {
                let status = caller.status(&route, &path)?;
                let (is_right, at) = match (caller.is_allowed(&route, tenant), caller.may.is_some()) {
                    (true, _) => (!matches!(status, 401 | 403), 0),
                    (false, true) => (status == 403, 1),
                    (false, false) => (status == 401, 2),
                };
                counts[at] += 1;
                if !is_right {
                    wrong.push(format!("{}: {} {path}: {status}", caller.name, route.method));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.iter().all(|count| *count > 100), "of each kind there are many: {counts:?}");
    Ok(())
}

#[test]
fn what_is_no_route_tells_strangers_nothing() -> Result<()> {
    let authority = Authority::new()?;
    let (_host, door) = host(&authority, &tokens())?;
    for (method, path, known) in [
        ("GET", "/", 404),
        ("GET", "/v1/tenants/ci/../ops/status", 404),
        ("GET", "/v1/tenants/ci/policies/../../ops/policies", 404),
        ("GET", "//v1/status", 404),
        ("GET", "/v1/status/", 404),
        ("GET", "/v1/tenants//status", 400),
        ("DELETE", "/v1/status", 405),
        ("TRACE", "/v1/status", 405),
        ("GET", "/v1/tenants/%ff/status", 400),
    ] {
        let stranger = door.send(&http::request(method, path, &[], b""))?;
        assert_eq!(stranger.status, 401, "{method} {path}: {}", stranger.text());
        assert_eq!(stranger.header("WWW-Authenticate"), Some("Bearer realm=\"portcullis\""), "{method} {path}");
        let status = super::ask(&door, method, path, ROOT)?.status;
        assert_eq!(status, known, "{method} {path}");
    }
    Ok(())
}

#[test]
fn certificates_that_are_out_of_date_or_somebody_elses_come_to_no_answer() -> Result<()> {
    let (authority, foreign) = (Authority::new()?, Authority::new()?);
    let tables = tokens() + "[[admin.client]]\ncommon_name = \"ops\"\nscopes = [\"read\"]\n";
    let (_host, door) = host(&authority, &tables)?;
    let call = http::request("GET", "/v1/status", &[("Authorization", &bearer(ROOT))], b"");
    for (name, folder) in
        [("expired", authority.expired_client("/CN=ops")?), ("another authority's", foreign.client("/CN=ops")?)]
    {
        // With TLS 1.3 the caller hears of it only when it reads; a good token does not help.
        let answer = door.showing(&folder).send(&call);
        assert!(answer.is_err(), "{name}: {answer:?}");
    }
    assert_eq!(
        door.showing(&authority.client("/CN=ops")?).send(&http::request("GET", "/v1/status", &[], b""))?.status,
        200
    );
    Ok(())
}

#[test]
fn the_unix_socket_is_the_operators_alone_and_knows_no_tokens() -> Result<()> {
    let authority = Authority::new()?;
    let (host, _door) = host(&authority, &tokens())?;
    let socket = host.config().admin_socket();
    for route in routes() {
        for (path, _) in paths(&route) {
            let mut connection = Connection::open(&socket)?;
            let wrong = [("Authorization", "Bearer wrong")];
            connection.write(&http::request(route.method.as_str(), &path, &wrong, b""))?;
            let status = connection.read_status()?;
            assert!(!matches!(status, 401 | 403), "{} {path}: {status}", route.method);
        }
    }
    use std::os::unix::fs::PermissionsExt;
    for place in [socket.as_path(), host.config().path()] {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o777)).map_err(super::io)?;
    }
    let socket = socket.display().to_string();
    let commands: [&[&str]; 6] = [
        &["status"],
        &["reload"],
        &["policy", "ls"],
        &["policy", "rm", "allow-all"],
        &["state", "ls", "--tenant", "ci"],
        &["state", "clear", "--tenant", "ci"],
    ];
    for command in commands {
        let refused = portcullis::run_as(1001, &[command, &["--admin-socket", &socket]].concat())?;
        let told = "only root and the user that runs the host may ask here (403";
        assert!(refused.code() == Some(1) && refused.stderr.contains(told), "{command:?}: {refused:?}");
    }
    Ok(())
}
