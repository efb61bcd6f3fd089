//! Attributes, matches and messages. What is found for whom is in `properties.rs`.

use super::*;

mod caller;
mod properties;

use self::caller::{Someone, key, tenants};

#[test]
fn attributes_are_in_the_order_of_their_strength() {
    let all = ["listener", "alternative_name", "organizational_unit", "organization", "user", "X-A"].map(key);
    for (stronger, weaker) in all.iter().zip(all.iter().skip(1)) {
        assert!(stronger < weaker, "{stronger} {weaker}");
    }
    let strength = |keys: &[&str]| {
        let named = keys.iter().map(|name| (key(name), vec![Pattern::new("*").expect("is a pattern")]));
        Match::new(named).expect("is a match").mask()
    };
    let mut last = strength(&["X-A"]);
    for keys in [
        &["user"][..],
        &["user", "X-A"],
        &["organization"],
        &["organization", "user", "X-A"],
        &["organizational_unit"],
        &["organizational_unit", "organization", "user", "X-A"],
        &["alternative_name"],
        &["alternative_name", "organizational_unit", "organization", "user", "X-A"],
        &["listener"],
        &["listener", "X-A"],
    ] {
        assert!(strength(keys) > last, "{keys:?}");
        last = strength(keys);
    }
    assert_eq!(strength(&["X-A"]), strength(&["X-B"]));
    assert_eq!(strength(&["X-A"]), strength(&["X-A", "X-B"]));
}

#[test]
fn what_is_no_match() {
    let a = || vec![Pattern::new("a").expect("is a pattern")];
    for (wanted, expected, message) in [
        (vec![], BadMatch::Nothing, "a match must name something that the caller must have"),
        (vec![(key("user"), vec![])], BadMatch::NoValue(key("user")), "`user` must have a value"),
        (vec![(key("user"), a()), (key("user"), a())], BadMatch::Twice(key("user")), "`user` is named twice"),
        (
            vec![(key("X-Team"), a()), (key("listener"), a()), (key("x-tEAM"), a())],
            BadMatch::Twice(key("x-team")),
            "`header x-team` is named twice",
        ),
    ] {
        assert_eq!(expected.to_string(), message);
        assert_eq!(Match::new(wanted), Err(expected));
    }
    let mixed = Match::new([(key("X-B"), a()), (key("user"), a()), (key("X-A"), a())]).expect("is a match");
    assert_eq!(
        mixed.wanted().map(|(attribute, _)| attribute.to_string()).collect::<Vec<_>>(),
        ["user", "header x-a", "header x-b"]
    );
}

/// Whom each belongs to: none, or the number of the tenant.
#[test]
fn the_strongest_match_decides() {
    let placement = Placement::new(tenants(&[
        &["user=ci-* user=build", "listener=ci X-Team=ci"],
        &["listener=ci", "organizational_unit=QA"],
        &["user=admin organizational_unit=CI"],
        &["organization=Example user=x", "alternative_name=URI:spiffe://example/*"],
    ]))
    .expect("none overlap");
    for (caller, expected) in [
        ("", None),
        ("user=ci-1", Some(0)),
        ("user=build", Some(0)),
        ("user=CI-1", None),
        ("user=ci-1 listener=ci", Some(1)),
        ("listener=ci X-Team=ci", Some(0)),
        ("listener=ci X-Team=qa", Some(1)),
        ("user=ci-1 organizational_unit=QA", Some(1)),
        ("user=admin organizational_unit=CI", Some(2)),
        ("user=admin organizational_unit=CI organizational_unit=QA", Some(2)),
        ("user=admin", None),
        ("user=x organization=Other organization=Example", Some(3)),
        ("user=x organization=Example organizational_unit=QA", Some(1)),
        ("organizational_unit=QA alternative_name=URI:spiffe://example/a", Some(3)),
        ("alternative_name=DNS:spiffe://example/a", None),
    ] {
        assert_eq!(placement.find(&Someone::new(caller)), Ok(expected), "{caller}");
    }
    assert_eq!(Placement::default().find(&Someone::new("user=a")), Ok(None));
}

#[test]
fn only_the_own_certificate_counts() {
    let placement = Placement::new(tenants(&[&["organizational_unit=CI"]])).expect("none overlap");
    let mut caller = Someone::new("organizational_unit=CI");
    caller.put_certificate_before("organization=Other");
    assert_eq!(placement.find(&caller), Ok(None));
}

