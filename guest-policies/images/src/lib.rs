//! Which registries, repositories, tags and digests may be used, and which names this host may give to images of its own.

mod entry;
mod pattern;
mod rules;
mod written;

use portcullis_policy::view::{Build, Image, MountKind};
use portcullis_policy::{Document, Request, Verdict, policy, settings};

use crate::entry::Purpose;
use crate::rules::Rules;

policy!(decide, prepare);

const HUB: &str = "docker.io";

pub fn prepare(settings: &Document) -> Result<(), String> {
    rules::prepare(settings)
}

pub fn decide(request: &Request, data: &Document) -> Verdict {
    let operation = request.operation();
    let Some(check) = check_of(&operation) else { return otherwise() };
    let settings = settings();
    match Rules::of_call(request, data, &settings) {
        Ok(None) => otherwise(),
        Ok(Some(rules)) => check(request, &rules).map_or_else(otherwise, Verdict::deny),
        Err(problem) => Verdict::deny(problem),
    }
}

/// What this policy says where it has no objection.
fn otherwise() -> Verdict {
    match settings().text("/otherwise").as_deref() {
        Some("abstain") => Verdict::abstain(),
        Some(_) | None => Verdict::allow(),
    }
}

type Check = fn(&Request, &Rules<'_>) -> Option<String>;

/// None of an operation that neither takes an image nor makes one.
fn check_of(operation: &str) -> Option<Check> {
    Some(match operation {
        "ContainerCreate" => of_container,
        "ServiceCreate" | "ServiceUpdate" => of_service,
        "ImageCreate" => of_pull,
        "ImageBuild" => of_build,
        "ImageCommit" | "ImageTag" => of_names,
        "ImagePush" => |request, rules| of_image(request, rules, Purpose::Push),
        "PluginPull" | "PluginUpgrade" => |request, rules| of_image(request, rules, Purpose::Plugin),
        "DistributionInspect" | "GetPluginPrivileges" => |request, rules| of_image(request, rules, Purpose::Ask),
        "ImageLoad" => |_, rules| {
            unless(rules, "loads", "images may not be loaded: what is in them, and their names, no plugin sees")
        },
        "(GRPC)" => |_, rules| {
            unless(
                rules,
                "buildkit",
                "BuildKit's own protocol may not be used: it gives any name to any content, and no plugin sees it",
            )
        },
        "PluginCreate" | "PluginPush" => |_, _| Some("plugins may not be made or pushed here".to_owned()),
        _ => return None,
    })
}

fn unless(rules: &Rules, setting: &str, reason: &str) -> Option<String> {
    (!rules.is_on(setting)).then(|| format!("{reason} (the policy's setting `{setting}`)"))
}

fn of_image(request: &Request, rules: &Rules, purpose: Purpose) -> Option<String> {
    match request.image() {
        Some(image) => rules.objection(&image, purpose),
        None => Some("the call names no image".to_owned()),
    }
}

fn of_container(request: &Request, rules: &Rules<'_>) -> Option<String> {
    // Without an image, what is copied into the container is all that it has.
    let Some(image) = request.image() else { return Some("a container must name its image".to_owned()) };
    let is_id = || is_short_id(&image) || (may_be_hex(&image) && is_written_as_hex(request, &image));
    if !rules.is_on("ids") && is_id() {
        return Some(may_be_id(&image));
    }
    rules
        .objection(&image, Purpose::Use)
        .or_else(|| request.query("platform").and_then(|platform| rules.objection_to_platform(&platform)))
        .or_else(|| of_mounts(request, rules))
}

fn of_service(request: &Request, rules: &Rules<'_>) -> Option<String> {
    // A service that attaches networks, or is only rolled back, names none.
    let Some(image) = request.image() else { return of_mounts(request, rules) };
    let runtime = request.service().map(|service| service.runtime);
    if runtime.is_some_and(|runtime| runtime == "plugin") {
        return rules.objection(&image, Purpose::Plugin);
    }
    if !rules.is_on("ids") && is_short_id(&image) {
        return Some(may_be_id(&image));
    }
    rules.objection(&image, Purpose::Use).or_else(|| of_mounts(request, rules))
}

fn of_pull(request: &Request, rules: &Rules<'_>) -> Option<String> {
    if let Some(platform) = request.query("platform")
        && let Some(reason) = rules.objection_to_platform(&platform)
    {
        return Some(reason);
    }
    if let Some(image) = request.image() {
        return rules.objection(&image, Purpose::Use);
    }
    unless(rules, "imports", "images may not be imported: what is in them no plugin sees")
        .or_else(|| {
            request.query("fromSrc").filter(|source| source != "-").and_then(|source| of_source(&source, rules))
        })
        .or_else(|| of_names(request, rules))
}

fn of_build(request: &Request, rules: &Rules<'_>) -> Option<String> {
    let reason = "images may not be built: what a build starts from, and takes in, is in files that no plugin sees";
    if let Some(reason) = unless(rules, "builds", reason) {
        return Some(reason);
    }
    let build = request.build()?;
    if let Some(parameter) = build.unreadable.first() {
        return Some(format!("the build's parameter `{parameter}` cannot be read"));
    }
    let source = build.remote.as_deref().filter(|remote| *remote != "client-session");
    source
        .and_then(|source| of_source(source, rules))
        .or_else(|| build.platform.as_deref().and_then(|platform| rules.objection_to_platform(platform)))
        .or_else(|| request.tags().iter().find_map(|image| rules.objection(image, Purpose::Give)))
        .or_else(|| of_outputs(&build))
        .or_else(|| build.cache_from.iter().find_map(|text| of_written(text, "cache-from", rules)))
}

/// The exporters `moby` and `image` take a name as an attribute, and push.
fn of_outputs(build: &Build) -> Option<String> {
    let gives = |name: &str| !matches!(name, "local" | "tar" | "oci" | "docker" | "cacheonly");
    let mut outputs = build.outputs.iter();
    outputs.any(|output| gives(&output.name) && !output.options.is_empty()).then(|| {
        "an output of a build may not have attributes, which give names and push: give names with `--tag`".to_owned()
    })
}

fn of_source(source: &str, rules: &Rules<'_>) -> Option<String> {
    (!rules.lists("sources", source)).then(|| format!("`{source}` is none of the `sources` that the settings list"))
}

fn of_names(request: &Request, rules: &Rules<'_>) -> Option<String> {
    let names = request.tags();
    if names.is_empty() {
        return Some(
            "an image of this host must be given a name, so that the settings can say whether it may be used"
                .to_owned(),
        );
    }
    names.iter().find_map(|image| rules.objection(image, Purpose::Give))
}

fn of_mounts(request: &Request, rules: &Rules<'_>) -> Option<String> {
    let mounts = request.mounts();
    let images = mounts.iter().filter(|mount| mount.kind == MountKind::Image);
    images.map(|mount| of_written(&mount.source, "the mount of an image", rules)).find_map(|objection| objection)
}

fn of_written(text: &str, what: &str, rules: &Rules<'_>) -> Option<String> {
    match written::image(text) {
        Some(image) => rules.objection(&image, Purpose::Use),
        None => Some(format!("{what} must name it in full, with its registry, which `{text}` does not")),
    }
}

/// `sha256:abc` is a name and a tag, and where no image has them, the beginning of an ID (`imageStore.Search` in moby's
/// `daemon/images/image.go`, `checkTruncatedID` in its `daemon/containerd/image.go`).
fn is_short_id(image: &Image) -> bool {
    image.registry == HUB && image.repository == "library/sha256"
}

/// A name of hexadecimal digits, and no more than that, is one, too.
fn may_be_hex(image: &Image) -> bool {
    let hex = |name: &str| name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_default = image.tag.as_deref() == Some("latest") && image.digest.is_none();
    image.registry == HUB && is_default && image.repository.strip_prefix("library/").is_some_and(hex)
}

fn is_written_as_hex(request: &Request, image: &Image) -> bool {
    let written = request.body().and_then(|body| body.text("/Image")).unwrap_or_default();
    image.repository.strip_prefix("library/") == Some(&*written)
}

fn may_be_id(image: &Image) -> String {
    let written = image.repository.strip_prefix("library/").unwrap_or(&image.repository);
    format!("`{written}` may be the beginning of another image's ID: give name and tag, as in `{written}:latest`")
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }
}
