//! The image that a call takes, as the daemon completes the reference.
//!
//! The rules are those of distribution/reference, `normalize.go` and `regexp.go`.

use portcullis_model::view::Image;

use super::{Facts, member, text};

const DOCKER_HUB: &str = "docker.io";

/// Whether a text may also be the ID of an image that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ids {
    Taken,
    /// The daemon asks a registry for it.
    NotTaken,
}

pub(crate) fn image(facts: Facts<'_>) -> Option<Image> {
    let service = member(facts.service(), "TaskTemplate");
    match facts.operation {
        "ContainerCreate" => local(text(member(facts.body, "Image"))),
        // `ServiceSpecToGRPC` in moby's `daemon/cluster/convert/service.go` takes the one that the runtime names.
        "ServiceCreate" | "ServiceUpdate" if text(member(service, "Runtime")) == "plugin" => {
            local(text(member(member(service, "PluginSpec"), "remote")))
        }
        "ServiceCreate" | "ServiceUpdate" => local(text(member(member(service, "ContainerSpec"), "Image"))),
        "ImageCreate" => {
            let name = facts.query("fromImage")?;
            Some(with_tag(name.strip_suffix(':').unwrap_or(name), facts.query("tag")))
        }
        "PluginPull" | "PluginUpgrade" | "GetPluginPrivileges" => Some(named(facts.query("remote")?, Ids::NotTaken)),
        "ImagePush" => Some(with_tag(facts.name?, facts.query("tag"))),
        "ImageTag" | "ImageInspect" | "ImageHistory" | "ImageAttestations" | "ImageGet" | "ImageDelete" => {
            local(facts.name?)
        }
        "DistributionInspect" => Some(named(facts.name?, Ids::NotTaken)),
        _ => None,
    }
}

/// The names that the call gives to images: `RepoTagReference` in moby's `daemon/server/httputils`, and `sanitizeRepoAndTags` in
/// its `daemon/builder/backend/tag.go`.
pub(crate) fn tags(facts: Facts<'_>) -> Vec<Image> {
    let of_repository = |repository: Option<&str>| {
        repository.map(|name| match facts.query("tag") {
            Some(tag) => with_tag(name, Some(tag)),
            None => named(name, Ids::NotTaken),
        })
    };
    match facts.operation {
        "ImageBuild" => facts.query_all("t").map(|name| named(name, Ids::NotTaken)).collect(),
        "ImageCommit" | "ImageTag" => of_repository(facts.query("repo")).into_iter().collect(),
        "ImageCreate" if facts.query("fromImage").is_none() => of_repository(facts.query("repo")).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn local(name: &str) -> Option<Image> {
    (!name.is_empty()).then(|| named(name, Ids::Taken))
}

/// A name with the tag or digest that stands beside it. Without either, the daemon takes all tags.
fn with_tag(name: &str, tag: Option<&str>) -> Image {
    let Some(image) = parse(name) else { return unnamed(name) };
    match tag {
        Some(digest) if is_digest(digest) => Image { tag: None, digest: Some(digest.to_owned()), ..image },
        Some(tag) if is_tag(tag) => Image { tag: Some(tag.to_owned()), ..image },
        Some(tag) => unnamed(&format!("{name}:{tag}")),
        None => image,
    }
}

fn named(name: &str, ids: Ids) -> Image {
    if ids == Ids::Taken {
        let digest = if is_hex_of(name, 64) { format!("sha256:{name}") } else { name.to_owned() };
        if digest.strip_prefix("sha256:").is_some_and(|hex| is_hex_of(hex, 64)) {
            return Image { registry: String::new(), repository: String::new(), tag: None, digest: Some(digest) };
        }
    }
    match parse(name) {
        Some(image) if image.tag.is_none() && image.digest.is_none() => {
            Image { tag: Some("latest".to_owned()), ..image }
        }
        Some(image) => image,
        None => unnamed(name),
    }
}

/// What is no reference. The daemon refuses it, and no list of names has it.
fn unnamed(text: &str) -> Image {
    Image { registry: String::new(), repository: text.to_owned(), tag: None, digest: None }
}

/// `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, completed but for the tag.
fn parse(reference: &str) -> Option<Image> {
    if is_hex_of(reference, 64) {
        return None;
    }
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let (registry, rest) = split_registry(name);
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let is_official = registry == DOCKER_HUB && !rest.contains('/');
    let repository = if is_official { format!("library/{path}") } else { path.to_owned() };
    let is_valid = repository.split('/').all(is_path_component)
        && is_registry(registry)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest_like)
        && registry.len() + 1 + repository.len() <= 255;
    is_valid.then(|| Image {
        registry: registry.to_owned(),
        repository,
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    })
}

/// The first part is a registry if it cannot be a folder of Docker Hub.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => (DOCKER_HUB, rest),
        Some((first, rest))
            if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        _ => (DOCKER_HUB, name),
    }
}

/// A host name, or an IPv6 address in brackets, and maybe a port.
fn is_registry(registry: &str) -> bool {
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let host = registry.rsplit_once(':').filter(|(_, port)| digits(port)).map_or(registry, |(host, _)| host);
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':'),
        None => host.split('.').all(is_host_label),
    }
}

fn is_host_label(label: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric();
    label.starts_with(letter) && label.ends_with(letter) && label.chars().all(|c| letter(c) || c == '-')
}

/// `[a-z0-9]+` with `.`, `_`, `__` or dashes between.
fn is_path_component(component: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = component.split(letter).filter(|separator| !separator.is_empty());
    let separates = |separator: &str| matches!(separator, "." | "_" | "__") || separator.chars().all(|c| c == '-');
    component.starts_with(letter) && component.ends_with(letter) && { separators }.all(separates)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// The algorithms of go-digest.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| match algorithm {
        "sha256" => is_hex_of(hex, 64),
        "sha384" => is_hex_of(hex, 96),
        "sha512" => is_hex_of(hex, 128),
        _ => false,
    })
}

fn is_digest_like(text: &str) -> bool {
    let hexadecimal = |text: &str| text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(algorithm, hex)| !algorithm.is_empty() && hexadecimal(hex))
}

fn is_hex_of(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
