//! A build's parameters, as `newImageBuildOptions` in moby's `daemon/server/router/build/build_routes.go` reads them.

use portcullis_model::view::Build;

use super::container::MAP;
use super::resources::ULIMITS;
use super::{Facts, driver, items, members, owned};
use crate::json::{Field, Shape, Structure};

/// `buildbackend.BuildOutput`
static OUTPUT: Structure = Structure {
    name: "buildbackend.BuildOutput",
    fields: &[
        Field { name: "Type", shape: Shape::Text, stray: false, counted: None },
        Field { name: "Attrs", shape: MAP, stray: false, counted: None },
    ],
};
const OUTPUTS: Shape = Shape::List(&Shape::Structure(&OUTPUT));
const TEXTS: Shape = Shape::List(&Shape::Text);

/// Those that are JSON.
const JSON: [(&str, Shape); 5] =
    [("buildargs", MAP), ("labels", MAP), ("cachefrom", TEXTS), ("outputs", OUTPUTS), ("ulimits", ULIMITS)];

pub(crate) fn build(facts: Facts<'_>) -> Option<Build> {
    if facts.operation != "ImageBuild" {
        return None;
    }
    let given = |name| facts.query(name).map(str::to_owned);
    let parameter = |name, shape| facts.json_parameter("ImageBuild", name, shape).and_then(Result::ok);
    let arguments = parameter("buildargs", MAP);
    let arguments = members(arguments.as_ref().map(|arguments| arguments.root())).map(|(name, _)| name.to_owned());
    let cache_from = parameter("cachefrom", TEXTS);
    let outputs = parameter("outputs", OUTPUTS);
    let outputs = items(outputs.as_ref().map(|outputs| outputs.root()));
    let is_unreadable =
        |(name, shape): &(&str, Shape)| matches!(facts.json_parameter("ImageBuild", name, *shape), Some(Err(_)));
    Some(Build {
        builder: given("version").unwrap_or_else(|| "1".to_owned()),
        remote: given("remote"),
        session: given("session"),
        dockerfile: given("dockerfile"),
        target: given("target"),
        platform: given("platform"),
        arguments: arguments.collect(),
        cache_from: owned(cache_from.as_ref().map(|images| images.root())),
        outputs: outputs.filter_map(|output| driver(output, "Type", "Attrs")).collect(),
        pull: facts.flag("pull"),
        no_cache: facts.flag("nocache"),
        squash: facts.flag("squash"),
        security_options: facts.query_all("securityopt").map(str::to_owned).collect(),
        unreadable: JSON.iter().filter(|one| is_unreadable(one)).map(|(name, _)| (*name).to_owned()).collect(),
    })
}
