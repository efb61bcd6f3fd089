//! Writing a document as JSON, without recursion: a document may be nested deeper than a thread's stack.

use std::fmt::Write as _;

use super::{Document, Kind, Member, Node};

/// Appends `root` with no space in it.
pub(super) fn value(document: &Document, root: Node, out: &mut String) {
    let mut open = vec![(root, 0)];
    scalar_or_opening(document, root, out);
    while let Some((container, written)) = open.last_mut() {
        let Some((key, child)) = child(document, *container, *written) else {
            out.push_str(closing(*container));
            open.pop();
            continue;
        };
        if *written > 0 {
            out.push(',');
        }
        *written += 1;
        if let Some(key) = key {
            text(key, out);
            out.push(':');
        }
        scalar_or_opening(document, child, out);
        open.push((child, 0));
    }
}

/// Appends a JSON string.
pub(crate) fn text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('\n') => out.push_str("\\n"),
            Some(quoted @ ('"' | '\\')) => out.extend(['\\', quoted]),
            Some(control) => _ = write!(out, "\\u{:04x}", u32::from(control)),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn child(document: &Document, container: Node, position: usize) -> Option<(Option<&str>, Node)> {
    match container.kind() {
        Kind::List => document.items(container).get(position).map(|item| (None, *item)),
        Kind::Object => {
            let Member { key, value } = document.members(container).get(position)?;
            Some((Some(document.str(*key)), *value))
        }
        Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => None,
    }
}

fn scalar_or_opening(document: &Document, node: Node, out: &mut String) {
    match node.kind() {
        Kind::Null => out.push_str("null"),
        Kind::Boolean => out.push_str(if node == Node::boolean(true) { "true" } else { "false" }),
        Kind::Number => out.push_str(document.str(node.span())),
        Kind::Text => text(document.str(node.span()), out),
        Kind::List => out.push('['),
        Kind::Object => out.push('{'),
    }
}

fn closing(node: Node) -> &'static str {
    match node.kind() {
        Kind::List => "]",
        Kind::Object => "}",
        Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => "",
    }
}
