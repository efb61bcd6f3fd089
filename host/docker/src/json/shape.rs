//! What the daemon decodes a body into.

/// The type of a position in a body. `null` is taken everywhere and sets nothing.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Anything; keys are taken as they are, and none may repeat.
    Any,
    /// What stands under a member that no known daemon has. A newer daemon may have a structure there, so keys that are
    /// one to a structure may not repeat either.
    Unknown,
    Boolean,
    Text,
    /// A text that is base64.
    Base64,
    Integer(Integer),
    Float32,
    /// A list of texts. Daemons up to 28 take one text for a list of one (Go's `strslice.StrSlice`), and so it is read.
    Texts,
    List(&'static Shape),
    /// Go's array of two.
    Pair(&'static Shape),
    /// Keys are the caller's own, and taken as they are.
    Map(&'static Shape),
    Structure(&'static Structure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integer {
    I64,
    U64,
    U32,
    U16,
}

#[derive(Debug)]
pub struct Structure {
    pub name: &'static str,
    pub fields: &'static [Field],
}

#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    /// Whether only old daemons read it here: a member of `HostConfig` at the root of a container create.
    pub stray: bool,
    /// What its items are in a view, where a call may have so many of them and no more.
    pub counted: Option<Counted>,
}

/// Items of one view, of all members together that have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Mounts,
    Devices,
    SecurityOptions,
    Capabilities,
    Networks,
    Ports,
    Labels,
    Environment,
    Options,
    Limits,
    Names,
    References,
}

// === impl Shape ===

impl Shape {
    /// Whether any value may stand here.
    pub(super) fn is_free(self) -> bool {
        matches!(self, Self::Any | Self::Unknown)
    }

    pub(super) fn takes_number(self, number: &str) -> bool {
        match self {
            Self::Any | Self::Unknown => true,
            Self::Integer(integer) => integer.takes(number),
            Self::Float32 => number.parse::<f32>().is_ok_and(f32::is_finite),
            Self::Boolean
            | Self::Text
            | Self::Base64
            | Self::Texts
            | Self::List(_)
            | Self::Pair(_)
            | Self::Map(_)
            | Self::Structure(_) => false,
        }
    }

    /// For messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Any | Self::Unknown => "a value",
            Self::Boolean => "true or false",
            Self::Text => "a string",
            Self::Base64 => "base64",
            Self::Integer(Integer::I64) => "a whole number of 64 bits",
            Self::Integer(Integer::U64) => "a positive whole number of 64 bits",
            Self::Integer(Integer::U32) => "a positive whole number of 32 bits",
            Self::Integer(Integer::U16) => "a positive whole number of 16 bits",
            Self::Float32 => "a number of 32 bits",
            Self::Texts | Self::List(_) => "a list",
            Self::Pair(_) => "a list of two",
            Self::Map(_) | Self::Structure(_) => "an object",
        }
    }
}

// === impl Counted ===

impl Counted {
    pub(super) const KINDS: usize = 12;

    /// As they are called in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Devices => "devices",
            Self::SecurityOptions => "security options",
            Self::Capabilities => "capabilities",
            Self::Networks => "networks",
            Self::Ports => "ports",
            Self::Labels => "labels and annotations",
            Self::Environment => "environment variables",
            Self::Options => "options of drivers",
            Self::Limits => "limits of resources",
            Self::Names => "names and addresses",
            Self::References => "secrets and configs",
        }
    }

    /// So many may be in one call.
    pub(crate) fn most(self) -> usize {
        match self {
            // They are published by ranges, and each counts.
            Self::Ports => 16 << 10,
            // Tools write labels and variables by the thousand, and lists of hosts can be long.
            Self::Labels | Self::Environment | Self::Names => 16 << 10,
            Self::Mounts
            | Self::Devices
            | Self::SecurityOptions
            | Self::Capabilities
            | Self::Networks
            | Self::Options
            | Self::Limits
            | Self::References => 4096,
        }
    }
}

// === impl Integer ===

impl Integer {
    /// Whether Go takes this JSON number: no fraction, no exponent, in range.
    fn takes(self, number: &str) -> bool {
        match self {
            Self::I64 => number.parse::<i64>().is_ok(),
            Self::U64 => !number.starts_with('-') && number.parse::<u64>().is_ok(),
            Self::U32 => !number.starts_with('-') && number.parse::<u32>().is_ok(),
            Self::U16 => !number.starts_with('-') && number.parse::<u16>().is_ok(),
        }
    }
}

/// The bytes of a text that [`is_base64`], as Go decodes it.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    is_base64(text).then(|| base64_simd::forgiving_decode_to_vec(text.as_bytes()).ok()).flatten()
}

/// As Go's `base64.StdEncoding` takes it: padded, with line ends anywhere, and whatever the last bits are.
pub(super) fn is_base64(text: &str) -> bool {
    let digits = || text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    let plain = digits().take_while(|byte| *byte != b'=').count();
    let all = digits().count();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    all.is_multiple_of(4)
        && all - plain <= 2
        && digits().take(plain).all(is_digit)
        && digits().skip(plain).all(|byte| byte == b'=')
}
