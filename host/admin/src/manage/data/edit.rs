//! Changing a document in memory.

use std::sync::Arc;

use portcullis_document::{Bounds, ChangeError, Document, Why, patch};

use crate::manage::data::{DocumentPath, no_document};
use crate::manage::{ManageError, Precondition};

/// What is to become of a place.
#[derive(Debug)]
pub(crate) enum Edit {
    Put(Given),
    /// RFC 6902.
    Patch(Document),
    /// RFC 7396.
    Merge(Document),
    Remove,
}

/// A value that a caller gave.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) document: Document,
    /// Its text, where that is YAML.
    pub(crate) yaml: Option<Vec<u8>>,
}

/// A document on its way from what is active to what is to be written.
pub(super) struct Version<'n> {
    name: &'n str,
    files: &'n [String],
    /// None where there is none; or why what lies on the disk is not known.
    document: Result<Option<Arc<Document>>, String>,
    /// The text to be written, where it is not the document's JSON.
    text: Option<Vec<u8>>,
    changed: bool,
}

// === impl Version ===

impl<'n> Version<'n> {
    /// Of what lies in `files`; `why` says why that is not active, where it is not.
    pub(super) fn new(
        name: &'n str,
        files: &'n [String],
        document: Option<Arc<Document>>,
        why: impl Fn() -> String,
    ) -> Self {
        let is_known = document.is_some() || files.is_empty();
        let document = if is_known { Ok(document) } else { Err(why()) };
        Self { name, files, document, text: None, changed: false }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether what the caller takes to be there is: not where another change came first whose tag he cannot know.
    pub(super) fn check(&self, precondition: &Precondition, tag: Option<&str>) -> Result<bool, ManageError> {
        if !self.changed {
            return precondition.check(&label(self.name), tag).map(|()| true);
        }
        let is_there = !matches!(self.document, Ok(None));
        Ok(match precondition {
            Precondition::Anything => true,
            Precondition::Something => is_there,
            Precondition::Nothing => !is_there,
            Precondition::Tags(_) => false,
        })
    }

    /// Makes one change, or none.
    pub(super) fn apply(&mut self, place: &DocumentPath, edit: Edit, bounds: Bounds<'_>) -> Result<(), ManageError> {
        let pointer = place.pointer.as_str();
        let is_whole = pointer.is_empty();
        let (after, text) = match edit {
            Edit::Remove if is_whole => {
                if self.files.is_empty() && !self.changed || matches!(self.document, Ok(None)) {
                    return Err(no_document(self.name));
                }
                (None, None)
            }
            Edit::Put(given) if is_whole => {
                self.only_one_file()?;
                let text = given.yaml.filter(|_| self.may_be_yaml());
                (Some(given.document), text)
            }
            edit @ (Edit::Put(_) | Edit::Patch(_) | Edit::Merge(_) | Edit::Remove) => {
                (Some(self.edited(pointer, edit, bounds)?), None)
            }
        };
        self.document = Ok(after.map(Arc::new));
        (self.text, self.changed) = (text, true);
        Ok(())
    }

    /// The file, its document, and its text where that is not the document's JSON; none where it is to be removed.
    pub(super) fn into_content(self) -> Option<(String, Arc<Document>, Option<Vec<u8>>)> {
        let document = self.document.ok()??;
        let extension = if self.text.is_some() { "yaml" } else { "json" };
        let file = self.files.first().cloned().unwrap_or_else(|| format!("{}.{extension}", self.name));
        // Writing takes a time of the whole size anyway.
        let document = if document.needs_compaction() { Arc::new(document.compacted()) } else { document };
        Some((file, document, self.text))
    }

    /// A part changed, or the whole by a patch.
    fn edited(&self, pointer: &str, edit: Edit, bounds: Bounds<'_>) -> Result<Document, ManageError> {
        self.only_one_file()?;
        let before = self
            .document
            .as_ref()
            .map_err(|why| ManageError::Conflict(format!("{} is not as its file has it: {why}", label(self.name))))?;
        let empty = || Arc::new(Document::default());
        match edit {
            Edit::Put(given) => {
                let before = before.as_ref().ok_or_else(|| no_document(self.name))?;
                before.set(pointer, &given.document).map_err(|error| self.unfit(&error))
            }
            Edit::Remove => {
                let before = before.as_ref().ok_or_else(|| no_document(self.name))?;
                before.remove(pointer).map_err(|error| self.unfit(&error))
            }
            Edit::Merge(example) => {
                let made = || if pointer.is_empty() { Ok(empty()) } else { Err(no_document(self.name)) };
                let before = before.clone().map_or_else(made, Ok)?;
                patch::merge_at(&before, pointer, &example, bounds).map_err(|error| self.unfit(&error))
            }
            Edit::Patch(operations) => {
                let made = || {
                    let may = pointer.is_empty() && begins_with_all(&operations);
                    if may { Ok(empty()) } else { Err(no_document(self.name)) }
                };
                let before = before.clone().map_or_else(made, Ok)?;
                if before.pointer(pointer).is_none() && !begins_with_all(&operations) {
                    return Err(ManageError::Missing(format!("{}: nothing at `{pointer}`", label(self.name))));
                }
                patch::apply_at(&before, pointer, &operations, bounds).map_err(|error| self.unpatched(&error))
            }
        }
    }

    fn only_one_file(&self) -> Result<(), ManageError> {
        match self.files {
            [one, other, ..] => Err(ManageError::Conflict(format!(
                "`{one}` and `{other}` are both {}; remove one of them, or both by DELETE",
                label(self.name)
            ))),
            [] | [_] => Ok(()),
        }
    }

    /// Whether the file that is there, or is to be made, can have YAML.
    fn may_be_yaml(&self) -> bool {
        self.files.first().is_none_or(|file| !file.ends_with(".json"))
    }

    fn unfit(&self, error: &ChangeError) -> ManageError {
        let message = format!("{}: {error}", label(self.name));
        match error.why {
            Why::Nothing { .. } | Why::PastEnd { .. } => ManageError::Missing(message),
            Why::NotPointer => ManageError::Malformed(message),
            Why::Size { .. } => ManageError::TooLarge(message),
            Why::Scalar { .. }
            | Why::NotPosition { .. }
            | Why::Root
            | Why::IntoItself { .. }
            | Why::Differs { .. }
            | Why::Depth
            | Why::Work { .. }
            | Why::Over => ManageError::Invalid(message),
        }
    }

    fn unpatched(&self, error: &patch::PatchError) -> ManageError {
        let message = format!("{}: {error}", label(self.name));
        if !error.is_of_document() {
            ManageError::Malformed(error.to_string())
        } else if matches!(error.why(), Some(Why::Size { .. })) {
            ManageError::TooLarge(message)
        } else if error.is_test() {
            ManageError::Conflict(message)
        } else {
            ManageError::Invalid(message)
        }
    }
}

/// Whether a patch needs nothing that is there before: its first operation is `add` at "".
fn begins_with_all(operations: &Document) -> bool {
    let first = operations.root().at(0);
    let member = |name| first.and_then(|first| first.get(name)).and_then(|value| value.as_str());
    member("op") == Some("add") && member("path") == Some("")
}

/// Another change of the same batch came first.
pub(super) fn overtaken(name: &str, tag: Option<&str>) -> ManageError {
    let is = tag.map_or_else(|| "not there".to_owned(), |tag| format!("`{tag}`"));
    ManageError::Precondition { what: label(name), is }
}

fn label(name: &str) -> String {
    format!("document `{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(json: &str) -> Edit {
        Edit::Put(Given { document: portcullis_config::document::from_json(json).expect("JSON"), yaml: None })
    }

    fn place(path: &str) -> DocumentPath {
        DocumentPath::of_path(path).expect(path)
    }

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn version<'n>(files: &'n [String], json: Option<&str>) -> Version<'n> {
        let document = json.map(|json| Arc::new(portcullis_config::document::from_json(json).expect("JSON")));
        Version::new("n", files, document, || "it is broken".to_owned())
    }

    fn json(version: Version<'_>) -> Option<(String, String)> {
        version.into_content().map(|(file, document, _)| (file, document.root().to_json()))
    }

    #[test]
    fn changes_that_wait_together_are_made_one_after_the_other() {
        let there = files(&["n.json"]);
        let mut version = version(&there, Some("{}"));
        let one = Precondition::Tags(vec!["1".to_owned()]);
        assert!(version.check(&one, Some("2")).is_err());
        assert!(version.check(&one, Some("1")).expect("holds"));
        version.apply(&place("n/a"), given("1"), Bounds::default()).expect("is set");
        // Nobody can know the tag of what is not written yet.
        assert!(!version.check(&one, Some("1")).expect("is told later"));
        assert!(version.check(&Precondition::Something, Some("1")).expect("holds"));
        version.apply(&place("n/b/c"), given("1"), Bounds::default()).expect_err("no `b`");
        version.apply(&place("n"), Edit::Remove, Bounds::default()).expect("is removed");
        assert!(!version.check(&Precondition::Something, Some("1")).expect("does not hold"));
        assert!(version.check(&Precondition::Nothing, Some("1")).expect("holds"));
        assert!(matches!(
            version.apply(&place("n"), Edit::Remove, Bounds::default()),
            Err(ManageError::NotFound { .. })
        ));
        version.apply(&place("n"), given("[]"), Bounds::default()).expect("is made");
        version.apply(&place("n/-"), given("2"), Bounds::default()).expect("is added");
        assert_eq!(json(version), Some(("n.json".to_owned(), "[2]".to_owned())));
    }

    #[test]
    fn what_is_not_known_is_only_replaced_as_a_whole() {
        for (there, known) in [(files(&["n.json"]), false), (files(&["n.json", "n.yml"]), true)] {
            let document = known.then_some("{}");
            for edit in [given("1"), Edit::Remove, Edit::Merge(Document::default()), Edit::Patch(Document::default())] {
                let refused = version(&there, document).apply(&place("n/a"), edit, Bounds::default());
                assert!(matches!(refused, Err(ManageError::Conflict(_))), "{there:?}: {refused:?}");
            }
            assert_eq!(version(&there, document).apply(&place("n"), given("1"), Bounds::default()).is_ok(), !known);
            let mut removed = version(&there, document);
            removed.apply(&place("n"), Edit::Remove, Bounds::default()).expect("both are removed");
            assert!(removed.is_changed() && json(removed).is_none());
        }
        let mut new = version(&[], None);
        assert!(matches!(new.apply(&place("n"), Edit::Remove, Bounds::default()), Err(ManageError::NotFound { .. })));
        new.apply(&place("n"), given("1"), Bounds::default()).expect("is made");
        assert_eq!(json(new), Some(("n.json".to_owned(), "1".to_owned())));
    }

    #[test]
    fn yaml_stays_as_it_was_sent_where_the_file_can_have_it() {
        let yaml = || Edit::Put(Given { document: Document::default(), yaml: Some(b"{} # empty".to_vec()) });
        for (there, path, expected, is_yaml) in [
            (files(&[]), "n", "n.yaml", true),
            (files(&["n.yml"]), "n", "n.yml", true),
            (files(&["n.json"]), "n", "n.json", false),
            (files(&["n.yaml"]), "n/a", "n.yaml", false),
        ] {
            let mut version = version(&there, (!there.is_empty()).then_some("{}"));
            version.apply(&place(path), yaml(), Bounds::default()).expect("is put");
            let (file, _, text) = version.into_content().expect("is there");
            assert_eq!((file.as_str(), text.is_some()), (expected, is_yaml), "{there:?} {path}");
        }
    }
}
