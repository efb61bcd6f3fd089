//! The folders that the settings allow.

use portcullis_policy::{Document, Kind, Value};

/// Keys of an entry of `allow`.
const KEYS: [&str; 6] = ["source", "writable", "shared", "submounts", "create", "accept_swapped_folders"];

/// An entry of `allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Without a slash at the end; the root is empty.
    folder: String,
    /// Whether it stands for each folder in `folder`, and not for `folder` itself: `/srv/projects/*`.
    is_unit: bool,
    pub(crate) writable: bool,
    /// Whether mounts that are made in it may appear on the host.
    pub(crate) shared: bool,
    /// Whether something may be mounted below it, for which read-only must hold, too.
    pub(crate) submounts: bool,
    /// Whether Docker may make it, as a folder.
    pub(crate) create: bool,
    /// Whether what containers can replace may be mounted all the same.
    accepts_swaps: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules(Vec<Rule>);

// === impl Rules ===

impl Rules {
    /// An error where an entry is not one: without it, something could be allowed that it was to keep out.
    pub(crate) fn of(settings: &Document) -> Result<Self, String> {
        entries(settings, "allow", Rule::of).map(|rules| Self(rules.unwrap_or_default()))
    }

    /// The rule of the deepest folder that has `path` in it.
    pub(crate) fn rule_for(&self, path: &str) -> Option<&Rule> {
        let covering = self.0.iter().filter(|rule| rule.covers(path));
        covering.max_by_key(|rule| (rule.folder.len(), rule.is_unit))
    }

    /// The rule by which containers may write the folder that `path` lies in, and so put something else in its place.
    pub(crate) fn swapped_by(&self, path: &str) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.writable && !rule.accepts_swaps && rule.is_above(path))
    }

    /// The rule of something in `path` that may only be read, or of a folder around it that a rule for the folder around that would
    /// otherwise have written.
    pub(crate) fn kept_within(&self, path: &str) -> Option<&Rule> {
        let around = |rule: &Rule| {
            let deciding = self.rule_for(path).map_or(0, |deciding| deciding.folder.len());
            rule.is_unit && rule.is_above(path) && deciding <= rule.folder.len()
        };
        self.0.iter().find(|rule| !rule.writable && (is_within(&rule.folder, path) || around(rule)))
    }
}

// === impl Rule ===

impl Rule {
    fn of(entry: &Value) -> Result<Self, String> {
        let source = entry.at(["source"]).text().ok_or("must be an object with a text `source`")?;
        let mut rule = Self::from_source(&source).ok_or_else(|| {
            format!("has the source `{source}`: give a path as `realpath` prints it, with `/*` at its end for each folder in it")
        })?;
        for (key, value) in entry.members() {
            let flag = match &*key {
                "source" => continue,
                "writable" => &mut rule.writable,
                "shared" => &mut rule.shared,
                "submounts" => &mut rule.submounts,
                "create" => &mut rule.create,
                "accept_swapped_folders" => &mut rule.accepts_swaps,
                _ => return Err(format!("has `{key}`; known are {}", KEYS.map(|key| format!("`{key}`")).join(", "))),
            };
            *flag = value.boolean().ok_or_else(|| format!("must have true or false as `{key}`"))?;
        }
        if !rule.writable && (rule.create || rule.accepts_swaps) {
            return Err(format!(
                "must have `writable = true` to have `create` or `accept_swapped_folders` (`{source}`)"
            ));
        }
        Ok(rule)
    }

    /// None where that is no path as the kernel would name it.
    fn from_source(source: &str) -> Option<Self> {
        let (folder, is_unit) = match source.strip_suffix("/*") {
            Some(folder) => (folder, true),
            None => (source.strip_suffix('/').unwrap_or(source), false),
        };
        (is_resolved(folder) && !folder.contains('*') && source.starts_with('/')).then(|| Self {
            folder: folder.to_owned(),
            is_unit,
            writable: false,
            shared: false,
            submounts: true,
            create: false,
            accepts_swaps: false,
        })
    }

    /// As the settings have it.
    pub(crate) fn source(&self) -> String {
        match (self.is_unit, &*self.folder) {
            (true, folder) => format!("{folder}/*"),
            (false, "") => "/".to_owned(),
            (false, folder) => folder.to_owned(),
        }
    }

    fn covers(&self, path: &str) -> bool {
        match below(path, &self.folder) {
            Some("") => !self.is_unit,
            Some(rest) => !self.is_unit || !rest.contains('/'),
            None => false,
        }
    }

    /// Whether `path` lies in what this stands for, and is not it itself.
    pub(crate) fn is_above(&self, path: &str) -> bool {
        below(path, &self.folder).is_some_and(|rest| if self.is_unit { rest.contains('/') } else { !rest.is_empty() })
    }
}

/// The items of a list in the settings, each made by `of`, which says what it expects of one; none without the list.
pub(crate) fn entries<T>(
    settings: &Document,
    name: &str,
    of: impl Fn(&Value) -> Result<T, String>,
) -> Result<Option<Vec<T>>, String> {
    let list = settings.at([name]);
    match list.kind() {
        None => Ok(None),
        Some(Kind::Array) => {
            let items = list
                .items()
                .zip(1..)
                .map(|(entry, number)| of(&entry).map_err(|expected| format!("entry {number} of `{name}` {expected}")));
            items.collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(format!("`{name}` must be a list")),
    }
}

/// What follows `folder` in a path that is it or lies in it, without a slash before or after. The root is empty.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.trim_end_matches('/').strip_prefix(folder)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    below(path, folder.trim_end_matches('/')).is_some()
}

