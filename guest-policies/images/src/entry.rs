//! Entries of the lists `allow` and `deny`.

use portcullis_policy::view::Image;
use portcullis_policy::{Kind, Value};

use crate::pattern::{Pattern, Ports};

/// Keys of an entry that is an object.
const KEYS: &str = "`image`, `tags`, `pinned`, `local`, `push`, `plugin`";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pattern: Pattern,
    /// None: any.
    tags: Option<Vec<String>>,
    /// The only content of that name that is meant.
    digest: Option<String>,
    /// Whether it is for references with a digest alone.
    pinned: bool,
    /// Whether this host may give such names to images of its own.
    pub(crate) local: bool,
    push: bool,
    /// Whether it is for plugins instead of images.
    plugin: bool,
}

/// What a name is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A container, a service, a pull.
    Use,
    /// To be given to an image of this host.
    Give,
    Push,
    Plugin,
    /// The registry is only asked about it.
    Ask,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn of(value: &Value<'_>) -> Result<Self, String> {
        if let Some(text) = value.text() {
            return Self::of_text(&text);
        }
        let name = value.at(["image"]).text().ok_or("must be a text, or an object with a text `image`")?;
        let mut entry = Self::of_text(&name)?;
        for (key, value) in value.members() {
            let flag = || value.boolean().ok_or_else(|| format!("must have true or false as `{key}`"));
            match &*key {
                "image" => {}
                "tags" => entry.tags = Some(tags(&value, &entry)?),
                "pinned" => entry.pinned = flag()?,
                "local" => entry.local = flag()?,
                "push" => entry.push = flag()?,
                "plugin" => entry.plugin = flag()?,
                _ => return Err(format!("has `{key}`; known are {KEYS}")),
            }
        }
        if entry.pinned && (entry.local || entry.tags.is_some()) {
            return Err("cannot be `pinned` and have `local` or tags: a digest says nothing of a tag".to_owned());
        }
        if entry.plugin && (entry.local || entry.push) {
            return Err("cannot be for a `plugin` and have `local` or `push`".to_owned());
        }
        if entry.digest.is_some() && (entry.local || entry.push) {
            return Err("with a digest cannot have `local` or `push`".to_owned());
        }
        Ok(entry)
    }

    /// `PATTERN[:TAG]` or `PATTERN@DIGEST`.
    fn of_text(text: &str) -> Result<Self, String> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((before, tag)) if before.contains('/') && !tag.contains('/') => (before, Some(tag)),
            Some(_) | None => (name, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) || (digest.is_some() && tag.is_some()) {
            return Err("must have `sha256:` and 64 hexadecimal digits after the `@`, and no tag before it".to_owned());
        }
        Ok(Self {
            pattern: Pattern::new(name)?,
            tags: tag.map(|tag| exact(tag).map(|tag| vec![tag])).transpose()?,
            digest: digest.map(str::to_owned),
            pinned: false,
            local: false,
            push: false,
            plugin: false,
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = self.pattern.text().to_owned();
        if let Some(digest) = &self.digest {
            text = format!("{text}@{digest}");
        }
        match &self.tags {
            Some(tags) => format!("{text}:{}", tags.join("|")),
            None if self.pinned => format!("{text}@sha256:…"),
            None => text,
        }
    }

    /// Whether the entry is one that lets a name be wanted for this.
    pub(crate) fn is_for(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Use => !self.plugin,
            Purpose::Give => self.local,
            Purpose::Push => self.push,
            Purpose::Plugin => self.plugin,
            Purpose::Ask => true,
        }
    }

    pub(crate) fn allows(&self, image: &Image, purpose: Purpose) -> bool {
        self.is_for(purpose) && self.pattern.matches(image, Ports::Exact) && self.has_content(image, purpose)
    }

    fn has_content(&self, image: &Image, purpose: Purpose) -> bool {
        let has_tag = || match (&self.tags, &image.tag) {
            (Some(tags), Some(tag)) => tags.contains(tag),
            // Without a tag, all tags are meant.
            (Some(_), None) => false,
            (None, _) => true,
        };
        match (purpose, &image.digest) {
            (Purpose::Ask, _) => true,
            (Purpose::Give | Purpose::Push, None) => has_tag(),
            (Purpose::Give | Purpose::Push, Some(_)) => false,
            // The daemon looks at the digest alone, which may be that of any tag.
            (Purpose::Use | Purpose::Plugin, Some(given)) => {
                self.tags.is_none() && self.digest.as_ref().is_none_or(|digest| digest == given)
            }
            (Purpose::Use | Purpose::Plugin, None) => self.digest.is_none() && !self.pinned && has_tag(),
        }
    }

    /// Whether images of this host may have this name, whatever their tag.
    pub(crate) fn may_be_local(&self, image: &Image) -> bool {
        self.local && self.pattern.matches(image, Ports::Exact)
    }

    /// Whether images of this host may have this name, with every tag.
    pub(crate) fn is_any_tag(&self) -> bool {
        self.tags.is_none()
    }

    pub(crate) fn denies(&self, image: &Image) -> bool {
        let has_tag = || match (&self.tags, &image.tag) {
            (Some(tags), Some(tag)) => tags.contains(tag),
            (Some(_), None) => image.digest.is_none(),
            (None, _) => true,
        };
        let has_digest = || self.digest.as_ref().is_none_or(|digest| image.digest.as_ref() == Some(digest));
        self.pattern.matches(image, Ports::Any) && has_tag() && has_digest()
    }
}

fn tags(value: &Value<'_>, entry: &Entry) -> Result<Vec<String>, String> {
    if entry.tags.is_some() || entry.digest.is_some() {
        return Err("has a tag or a digest in `image`, and `tags` beside it".to_owned());
    }
    let is_list = value.kind() == Some(Kind::Array) && value.len() != Some(0);
    let tags = if is_list { value.texts() } else { None };
    tags.ok_or("must have a list of texts as `tags`")?.iter().map(|tag| exact(tag)).collect()
}

fn exact(tag: &str) -> Result<String, String> {
    let is_tag = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) && !tag.is_empty();
    if is_tag { Ok(tag.to_owned()) } else { Err(format!("has the tag `{tag}`; tags are given in full")) }
}

/// As images are given by content.
pub(crate) fn is_digest(text: &str) -> bool {
    let is_hex = |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("sha256:").is_some_and(is_hex)
}
