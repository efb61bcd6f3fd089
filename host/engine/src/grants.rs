//! What an operator may grant to a policy. Nothing is granted by default.

use thiserror::Error;
use wasmtime::component::{HasSelf, Linker};

use crate::contract::portcullis::policy as interfaces;
use crate::host::Host;

/// Defines [`Grant`]: a line for each, with the interface of the contract that it gives, which is also its name.
macro_rules! grants {
    ($($grant:ident: $interface:ident,)+) => {
        /// A host interface that a policy may import only where it is granted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Grant {
            $($grant,)+
        }

        impl Grant {
            pub const ALL: &[Self] = &[$(Self::$grant,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$grant => stringify!($interface),)+
                }
            }

            fn link(self, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
                match self {
                    $(Self::$grant => interfaces::$interface::add_to_linker::<_, HasSelf<_>>(linker, |host| host),)+
                }
            }
        }
    };
}

grants! {
    Log: log,
    State: state,
    Obligations: obligations,
}

/// A set of grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants(u8);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a grant; there are: {names}", names = Grants::ALL)]
pub struct UnknownGrant(pub String);

// === impl Grant ===

impl Grant {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|grant| grant.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

// === impl Grants ===

impl Grants {
    pub const ALL: Self = Self((1 << Grant::ALL.len()) - 1);
    /// How many sets there are.
    pub(crate) const SETS: usize = 1 << Grant::ALL.len();

    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownGrant> {
        names.into_iter().try_fold(Self::default(), |grants, name| match Grant::named(name) {
            Some(grant) => Ok(Self(grants.0 | grant.bit())),
            None => Err(UnknownGrant(name.to_owned())),
        })
    }

    pub fn has(self, grant: Grant) -> bool {
        self.0 & grant.bit() != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Grant> {
        Grant::ALL.iter().copied().filter(move |grant| self.has(*grant))
    }

    /// Where a table of [`SETS`](Self::SETS) entries has what belongs to this set.
    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    /// A linker for each set, by [`index`](Self::index).
    pub(crate) fn linkers(engine: &wasmtime::Engine) -> wasmtime::Result<Vec<Linker<Host>>> {
        (0..=Self::ALL.0).map(|set| Self(set).linker(engine)).collect()
    }

    /// What a policy may import: what every policy has, and what these give.
    fn linker(self, engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Host>> {
        let mut linker = Linker::new(engine);
        interfaces::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
        interfaces::settings::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
        interfaces::fault::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
        self.iter().try_for_each(|grant| grant.link(&mut linker))?;
        Ok(linker)
    }
}

/// The names, after commas.
impl std::fmt::Display for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, grant) in self.iter().enumerate() {
            write!(f, "{}{}", if position == 0 { "" } else { ", " }, grant.name())?;
        }
        Ok(())
    }
}
