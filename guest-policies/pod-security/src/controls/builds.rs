//! Builds, and what the daemon fetches from addresses that callers choose.

use crate::call::{Call, Kind};
use crate::settings::BUILDS;
use crate::text::short;
use crate::{Control, Objection};

const OF: &[Kind] = &[Kind::Build, Kind::Session, Kind::Grpc];

/// The classic builder's parameters can be seen; what goes through BuildKit's connections cannot.
pub const BUILDS_CLASSIC: Control = Control { name: "builds", of: OF, objection: more_than_classic };
/// No build at all: its steps run as root.
pub const BUILDS_NONE: Control = Control { name: "builds", of: OF, objection: more_than_none };
pub const DAEMON_DOWNLOADS: Control =
    Control { name: "daemon-downloads", of: &[Kind::Build, Kind::ImageCreate], objection: downloads };

fn more_than_classic(call: &Call<'_>) -> Objection {
    objection(call, 1)
}

fn more_than_none(call: &Call<'_>) -> Objection {
    objection(call, 0)
}

/// `default` is an index into [`BUILDS`], of which each allows what the ones before it do.
fn objection(call: &Call<'_>, default: usize) -> Objection {
    let set = call.setting("builds").and_then(|value| value.text());
    let level = set.and_then(|text| BUILDS.iter().position(|level| *level == text)).unwrap_or(default);
    match (call.kind, level) {
        (_, 0) => Some(
            "images may not be built here, because the steps of a build run as root; build elsewhere, and pull".into(),
        ),
        (Kind::Grpc, 0..=2) => Some(
            "nobody sees what goes through BuildKit's own connection; build with `DOCKER_BUILDKIT=0 docker build`"
                .into(),
        ),
        (Kind::Session, 0..=1) => {
            Some("nobody sees what goes through a session; build with `DOCKER_BUILDKIT=0 docker build`".into())
        }
        (Kind::Build, level) => of_parameters(call, level),
        _ => None,
    }
}

fn of_parameters(call: &Call<'_>, level: usize) -> Objection {
    let build = call.request.build()?;
    if build.builder != "1" && level < 2 {
        return Some(
            "nobody sees what BuildKit is told in a session; build with `DOCKER_BUILDKIT=0 docker build`".into(),
        );
    }
    if let Some(parameter) = build.unreadable.first() {
        return Some(format!("the build's parameter `{}` cannot be read", short(parameter)).into());
    }
    let option = build.security_options.first()?;
    Some(format!("the security option `{}` of a build is not known; leave it out", short(option)).into())
}

fn downloads(call: &Call<'_>) -> Objection {
    let address = if call.kind == Kind::Build {
        call.request.build()?.remote.filter(|remote| remote != "client-session")?
    } else {
        call.request.query("fromSrc").filter(|source| source != "-")?
    };
    (!address.is_empty()).then(|| {
        format!("the daemon may not fetch `{}`, as the host; fetch it yourself, and give it the files", short(&address))
            .into()
    })
}
