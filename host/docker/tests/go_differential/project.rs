//! What Go would have decoded, from what the reader read: members that are absent or null are absent, those that no
//! structure has are gone, and a null in a list or map is its type's zero.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use portcullis_docker::json::Shape;
use portcullis_document::{Kind, Value};
use serde_json::{Map, Value as Json, json};

/// As Go's: padded, and careless about the last bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(crate) fn decoded(value: Value<'_>, shape: Shape) -> Json {
    if value.kind() == Kind::Null {
        return zero(shape);
    }
    match shape {
        Shape::Any | Shape::Unknown => unreachable!("no operation has such a body"),
        Shape::Boolean => json!(value.as_bool()),
        Shape::Text => json!(value.as_str()),
        Shape::Base64 => bytes(value.as_str().expect("is text")),
        Shape::Integer(_) => {
            let text = value.number_text().expect("is a number");
            text.parse::<i64>().map(Json::from).or_else(|_| text.parse::<u64>().map(Json::from)).expect("is whole")
        }
        Shape::Float32 => json!(value.number_text().and_then(|text| text.parse::<f32>().ok()).map(f32::to_bits)),
        Shape::Texts => value.items().map(|value| decoded(value, Shape::Text)).collect(),
        Shape::List(item) => value.items().map(|value| decoded(value, *item)).collect(),
        Shape::Pair(item) => {
            let missing = std::iter::repeat_with(|| json!(0));
            value.items().map(|value| decoded(value, *item)).chain(missing).take(2).collect()
        }
        Shape::Map(of) => {
            value.members().map(|(key, value)| (key.to_owned(), decoded(value, *of))).collect::<Map<_, _>>().into()
        }
        Shape::Structure(structure) => {
            let mut members = Map::new();
            for field in structure.fields.iter().filter(|field| !field.stray) {
                if let Some(value) = value.get(field.name).filter(|value| value.kind() != Kind::Null) {
                    members.insert(field.name.to_owned(), decoded(value, field.shape));
                }
            }
            members.into()
        }
    }
}

fn bytes(text: &str) -> Json {
    let bytes = BASE64.decode(text.replace(['\r', '\n'], "")).expect("is base64");
    json!(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn zero(shape: Shape) -> Json {
    match shape {
        Shape::Boolean => json!(false),
        Shape::Text => json!(""),
        Shape::Integer(_) | Shape::Float32 => json!(0),
        Shape::Pair(_) => json!([0, 0]),
        Shape::Structure(_) => json!({}),
        Shape::Base64 | Shape::Texts | Shape::List(_) | Shape::Map(_) | Shape::Any | Shape::Unknown => Json::Null,
    }
}
