//! A policy that a test asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_model as model;
use portcullis_model::Obligation;
use serde_json::Value;

use super::paths::Paths;
use super::{Call, json, reading};
use crate::native::{self, Context, LogLine};
use crate::{Decide, Document, Request, Verdict};

/// A policy with its settings, data and state, on which a test calls. It keeps its state from one call to the next.
#[derive(Clone, Debug)]
pub struct Policy {
    decide: Decide,
    data: Arc<model::Data>,
    context: Context,
}

impl Policy {
    pub fn new(decide: Decide) -> Self {
        Self { decide, data: Arc::default(), context: Context::default() }
    }

    /// # Panics
    /// Where the host would not take them.
    #[must_use]
    #[expect(clippy::expect_used, reason = "called by tests")]
    pub fn settings(mut self, settings: Value) -> Self {
        self.context.settings = json::document(&settings).expect("settings that the host takes");
        self
    }

    /// The operator's documents: an object, a member each.
    ///
    /// # Panics
    /// Where `documents` is no object, or something in it that the host would not take.
    #[must_use]
    #[expect(clippy::expect_used, reason = "called by tests")]
    pub fn data(mut self, documents: Value) -> Self {
        let documents = documents.as_object().expect("an object of documents");
        self.data = json::data(documents).expect("data that the host takes");
        self
    }

    /// Something that the policy has kept.
    #[must_use]
    pub fn state(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.context.state.insert(key.to_owned(), value.into());
        self
    }

    /// # Panics
    /// Where the host would refuse the call without asking a policy, or would end the decision with a fault.
    #[expect(clippy::panic, reason = "called by tests")]
    pub fn ask(&mut self, call: &Call) -> Verdict {
        match reading::read(call.wire(), Paths::default()) {
            Ok(request) => self.ask_about(request),
            Err(refusal) => panic!("the host refuses {call:?}: {refusal}"),
        }
    }

    /// What the policy has kept.
    pub fn kept(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.context.state
    }

    /// What the policy demanded of the last call.
    pub fn demanded(&self) -> &[Obligation] {
        &self.context.obligations
    }

    /// What the policy has written.
    pub fn log(&self) -> &[LogLine] {
        &self.context.log
    }

    pub(super) fn ask_about(&mut self, request: Arc<dyn model::Request>) -> Verdict {
        let request = Request(native::types::Request(request));
        let data = Document(native::types::Document::Data(Arc::clone(&self.data)));
        self.context.obligations.clear();
        let context = std::mem::take(&mut self.context);
        let (verdict, context) = native::run(context, || (self.decide)(&request, &data));
        self.context = context;
        verdict
    }

    pub(super) fn with(decide: Decide, data: Arc<model::Data>, context: Context) -> Self {
        Self { decide, data, context }
    }
}