#[test]
fn a_caller_of_two_tenants_is_told_no_names() {
    let placement = Placement::new(tenants(&[&["user=x"], &["organizational_unit=A"], &["organizational_unit=B"]]));
    let caller = Someone::new("user=x organizational_unit=B organizational_unit=A");
    let unplaced = placement.expect("none overlap").find(&caller).expect_err("is of two");
    assert_eq!(unplaced.to_string(), "the caller belongs to tenant `t1` and to tenant `t2`");
    assert!(!unplaced.public_message().contains("t1") && !unplaced.public_message().contains("t2"));
}

/// Whether an unreadable certificate matters, and whether one is looked at.
#[test]
fn the_certificate_is_read_when_a_match_depends_on_it() {
    let placement = Placement::new(tenants(&[
        &["listener=ci"],
        &["user=a organizational_unit=CI", "user=a organization=X"],
        &["user=a*"],
    ]))
    .expect("none overlap");
    for (caller, is_read) in [("", false), ("listener=ci user=a", false), ("user=ab", false), ("user=a", true)] {
        let mut someone = Someone::new(caller);
        _ = placement.find(&someone);
        assert_eq!(someone.readings(), usize::from(is_read), "{caller}");
        someone.make_unreadable();
        let found = placement.find(&someone);
        assert_eq!(matches!(found, Err(Unplaced::Certificate(_))), is_read, "{caller}");
    }
    let by_certificate = Placement::new(tenants(&[&["organization=X"]])).expect("none overlap");
    let mut someone = Someone::new("user=a");
    someone.make_unreadable();
    let unplaced = by_certificate.find(&someone).expect_err("cannot be read");
    assert_eq!(
        unplaced.to_string(),
        "the tenant of the caller depends on a certificate: certificate 1 of the caller cannot be read: torn"
    );
}

#[test]
fn what_overlaps() {
    for (first, second, expected) in [
        ("user=ci-*", "user=ci-admin", Some("user `ci-*` and user `ci-admin`")),
        ("user=ci-a", "user=ci-b", None),
        ("user=b user=a", "user=c user=a", Some("user `a` and user `a`")),
        ("user=a", "organization=a", None),
        ("user=a X-A=a", "user=a", None),
        ("X-A=a", "X-B=b", Some("header x-a `a` and header x-b `b`")),
        ("X-A=a", "x-a=b", None),
        ("X-A=a", "X-A=b X-B=b", None),
        ("X-A=a", "X-A=? X-B=b", Some("header x-a `a` and header x-a `?` with header x-b `b`")),
        ("user=a X-A=a", "user=b X-B=b", None),
        ("listener=ci user=*", "listener=* user=a", Some("listener `ci` with user `*` and listener `*` with user `a`")),
        ("listener=ci user=*", "listener=qa user=a", None),
        ("organizational_unit=A", "organizational_unit=B", None),
        (
            "organizational_unit=A*",
            "organizational_unit=*",
            Some("organizational_unit `A*` and organizational_unit `*`"),
        ),
    ] {
        let found = Placement::new(tenants(&[&[first], &[second]])).err();
        let what = found.map(|overlaps| overlaps.into_iter().map(|overlap| overlap.what).collect::<Vec<_>>());
        assert_eq!(what, expected.map(|what| vec![what.to_owned()]), "{first} {second}");
        let of_one = tenants(&[&[first, second]]);
        assert!(Placement::new(of_one).is_ok(), "one tenant's: {first} {second}");
    }
}

/// Each pair once, by the strongest of its matches.
#[test]
fn every_pair_that_overlaps_is_named() {
    let overlaps = Placement::new(tenants(&[
        &["user=a", "organization=x"],
        &["user=b"],
        &["user=*", "organization=*"],
        &["listener=*"],
        &["user=b", "user=?"],
    ]))
    .expect_err("overlap");
    let shown: Vec<String> = overlaps.iter().map(Overlap::to_string).collect();
    assert_eq!(
        shown,
        [
            "tenants `t0` and `t2` overlap: organization `x` and organization `*` both hold for a caller with organization `x`",
            "tenants `t0` and `t4` overlap: user `a` and user `?` both hold for a caller with user `a`",
            "tenants `t1` and `t2` overlap: user `b` and user `*` both hold for a caller with user `b`",
            "tenants `t1` and `t4` overlap: user `b` and user `?` both hold for a caller with user `b`",
            "tenants `t2` and `t4` overlap: user `*` and user `?` both hold for a caller with user `x`",
        ]
    );
}
