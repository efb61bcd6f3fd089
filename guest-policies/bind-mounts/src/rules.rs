//! The folders that the settings allow.

use portcullis_policy::{Document, Value};

/// A folder that may be mounted, with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    source: String,
    writable: bool,
    /// Whether mounts that are made in it may appear on the host.
    pub(crate) shared: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules(Vec<Rule>);

// === impl Rules ===

impl Rules {
    pub(crate) fn of(settings: &Document) -> Self {
        Self(settings.at(["allow"]).items().filter_map(|rule| Rule::of(&rule)).collect())
    }

    /// The rule of the deepest folder that has `path` in it.
    pub(crate) fn rule_for(&self, path: &str) -> Option<&Rule> {
        let covering = self.0.iter().filter(|rule| is_within(path, &rule.source));
        covering.max_by_key(|rule| rule.source.len())
    }

    /// Whether `path`, and all that is in it, may be written.
    pub(crate) fn may_write(&self, path: &str) -> bool {
        let mut within = self.0.iter().filter(|rule| is_within(&rule.source, path));
        self.rule_for(path).is_some_and(|rule| rule.writable) && within.all(|rule| rule.writable)
    }
}

impl Rule {
    /// None where it has no absolute path: such a rule allows nothing.
    fn of(rule: &Value) -> Option<Self> {
        let source = rule.at(["source"]).text()?;
        let flag = |name| rule.at([name]).boolean().unwrap_or(false);
        source.starts_with('/').then(|| Self {
            source: source.trim_end_matches('/').to_owned(),
            writable: flag("writable"),
            shared: flag("shared"),
        })
    }
}

/// Whether `path` is `folder`, or in it. The root, without its slash, is empty.
fn is_within(path: &str, folder: &str) -> bool {
    path.trim_end_matches('/').strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, bool)]) -> Rules {
        let rule = |(source, writable): &(&str, bool)| Rule {
            source: (*source).to_owned(),
            writable: *writable,
            shared: false,
        };
        Rules(rules.iter().map(rule).collect())
    }

    #[test]
    fn a_folder_covers_what_is_in_it_and_nothing_beside_it() {
        let cases = [
            ("/srv", "/srv", true),
            ("/srv/a/b", "/srv", true),
            ("/srv/", "/srv", true),
            ("/srv2", "/srv", false),
            ("/sr", "/srv", false),
            ("/", "/srv", false),
            ("/srv", "", true),
            ("/", "", true),
        ];
        for (path, folder, expected) in cases {
            assert_eq!(is_within(path, folder), expected, "{path} in {folder}");
        }
    }

    #[test]
    fn the_deepest_rule_decides_and_holds_for_what_is_mounted_around_it() {
        let rules = rules(&[("/srv", true), ("/srv/www", false), ("/srv/www/cache", true)]);
        let cases = [
            ("/srv/data", true),
            ("/srv/www", false),
            ("/srv/www/logo.png", false),
            ("/srv/www/cache/x", true),
            // Writing here would be writing in `/srv/www`.
            ("/srv", false),
            ("/etc", false),
        ];
        for (path, expected) in cases {
            assert_eq!(rules.may_write(path), expected, "{path}");
        }
        assert_eq!(rules.rule_for("/srv/www/x").map(|rule| &*rule.source), Some("/srv/www"));
        assert_eq!(rules.rule_for("/etc"), None);
    }
}
