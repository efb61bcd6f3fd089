//! What is found is what the written order says, for any tenants and callers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::caller::{Someone, key, named};
use crate::tenant::{Attribute, Caller as _, Match, Overlap, Pattern, Placement, Unplaced};

/// From the strongest; headers are one.
const ORDER: [&[&str]; 6] =
    [&["listener"], &["alternative_name"], &["organizational_unit"], &["organization"], &["user"], &["x-a", "x-b"]];

fn attribute() -> impl Strategy<Value = Attribute> {
    prop::sample::select(ORDER.concat()).prop_map(key)
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let text = prop_oneof![3 => "[ab]{1,3}", 1 => "[ab]{1,2}\\*", 1 => "\\*[ab]{1,2}", 1 => "[ab*?]{1,3}"];
    text.prop_map(|text| Pattern::new(&text).expect("is a pattern"))
}

fn matching() -> impl Strategy<Value = Match> {
    let patterns = prop::collection::vec(pattern(), 1..3);
    prop::collection::btree_map(attribute(), patterns, 1..4).prop_map(|wanted| Match::new(wanted).expect("is a match"))
}

fn tenants() -> impl Strategy<Value = Vec<Vec<Match>>> {
    prop::collection::vec(prop::collection::vec(matching(), 0..5), 0..8)
}

/// One in eight has a certificate that cannot be read.
fn caller(values: usize) -> impl Strategy<Value = Someone> {
    let one = (attribute(), prop::collection::vec("[ab]{1,3}", 1..=values));
    (prop::collection::vec(one, 3..8), 0..8).prop_map(move |(named, torn)| {
        let mut all: BTreeMap<Attribute, Vec<String>> = named.into_iter().collect();
        all.entry(Attribute::Listener).or_insert_with(|| vec!["docker".to_owned()]).truncate(1);
        for (attribute, values) in &mut all {
            if !attribute.is_of_certificate() {
                values.truncate(1);
            }
        }
        let mut caller = Someone::with(all);
        if torn == 0 {
            caller.make_unreadable();
        }
        caller
    })
}

/// Those that are left when of two that overlap the later one goes.
fn accepted(mut tenants: Vec<Vec<Match>>) -> (Vec<Vec<Match>>, Placement) {
    loop {
        match Placement::new(named(&tenants)) {
            Ok(placement) => return (tenants, placement),
            Err(overlaps) => _ = tenants.remove(number(overlaps[0].second.as_str())),
        }
    }
}

fn number(name: &str) -> usize {
    name[1..].parse().expect("is a number")
}

/// Which of the order's attributes it names, as text that sorts by strength.
fn strength(wanted: &Match) -> String {
    let names = |keys: &[&str]| wanted.wanted().any(|(named, _)| keys.iter().any(|name| *named == key(name)));
    ORDER.iter().map(|keys| if names(keys) { '1' } else { '0' }).collect()
}

fn holds(wanted: &Match, caller: &Someone, is_asked: impl Fn(&Attribute) -> bool) -> bool {
    let fits = |patterns: &[Pattern], value: &String| patterns.iter().any(|pattern| pattern.matches(value));
    let mut asked = wanted.wanted().filter(|(attribute, _)| is_asked(attribute));
    asked.all(|(attribute, patterns)| caller.values(attribute).iter().any(|value| fits(patterns, value)))
}

#[derive(Debug, PartialEq)]
enum Expected {
    Tenants(BTreeSet<usize>),
    Unreadable,
}

/// All matches by the written order, and whether the certificate had to be read.
fn naively_find(tenants: &[Vec<Match>], caller: &Someone) -> (Expected, bool) {
    let all = || tenants.iter().enumerate().flat_map(|(tenant, matches)| matches.iter().map(move |one| (tenant, one)));
    let strengths: BTreeSet<String> = all().map(|(_, one)| strength(one)).collect();
    let mut is_read = false;
    for strongest in strengths.iter().rev() {
        let equal = || all().filter(|(_, one)| strength(one) == *strongest);
        let depends = |one: &Match| {
            one.wanted().any(|(attribute, _)| attribute.is_of_certificate())
                && holds(one, caller, |attribute| !attribute.is_of_certificate())
        };
        is_read |= equal().any(|(_, one)| depends(one));
        if is_read && caller.is_unreadable() {
            return (Expected::Unreadable, true);
        }
        let found: BTreeSet<usize> =
            equal().filter(|(_, one)| holds(one, caller, |_| true)).map(|(tenant, _)| tenant).collect();
        if !found.is_empty() {
            return (Expected::Tenants(found), is_read);
        }
    }
    (Expected::Tenants(BTreeSet::new()), is_read)
}

