//! Which tenant a caller belongs to.
//!
//! A tenant names its callers in [`Match`]es; a [`Placement`] is all tenants' matches together, and finds the one tenant
//! of a [`Caller`].
//!
//! **The order.** The more a match names, the stronger it is, and what is hardest to pretend counts most: listener,
//! alternative name, organizational unit, organization, user, header ([`Attribute`]). Each match has a mask of the
//! attributes that it names, the listener's bit the highest, the header's the lowest; of the matches that hold for a
//! caller, those with the highest mask decide. So a match by listener alone is stronger than one that names everything
//! else.
//!
//! **One tenant.** Two matches of different tenants with the same mask that one caller could satisfy are an [`Overlap`],
//! and the table is refused. A caller could satisfy both when, for each attribute that both name, one value fits both.
//! What only one of them names keeps nobody out of the other: headers of different names share one bit of the mask, a
//! caller can send both, and so a match by `X-A` and one by `X-B` overlap, whatever their values.
//!
//! A certificate can have several alternative names, organizations and units. Of these only one single value that fits
//! both makes an overlap, for otherwise no two tenants could be told apart by them; a caller that has a value for each
//! is found by both all the same, and gets [`Unplaced::Ambiguous`].

mod attribute;
mod caller;
mod index;
mod matching;
mod overlap;
mod pattern;
mod placement;
mod table;
#[cfg(test)]
mod tests;

pub use attribute::{Attribute, HeaderName};
pub use caller::Caller;
pub use matching::{BadMatch, Match};
pub use overlap::Overlap;
pub use pattern::{BadPattern, Pattern};
pub use placement::{Placement, Unplaced};