/// Whether it is a path as the kernel would name it. The root is empty.
fn is_resolved(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("") && parts.all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(source: &str, writable: bool) -> Rule {
        Rule { writable, ..Rule::from_source(source).expect("is a path") }
    }

    #[test]
    fn a_folder_covers_what_is_in_it_and_a_unit_only_what_is_directly_in_it() {
        let cases = [
            ("/srv", "/srv", true, false),
            ("/srv", "/srv/a/b", true, true),
            ("/srv", "/srv/", true, false),
            ("/srv", "/srv2", false, false),
            ("/srv", "/sr", false, false),
            ("/srv", "/", false, false),
            ("/", "/srv", true, true),
            ("/", "/", true, false),
            ("/srv/*", "/srv", false, false),
            ("/srv/*", "/srv/a", true, false),
            ("/srv/*", "/srv/a/b", false, true),
            ("/srv/*", "/srv2/a", false, false),
            ("/*", "/srv", true, false),
            ("/*", "/", false, false),
        ];
        for (source, path, covers, is_above) in cases {
            let rule = rule(source, true);
            assert_eq!((rule.covers(path), rule.is_above(path)), (covers, is_above), "{path} in {source}");
        }
    }

    #[test]
    fn the_deepest_rule_decides() {
        let rules =
            Rules(vec![rule("/srv", false), rule("/srv/*", true), rule("/srv/www", false), rule("/srv/www/x", true)]);
        for (path, expected) in [
            ("/srv", Some("/srv")),
            ("/srv/a", Some("/srv/*")),
            ("/srv/a/b", Some("/srv")),
            ("/srv/www", Some("/srv/www")),
            ("/srv/www/y", Some("/srv/www")),
            ("/srv/www/x/y", Some("/srv/www/x")),
            ("/etc", None),
        ] {
            assert_eq!(rules.rule_for(path).map(Rule::source).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_lies_in_something_writable_can_be_replaced() {
        let rules = Rules(vec![rule("/srv/www", false), rule("/srv/scratch", true), rule("/srv/projects/*", true)]);
        for (path, expected) in [
            ("/srv/www/x", None),
            ("/srv/scratch", None),
            ("/srv/scratch/x", Some("/srv/scratch")),
            ("/srv/scratch2/x", None),
            ("/srv/projects", None),
            ("/srv/projects/a", None),
            ("/srv/projects/a/b/c", Some("/srv/projects/*")),
        ] {
            assert_eq!(rules.swapped_by(path).map(Rule::source).as_deref(), expected, "{path}");
        }
        let accepted = Rules(vec![Rule { accepts_swaps: true, ..rule("/srv/scratch", true) }]);
        assert_eq!(accepted.swapped_by("/srv/scratch/x"), None);
    }

    #[test]
    fn something_to_be_read_is_kept_within_what_is_around_it() {
        let rules = Rules(vec![rule("/srv", true), rule("/srv/keep", false), rule("/data/*", false)]);
        for (path, expected) in [
            ("/srv", Some("/srv/keep")),
            ("/", Some("/srv/keep")),
            ("/srv/keep", Some("/srv/keep")),
            ("/srv/keep/x", None),
            ("/data", Some("/data/*")),
            ("/data/x", None),
        ] {
            assert_eq!(rules.kept_within(path).map(Rule::source).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_in_a_folder_that_may_only_be_read_is_kept_although_the_folder_around_may_be_written() {
        let accepted = Rule { accepts_swaps: true, ..rule("/data", true) };
        let rules = Rules(vec![accepted, rule("/data/*", false), rule("/data/open/deep", true)]);
        assert_eq!(rules.rule_for("/data/x").map(Rule::source).as_deref(), Some("/data/*"));
        for (path, expected) in [
            ("/data", Some("/data/*")),
            ("/data/x/y", Some("/data/*")),
            ("/data/x/y/z", Some("/data/*")),
            ("/data2/x/y", None),
            ("/data/open/other", Some("/data/*")),
            ("/data/open/deep", None),
            ("/data/open/deep/x", None),
        ] {
            assert_eq!(rules.kept_within(path).map(Rule::source).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn only_paths_as_the_kernel_names_them_are_sources() {
        for (source, expected) in [
            ("/srv", Some("/srv")),
            ("/srv/", Some("/srv")),
            ("/", Some("/")),
            ("/*", Some("/*")),
            ("/srv/*", Some("/srv/*")),
            ("", None),
            ("*", None),
            ("srv", None),
            ("srv/*", None),
            ("/srv//a", None),
            ("/srv//", None),
            ("/srv/../etc", None),
            ("/srv/./a", None),
            ("/srv/*/a", None),
            ("/srv/a*", None),
            ("/srv/*/*", None),
        ] {
            assert_eq!(Rule::from_source(source).map(|rule| rule.source()).as_deref(), expected, "{source}");
        }
    }
}
