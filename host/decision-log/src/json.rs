//! Structs that are written as JSON and read from it. serde reads them; to write them, it takes more than twice as long,
//! which every decision would pay: here a key is one piece, and a text is looked at many bytes at a time.

use std::borrow::Cow;

use portcullis_document::write_text;

/// What can be a member of such a struct.
pub(crate) trait Json {
    /// Whether nothing is known of it.
    fn is_unknown(&self) -> bool {
        false
    }

    fn write(&self, out: &mut String);
}

/// Defines a struct, a line for each member. One with `=> is_unknown` is left out where nothing is known of it.
macro_rules! json {
    ($(
        $(#[$about:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $($(#[$attribute:meta])* pub $member:ident: $type:ty $(=> $is_left_out:ident)?,)+
        }
    )+) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Deserialize)]
        pub struct $name $(<$life>)? {
            $($(#[$attribute])* pub $member: $type,)+
        }

        impl $(<$life>)? serde::Serialize for $name $(<$life>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut members = serializer.serialize_map(None)?;
                $(if ![$(self.$member.$is_left_out())?].contains(&true) {
                    members.serialize_entry(stringify!($member), &self.$member)?;
                })+
                members.end()
            }
        }

        impl $(<$life>)? crate::json::Json for $name $(<$life>)? {
            fn write(&self, out: &mut String) {
                let mut separator = '{';
                $(if ![$(self.$member.$is_left_out())?].contains(&true) {
                    out.push(std::mem::replace(&mut separator, ','));
                    out.push_str(concat!("\"", stringify!($member), "\":"));
                    self.$member.write(out);
                })+
                out.push('}');
            }
        }
    )+};
}
pub(crate) use json;

impl Json for Cow<'_, str> {
    fn write(&self, out: &mut String) {
        write_text(self, out);
    }
}

impl<T: Json> Json for Option<T> {
    fn is_unknown(&self) -> bool {
        self.is_none()
    }

    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

impl<T: Json> Json for Vec<T> {
    fn is_unknown(&self) -> bool {
        self.is_empty()
    }

    fn write(&self, out: &mut String) {
        out.push('[');
        for (at, item) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            item.write(out);
        }
        out.push(']');
    }
}

macro_rules! numbers {
    ($($number:ident)+) => {$(
        impl Json for $number {
            fn is_unknown(&self) -> bool {
                *self == 0
            }

            fn write(&self, out: &mut String) {
                out.push_str(itoa::Buffer::new().format(*self));
            }
        }
    )+};
}
numbers!(u64 u32 i32);
