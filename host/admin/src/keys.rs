//! `/v1/tenants/{tenant}/state/{origin}/{policy}`: the keys that one policy keeps for one tenant.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::Admin;
use crate::error::Failure;
use crate::state::{Cleared, Which, cleared, reading};

/// Keys that are listed at once, unless fewer are wanted.
const PAGE: usize = 1000;

/// A page of keys, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    pub keys: Vec<KeyStatus>,
    /// `after` of the next page; none where this is the last one.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStatus {
    pub key: String,
    /// Of the value.
    pub bytes: u64,
}

/// What a key holds, in every form that it can be read in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    pub key: String,
    pub bytes: u64,
    pub base64: String,
    /// Where it has the 8 bytes of a counter.
    pub counter: Option<i64>,
    /// Where it is UTF-8.
    pub text: Option<String>,
}

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The last key of the page before.
    after: Option<String>,
    limit: Option<usize>,
}

/// Whose space is in [`Which`], of the same path.
#[derive(Debug, Deserialize)]
pub struct Key {
    key: String,
}

pub async fn list(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Keys>, Failure> {
    let Query(page) = page.map_err(|bad| Failure::bad_request(bad.body_text()))?;
    let most = page.most()?;
    let (store, space) = (admin.store, which.space()?);
    // One more says whether there are more.
    let found = reading(&store, move |store| store.keys(&space, page.after.as_deref(), most + 1)).await?;
    let has_more = found.len() > most;
    let keys: Vec<_> =
        found.into_iter().take(most).map(|key| KeyStatus { key: key.key, bytes: key.value_bytes }).collect();
    let next = keys.last().filter(|_| has_more).map(|last| last.key.clone());
    Ok(Json(Keys { keys, next }))
}

pub async fn read(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    Path(Key { key }): Path<Key>,
) -> Result<Json<KeyValue>, Failure> {
    let (store, space, wanted) = (admin.store, which.space()?, key.clone());
    let value = reading(&store, move |store| store.get(&space, &wanted)).await?;
    match value {
        Some(value) => Ok(Json(KeyValue::new(key, value))),
        None => Err(Failure::new(StatusCode::NOT_FOUND, format!("there is no key `{key}`"))),
    }
}

pub async fn clear(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    Path(Key { key }): Path<Key>,
) -> Result<Json<Cleared>, Failure> {
    cleared(admin.store.clear_key(which.space()?, key).await)
}

// === impl Page ===

impl Page {
    fn most(&self) -> Result<usize, Failure> {
        match self.limit {
            None => Ok(PAGE),
            Some(limit @ 1..=PAGE) => Ok(limit),
            Some(limit) => Err(Failure::bad_request(format!("`limit` is {limit}; expected 1 to {PAGE}"))),
        }
    }
}

// === impl KeyValue ===

impl KeyValue {
    fn new(key: String, value: Vec<u8>) -> Self {
        Self {
            key,
            bytes: value.len() as u64,
            base64: base64_simd::STANDARD.encode_to_string(&value),
            counter: value.as_slice().try_into().ok().map(i64::from_le_bytes),
            text: String::from_utf8(value).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes; as base64, a counter, a text.
    type Case = (&'static [u8], &'static str, Option<i64>, Option<&'static str>);

    #[test]
    fn a_value_is_told_in_every_form_that_it_has() {
        let cases: [Case; 4] = [
            (b"", "", None, Some("")),
            (b"hello", "aGVsbG8=", None, Some("hello")),
            (&[3, 0, 0, 0, 0, 0, 0, 0], "AwAAAAAAAAA=", Some(3), Some("\u{3}\0\0\0\0\0\0\0")),
            (&[255; 8], "//////////8=", Some(-1), None),
        ];
        for (value, base64, counter, text) in cases {
            let message = KeyValue::new("k".into(), value.to_vec());
            let expected = KeyValue {
                key: "k".into(),
                bytes: value.len() as u64,
                base64: base64.into(),
                counter,
                text: text.map(str::to_owned),
            };
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_page_has_a_bound() {
        let most = |limit| Page { after: None, limit }.most().ok();
        assert_eq!(
            [None, Some(1), Some(PAGE), Some(0), Some(PAGE + 1)].map(most),
            [Some(PAGE), Some(1), Some(PAGE), None, None]
        );
    }
}
