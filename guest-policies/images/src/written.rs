//! References that no view completes: the source of an image mount, and a build's `cachefrom`.

use portcullis_policy::view::Image;

use crate::entry::is_digest;

/// The image that a text in full names: with its registry. None of anything else, which may be a short ID, or lack what the
/// daemon completes.
pub(crate) fn image(text: &str) -> Option<Image> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (registry, rest) = name.split_once('/')?;
    let is_host = registry == "localhost" || registry.contains(['.', ':']);
    let (path, tag) = match rest.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (rest, None),
    };
    let repository = match registry {
        "docker.io" if !path.contains('/') => format!("library/{path}"),
        _ => path.to_owned(),
    };
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
    };
    let is_tag =
        |tag: &str| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_valid = is_host
        && registry != "index.docker.io"
        && repository.split('/').all(is_part)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
    is_valid.then(|| Image {
        registry: registry.to_owned(),
        repository,
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_in_full_is_one() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, expected) in [
            ("docker.io/library/alpine", Some("docker.io library/alpine Some(\"latest\") None".to_owned())),
            ("docker.io/alpine:3.20", Some("docker.io library/alpine Some(\"3.20\") None".to_owned())),
            ("localhost:5000/a/b:1", Some("localhost:5000 a/b Some(\"1\") None".to_owned())),
            (&format!("ghcr.io/a@{digest}"), Some(format!("ghcr.io a None Some(\"{digest}\")"))),
            ("alpine", None),
            ("acme/app", None),
            ("index.docker.io/library/alpine", None),
            ("deadbeef", None),
            (&digest, None),
            ("sha256:abc", None),
            ("ghcr.io/a@sha256:abc", None),
            ("ghcr.io/A", None),
            ("ghcr.io/a:", None),
            ("ghcr.io/", None),
            ("", None),
        ] {
            let image = image(text);
            let shown = image
                .map(|image| format!("{} {} {:?} {:?}", image.registry, image.repository, image.tag, image.digest));
            assert_eq!(shown, expected, "{text}");
        }
    }
}
