//! Every method of the request.

use portcullis_policy::Request;

/// Parts of a path, query parameters and headers by every name that may lead somewhere.
const NAMES: [&str; 18] = [
    "",
    "*",
    "..",
    "/",
    "Authorization",
    "Cookie",
    "Host",
    "X-Call",
    "X-Secret",
    "X-Team",
    "blue",
    "container",
    "data",
    "id",
    "name",
    "path",
    "rose",
    "tenant",
];

/// All that the call can be asked, as one text.
pub(crate) fn everything(request: &Request) -> String {
    let named = NAMES.map(|name| {
        format!(
            "{:?} {:?} {:?} {:?}",
            request.parameter(name),
            request.query(name),
            request.query_all(name),
            request.header(name)
        )
    });
    let call = format!(
        "{} {:?} {} {} {:?} {:?} {:?} {:?}",
        request.operation(),
        request.access(),
        request.method(),
        request.path(),
        request.api_version(),
        request.user(),
        request.authentication(),
        request.certificates(),
    );
    let views = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        request.image(),
        request.mounts(),
        request.security_options(),
        request.capabilities(),
        request.privileged(),
        request.devices(),
        request.namespaces(),
        request.ports(),
        request.run_as(),
    );
    let rare = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        request.sysctls(),
        request.container(),
        request.environment(),
        request.labels(),
        request.resources(),
        request.seccomp(),
        request.networks(),
        request.created_network(),
        request.service(),
        request.build(),
        request.plugin(),
        request.swarm(),
        request.tags(),
    );
    [call, views, rare, named.join(" ")].join(" ")
}
