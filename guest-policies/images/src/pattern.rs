//! Patterns over a registry and a repository: `ghcr.io/acme/*`.

use portcullis_policy::view::Image;

const HUB: &str = "docker.io";

/// `REGISTRY/PART/…`, each part with any number of `*`; `**` at the end stands for one or more parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
}

/// Whether a pattern without a port is for the registry's usual port alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ports {
    Exact,
    /// What is denied is denied at every port.
    Any,
}

// === impl Pattern ===

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text == "**" {
            return Ok(Self { text: "*/**".to_owned() });
        }
        let Some((registry, rest)) = text.split_once('/') else {
            return Err(format!("must begin with a registry, such as `{HUB}/library/{text}`"));
        };
        if !registry.contains(['.', ':', '*']) && registry != "localhost" {
            return Err(format!("must begin with a registry, such as `{HUB}/{text}`"));
        }
        if registry.eq_ignore_ascii_case("index.docker.io") {
            return Err(format!("must be `{HUB}/…`, which is how the daemon completes `index.docker.io`"));
        }
        if registry == HUB && !rest.contains('/') && rest != "**" {
            return Err(format!("must have two parts after `{HUB}`: official images are `{HUB}/library/{rest}`"));
        }
        let mut parts = rest.rsplit('/');
        let last = parts.next().unwrap_or_default();
        if last.is_empty() || parts.clone().any(str::is_empty) || registry.is_empty() {
            return Err("must not have empty parts".to_owned());
        }
        if parts.any(|part| part.contains("**")) || registry.contains("**") || (last.contains("**") && last != "**") {
            return Err("may have `**` as its last part only".to_owned());
        }
        if rest.contains(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c))) {
            return Err("may have small letters, digits, `.`, `_`, `-` and `*` after the registry".to_owned());
        }
        Ok(Self { text: text.to_owned() })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A text that is no reference has no registry, and is no name.
    pub(crate) fn matches(&self, image: &Image, ports: Ports) -> bool {
        let Some((registry, repository)) = self.text.split_once('/') else { return false };
        !image.registry.is_empty() && matches_registry(registry, &image.registry, ports) && {
            let (mut wanted, mut given) = (repository.split('/'), image.repository.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (Some("**"), Some(_)) | (None, None) => break true,
                    (Some(wanted), Some(given)) if matches_part(wanted.as_bytes(), given.as_bytes()) => {}
                    (Some(_) | None, Some(_) | None) => break false,
                }
            }
        }
    }
}

/// Names of hosts have no case.
fn matches_registry(pattern: &str, registry: &str, ports: Ports) -> bool {
    let (pattern, registry) = (pattern.to_ascii_lowercase(), registry.to_ascii_lowercase());
    let has_port = |host: &str| host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let registry = match registry.rsplit_once(':') {
        Some((host, _)) if ports == Ports::Any && has_port(&registry) && !has_port(&pattern) => host,
        Some(_) | None => &registry,
    };
    matches_part(pattern.as_bytes(), registry.as_bytes())
}

/// Each `*` stands for any characters, or none. Takes the last star back by one where it cannot go on, which is enough.
fn matches_part(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0_usize, 0_usize);
    // Behind the last star, and where what it stands for ends.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, read));
            }
            Some(wanted) if wanted == byte => {
                at += 1;
                read += 1;
            }
            Some(_) | None => {
                let Some((behind, end)) = star else { return false };
                star = Some((behind, end + 1));
                at = behind;
                read = end + 1;
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> Image {
        let (registry, repository) = name.split_once('/').unwrap_or(("", name));
        Image { registry: registry.to_owned(), repository: repository.to_owned(), tag: None, digest: None }
    }

    #[test]
    fn a_star_stays_in_its_part_and_two_at_the_end_do_not() {
        for (pattern, name, expected) in [
            ("docker.io/library/*", "docker.io/library/alpine", true),
            ("docker.io/library/*", "docker.io/library/a/b", false),
            ("docker.io/library/*", "docker.io/librar/alpine", false),
            ("docker.io/library/*", "docker.io.evil.example/library/alpine", false),
            ("docker.io/library/alpine", "docker.io/library/alpine", true),
            ("docker.io/library/alpine", "docker.io/library/alpine2", false),
            ("docker.io/library/alpine", "docker.io/evil/alpine", false),
            ("docker.io/*/alpine", "docker.io/evil/alpine", true),
            ("docker.io/**", "docker.io/library/alpine", true),
            ("ghcr.io/acme/**", "ghcr.io/acme/a/b/c", true),
            ("ghcr.io/acme/**", "ghcr.io/acme", false),
            ("ghcr.io/acme/**", "ghcr.io/acme-evil/a", false),
            ("ghcr.io/acme/app-*-x", "ghcr.io/acme/app-1-2-x", true),
            ("ghcr.io/acme/app-*-x", "ghcr.io/acme/app-x", false),
            ("ghcr.io/acme/*a*b", "ghcr.io/acme/xaaxabab", true),
            ("ghcr.io/acme/*a*b", "ghcr.io/acme/xaaxababc", false),
            ("*.example.com/x", "a.b.example.com/x", true),
            ("*.example.com/x", "example.com/x", false),
            ("*.example.com/x", "evil.com/x", false),
            ("GHCR.io/x", "ghcr.IO/x", true),
            ("ghcr.io/x", "ghcr.io:443/x", false),
            ("localhost:5000/x", "localhost:5000/x", true),
            ("localhost:5000/x", "localhost:5001/x", false),
            ("**", "ghcr.io/a", true),
            ("**", "docker.io/library/alpine", true),
            ("**", "Alpine", false),
        ] {
            let parsed = Pattern::new(pattern).expect(pattern);
            assert_eq!(parsed.matches(&image(name), Ports::Exact), expected, "{name} by {pattern}");
        }
    }

    #[test]
    fn what_is_denied_is_denied_at_every_port() {
        for (pattern, name, expected) in [
            ("evil.example/**", "evil.example/a", true),
            ("evil.example/**", "EVIL.example:443/a", true),
            ("evil.example/**", "evil.example:5000/a/b", true),
            ("evil.example:5000/**", "evil.example:5000/a", true),
            ("evil.example:5000/**", "evil.example/a", false),
            ("evil.example/**", "good.example:5000/a", false),
        ] {
            let parsed = Pattern::new(pattern).expect(pattern);
            assert_eq!(parsed.matches(&image(name), Ports::Any), expected, "{name} by {pattern}");
        }
    }

    #[test]
    fn what_can_match_nothing_is_no_pattern() {
        for (pattern, message) in [
            ("alpine", "must begin with a registry, such as `docker.io/library/alpine`"),
            ("acme/app", "must begin with a registry, such as `docker.io/acme/app`"),
            ("docker.io/alpine", "official images are `docker.io/library/alpine`"),
            ("docker.io/*", "must have two parts"),
            ("index.docker.io/library/alpine", "must be `docker.io/"),
            ("ghcr.io/", "empty parts"),
            ("ghcr.io//a", "empty parts"),
            ("/a.b", "must begin with a registry"),
            ("ghcr.io/**/a", "`**` as its last part only"),
            ("ghcr.io/a**", "`**` as its last part only"),
            ("**.io/a", "`**` as its last part only"),
            ("ghcr.io/Acme", "may have small letters"),
            ("", "must begin with a registry"),
        ] {
            let problem = Pattern::new(pattern).expect_err(pattern);
            assert!(problem.contains(message), "{pattern}: {problem}");
        }
    }
}
