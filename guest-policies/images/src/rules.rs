//! What the settings say, and what the data say of the caller in their place.

use portcullis_policy::settings::Setting;
use portcullis_policy::view::Image;
use portcullis_policy::{Document, Kind, Request, Value};

use crate::entry::{Entry, Purpose, is_digest};

pub(crate) const SETTINGS: [Setting<'_>; 11] = [
    Setting::list("allow"),
    Setting::list("deny"),
    Setting::texts("digests"),
    Setting::texts("platforms"),
    Setting::texts("sources"),
    Setting::boolean("ids"),
    Setting::boolean("builds"),
    Setting::boolean("imports"),
    Setting::boolean("loads"),
    Setting::boolean("buildkit"),
    Setting::one_of("otherwise", &["allow", "abstain"]),
];

/// Each lets a caller give any name to any content, without a plugin that sees it.
pub(crate) const UNSEEN: [&str; 4] = ["builds", "imports", "loads", "buildkit"];

/// How many entries a reason names.
const SHOWN: usize = 6;

#[derive(Debug)]
pub(crate) struct Rules<'a> {
    settings: &'a Document,
    allow: Vec<Entry>,
    deny: Vec<Entry>,
    /// Entries of the settings for names that images of this host may have, where `allow` is the caller's own.
    local: Vec<Entry>,
}

/// What the data say of the caller.
enum Caller<'a> {
    Exempt,
    /// With a list of their own, if there is one.
    Bound(Option<Value<'a>>),
}

// === impl Rules ===

impl<'a> Rules<'a> {
    /// None where this policy is not for the caller.
    pub(crate) fn of_call(request: &Request, data: &Document, settings: &'a Document) -> Result<Option<Self>, String> {
        match Caller::of(request, data)? {
            Caller::Exempt => Ok(None),
            Caller::Bound(None) => Self::of(settings, None).map(Some),
            Caller::Bound(Some(own)) => Self::of(settings, Some(&own)).map(Some),
        }
    }

    fn of(settings: &'a Document, own: Option<&Value<'_>>) -> Result<Self, String> {
        let allow = entries("allow", &settings.at(["allow"]))?;
        let deny = entries("deny", &settings.at(["deny"]))?;
        let unseen = UNSEEN.into_iter().find(|setting| settings.at([setting]).boolean() == Some(true));
        if let (Some(unseen), Some(entry)) = (unseen, allow.iter().find(|entry| !entry.local)) {
            return Err(format!(
                "with `{unseen}`, any name can be given to any content: `{}` in `allow` must be `local = true`, or not be there; \
                 `digests` hold",
                entry.text()
            ));
        }
        let Some(own) = own else { return Ok(Self { settings, allow, deny, local: Vec::new() }) };
        let own = entries("allow", own)?;
        if let Some(unseen) = unseen.filter(|_| !own.is_empty()) {
            return Err(format!("with `{unseen}`, no user can have a list of their own"));
        }
        if let Some(entry) = own.iter().find(|entry| entry.local) {
            return Err(format!("`{}` cannot be `local` for one user", entry.text()));
        }
        Ok(Self { settings, local: allow.into_iter().filter(|entry| entry.local).collect(), allow: own, deny })
    }

    pub(crate) fn is_on(&self, setting: &str) -> bool {
        self.settings.at([setting]).boolean() == Some(true)
    }

    pub(crate) fn lists(&self, setting: &str, text: &str) -> bool {
        self.settings.at([setting]).texts().unwrap_or_default().iter().any(|listed| listed == text)
    }

    /// What is given on a list that need not be there: without it, anything may be.
    pub(crate) fn objection_to_platform(&self, platform: &str) -> Option<String> {
        let listed = self.settings.texts("/platforms")?;
        (!listed.iter().any(|listed| listed == platform))
            .then(|| format!("the platform `{platform}` may not be used; allowed are {}", listed.join(", ")))
    }

