//! Documents for tests, from `serde_json` and back.

use serde_json::Value as Json;

use super::{Builder, Document, Node};

/// A document as the reader would make it.
pub(crate) fn document(json: &Json) -> Document {
    let mut builder = Builder::new(0);
    let root = node(&mut builder, json);
    builder.finish(String::new(), root)
}

pub(crate) fn read(text: &str) -> Document {
    document(&serde_json::from_str(text).expect("JSON"))
}

pub(crate) fn json(document: &Document) -> Json {
    serde_json::from_str(&document.root().to_json()).expect("JSON")
}

fn node(builder: &mut Builder, json: &Json) -> Node {
    match json {
        Json::Null => Node::NULL,
        Json::Bool(value) => Node::boolean(*value),
        Json::Number(number) => Node::number(builder.unescaped(&number.to_string())),
        Json::String(text) => Node::text(builder.unescaped(text)),
        Json::Array(items) => {
            let mark = builder.mark();
            for item in items {
                let item = node(builder, item);
                builder.item(item);
            }
            builder.close_list(mark)
        }
        Json::Object(members) => {
            let mark = builder.mark();
            for (key, value) in members {
                let value = node(builder, value);
                let key = builder.unescaped(key);
                builder.member(key, value);
            }
            builder.close_object("", mark).expect("the keys differ")
        }
    }
}