fn naively_overlap(first: &Match, second: &Match) -> bool {
    let common = |attribute: &Attribute, patterns: &[Pattern]| {
        second
            .wanted()
            .filter(|(other, _)| *other == attribute)
            .all(|(_, others)| patterns.iter().any(|pattern| others.iter().any(|other| pattern.overlaps(other))))
    };
    strength(first) == strength(second) && first.wanted().all(|(attribute, patterns)| common(attribute, patterns))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn finds_what_the_order_says(tenants in tenants(), callers in prop::collection::vec(caller(3), 16)) {
        let (tenants, placement) = accepted(tenants);
        for caller in callers {
            let (expected, is_read) = naively_find(&tenants, &caller);
            let found = placement.find(&caller);
            prop_assert_eq!(caller.readings(), usize::from(is_read));
            match (found, expected) {
                (Ok(found), Expected::Tenants(expected)) => prop_assert_eq!(BTreeSet::from_iter(found), expected),
                (Err(Unplaced::Ambiguous { first, second }), Expected::Tenants(expected)) => {
                    let (first, second) = (number(first.as_str()), number(second.as_str()));
                    prop_assert!(first < second && expected.contains(&first) && expected.contains(&second));
                }
                (Err(Unplaced::Certificate(_)), Expected::Unreadable) => {}
                (found, expected) => prop_assert!(false, "{:?} is not {:?}", found, expected),
            }
        }
    }

    #[test]
    fn who_has_one_value_of_each_has_one_tenant(tenants in tenants(), callers in prop::collection::vec(caller(1), 16)) {
        let (_, placement) = accepted(tenants);
        for caller in callers {
            let found = placement.find(&caller);
            prop_assert!(!matches!(found, Err(Unplaced::Ambiguous { .. })), "{:?}", found);
        }
    }

    #[test]
    fn exactly_the_pairs_that_overlap_are_named(tenants in tenants()) {
        let mut expected = BTreeSet::new();
        for (second, of_second) in tenants.iter().enumerate() {
            for (first, of_first) in tenants.iter().enumerate().take(second) {
                if of_first.iter().any(|a| of_second.iter().any(|b| naively_overlap(a, b))) {
                    expected.insert((first, second));
                }
            }
        }
        let overlaps = Placement::new(named(&tenants)).err().unwrap_or_default();
        let found: Vec<_> = overlaps.iter().map(|one| (number(one.first.as_str()), number(one.second.as_str()))).collect();
        prop_assert_eq!(found, Vec::from_iter(expected));
    }

    #[test]
    fn two_that_overlap_have_a_caller_in_common(tenants in tenants()) {
        for Overlap { first, second, witness, .. } in Placement::new(named(&tenants)).err().unwrap_or_default() {
            let caller = Someone::with(witness.into_iter().map(|(attribute, value)| (attribute, vec![value])).collect());
            let held_with = |name: &str| -> BTreeSet<String> {
                let matches = tenants[number(name)].iter();
                matches.filter(|one| holds(one, &caller, |_| true)).map(strength).collect()
            };
            let (of_first, of_second) = (held_with(first.as_str()), held_with(second.as_str()));
            prop_assert!(!of_first.is_disjoint(&of_second), "{:?} {} {}", caller, first, second);
        }
    }

    /// A caller says the same in both ways of asking.
    #[test]
    fn callers_of_these_tests_are_what_they_say(caller in caller(2)) {
        prop_assert_eq!(Some(caller.listener()), caller.values(&Attribute::Listener).first().map(String::as_str));
        prop_assert_eq!(caller.user(), caller.values(&Attribute::User).first().map(String::as_str));
        prop_assert_eq!(caller.header("X-A"), caller.values(&key("x-a")).first().map(String::as_str));
    }
}