    pub(crate) fn objection(&self, image: &Image, purpose: Purpose) -> Option<String> {
        if self.deny.iter().any(|entry| entry.denies(image)) {
            return Some(format!("`{}` {}: the settings deny it", name(image), may_not(purpose)));
        }
        if matches!(purpose, Purpose::Use | Purpose::Plugin)
            && image.digest.as_ref().is_some_and(|digest| self.lists("digests", digest))
        {
            return None;
        }
        if image.registry.is_empty() {
            return self.objection_to_id(image, purpose);
        }
        let allows = |entry: &&Entry| entry.allows(image, purpose);
        // Daemons with containerd's store find an image of their own by any of its names and its digest.
        let is_ours = |entry: &Entry| image.digest.is_some() && entry.may_be_local(image);
        let mut allowing = self.allow.iter().filter(allows);
        let is_allowed = if purpose == Purpose::Use && self.local.iter().chain(&self.allow).any(is_ours) {
            self.local.iter().chain(&self.allow).any(|entry| is_ours(entry) && entry.is_any_tag())
        } else {
            allowing.next().is_some()
        };
        (!is_allowed).then(|| self.not_allowed(image, purpose))
    }

    pub(crate) fn objection_to_id(&self, image: &Image, purpose: Purpose) -> Option<String> {
        let is_allowed = purpose == Purpose::Use && self.is_on("ids") && image.repository.is_empty();
        (!is_allowed).then(|| match &image.digest {
            Some(digest) => {
                format!("an image may not be used by its ID `{digest}`, which says nothing of where it comes from: use a name")
            }
            None => format!("`{}` is no reference to an image", image.repository),
        })
    }

    fn not_allowed(&self, image: &Image, purpose: Purpose) -> String {
        let listed: Vec<String> = self
            .allow
            .iter()
            .filter(|entry| entry.is_for(purpose))
            .map(|entry| format!("`{}`", entry.text()))
            .collect();
        let shown = listed.get(..SHOWN.min(listed.len())).unwrap_or_default().join(", ");
        let rest = if listed.len() > SHOWN { ", …" } else { "" };
        let allowed =
            if listed.is_empty() { "nothing is allowed".to_owned() } else { format!("allowed are {shown}{rest}") };
        format!("`{}` {}; {allowed}", name(image), may_not(purpose))
    }
}

// === impl Caller ===

impl<'a> Caller<'a> {
    fn of(request: &Request, data: &'a Document) -> Result<Self, String> {
        let Some(user) = request.user() else { return Ok(Self::Bound(None)) };
        let entry = data.at(["images", "users", &user]);
        let mut own = None;
        for (key, value) in entry.members() {
            match (&*key, value.boolean()) {
                ("exempt", Some(true)) => return Ok(Self::Exempt),
                ("exempt", Some(false)) => {}
                ("exempt", None) => return Err(mistake(&user, "`exempt` must be true or false")),
                ("allow", _) => own = Some(value),
                (other, _) => {
                    return Err(mistake(&user, &format!("there is no `{other}`; there are `exempt`, `allow`")));
                }
            }
        }
        Ok(Self::Bound(own))
    }
}

fn mistake(user: &str, problem: &str) -> String {
    format!("the data `images` cannot be used for `{user}`: {problem}")
}

pub(crate) fn prepare(settings: &Document) -> Result<(), String> {
    settings.check(&SETTINGS)?;
    let digests = settings.texts("/digests").unwrap_or_default();
    if let Some(wrong) = digests.iter().find(|digest| !is_digest(digest)) {
        return Err(format!("`digests` must be `sha256:` and 64 hexadecimal digits each, which `{wrong}` is not"));
    }
    Rules::of(settings, None).map(|_| ())
}

fn entries(list: &str, value: &Value<'_>) -> Result<Vec<Entry>, String> {
    if value.exists() && value.kind() != Some(Kind::Array) {
        return Err(format!("`{list}` must be a list"));
    }
    let entry = |(number, item): (usize, Value<'_>)| {
        let named = || item.text().or_else(|| item.at(["image"]).text()).unwrap_or_else(|| (number + 1).to_string());
        Entry::of(&item).map_err(|problem| format!("the entry `{}` of `{list}` {problem}", named()))
    };
    value.items().enumerate().map(entry).collect()
}

fn may_not(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Use => "may not be used",
        Purpose::Give => "may not be given as a name to an image of this host",
        Purpose::Push => "may not be pushed",
        Purpose::Plugin => "may not be installed as a plugin",
        Purpose::Ask => "may not be looked up",
    }
}

/// As it is written in full.
pub(crate) fn name(image: &Image) -> String {
    let mut name = image.name();
    if let Some(tag) = &image.tag {
        name = format!("{name}:{tag}");
    }
    if let Some(digest) = &image.digest {
        name = format!("{name}@{digest}");
    }
    name
}
