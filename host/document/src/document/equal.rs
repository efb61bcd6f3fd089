//! Whether two values are equal, without recursion.

use super::value::{Items, Members};
use super::{Kind, Value, number};

/// What is compared, and not yet to its end. The objects, or lists, are of one length.
enum Open<'a> {
    Lists(Items<'a>, Items<'a>),
    Objects(Members<'a>, Value<'a>),
}

pub(super) fn values(left: Value<'_>, right: Value<'_>) -> bool {
    let mut open = Vec::new();
    let mut next = Some((left, right));
    loop {
        if let Some((left, right)) = next.take()
            && !alike(left, right, &mut open)
        {
            return false;
        }
        next = match open.last_mut() {
            None => return true,
            Some(Open::Lists(left, right)) => left.next().zip(right.next()),
            Some(Open::Objects(left, right)) => match left.next() {
                None => None,
                Some((key, value)) => match right.get(key) {
                    Some(other) => Some((value, other)),
                    None => return false,
                },
            },
        };
        if next.is_none() {
            open.pop();
        }
    }
}

/// Whether nothing of the two differs but perhaps what they hold, which is then opened.
fn alike<'a>(left: Value<'a>, right: Value<'a>, open: &mut Vec<Open<'a>>) -> bool {
    if left.kind() != right.kind() || left.len() != right.len() {
        return false;
    }
    match left.kind() {
        Kind::Null => true,
        Kind::Boolean => left.as_bool() == right.as_bool(),
        Kind::Number => left.number_text().zip(right.number_text()).is_some_and(|(a, b)| number::equal(a, b)),
        Kind::Text => left.as_str() == right.as_str(),
        Kind::List | Kind::Object if same_place(left, right) => true,
        Kind::List => {
            open.push(Open::Lists(Items::of(left), Items::of(right)));
            true
        }
        Kind::Object => {
            open.push(Open::Objects(Members::of(left), right));
            true
        }
    }
}

fn same_place(left: Value<'_>, right: Value<'_>) -> bool {
    let places = left.as_flat().zip(right.as_flat());
    places.is_some_and(|((arena, node), (other, other_node))| std::ptr::eq(arena, other) && node == other_node)
}
