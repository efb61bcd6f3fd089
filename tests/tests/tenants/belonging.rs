//! Who belongs where.

use portcullis_tests::Result;
use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::Config;
use portcullis_tests::tls::Authority;

use crate::{Decision, with_tenants};

const DEFAULT: &str = "default";
const UNREADABLE: &str = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";

const TENANTS: [(&str, &str); 11] = [
    (DEFAULT, ""),
    ("by-listener", "match = [{ listener = \"ci\" }]"),
    ("bound", ""),
    ("by-user", "match = [{ user = [\"alice\", \"bob\"] }]"),
    ("by-glob", "match = [{ user = [\"ci-*\", \"build?\"] }]"),
    ("by-organization", "match = [{ organization = \"Example\" }]"),
    ("by-unit", "match = [{ organizational_unit = [\"CI\", \"QA ?\"] }]"),
    ("by-name", "match = [{ alternative_name = [\"URI:spiffe://example/ci/*\", \"DNS:*.ci.example\"] }]"),
    ("by-header", "match = [{ header = { X-Team = \"blue\" } }]"),
    ("by-both", "match = [{ user = \"carol\", header = { X-Team = \"red\" } }]"),
    ("by-either", "match = [{ user = \"erin\" }, { organization = [\"Else\", \"Else Ltd\"] }]"),
];

#[test]
fn every_way_to_belong_leads_to_the_tenant_and_nothing_else_does() -> Result<()> {
    let authority = Authority::new()?;
    let certified = |subject, names| Ok(Caller::anybody().certificate(&authority.certificate(subject, names)?));
    let config =
        Config::new()?.toml("trusted_headers = [\"X-Team\"]").listener("ci", "").listener("team", "tenant = \"bound\"");
    let host = with_tenants(config, &TENANTS)?.start()?;
    let second = authority.certificate("/OU=CI/CN=issuer", "")?;
    let named = Caller::named;
    let team = |value| Caller::anybody().header("X-Team", value);
    let cases: Vec<(&str, &str, Caller, &str)> = vec![
        ("nothing is known", "", Caller::anybody(), DEFAULT),
        ("a listener", "ci", Caller::anybody(), "by-listener"),
        ("a bound listener", "team", Caller::anybody(), "bound"),
        ("a bound listener asks for no match", "team", named("alice").header("X-Team", "blue"), "bound"),
        ("a user", "", named("alice"), "by-user"),
        ("the second user of a list", "", named("bob"), "by-user"),
        ("another case", "", named("Alice"), DEFAULT),
        ("more than the user", "", named("alice2"), DEFAULT),
        ("less than the user", "", named("alic"), DEFAULT),
        ("any characters", "", named("ci-7/x"), "by-glob"),
        ("no characters for `*`", "", named("ci-"), "by-glob"),
        ("less than the glob", "", named("ci"), DEFAULT),
        ("something before the glob", "", named("xci-7"), DEFAULT),
        ("one character", "", named("build7"), "by-glob"),
        ("no character for `?`", "", named("build"), DEFAULT),
        ("two characters for `?`", "", named("build77"), DEFAULT),
        ("an organization", "", certified("/O=Example/CN=x", "")?, "by-organization"),
        ("another organization", "", certified("/O=Example Inc/CN=x", "")?, DEFAULT),
        ("an organization as a unit", "", certified("/OU=Example/CN=x", "")?, DEFAULT),
        ("a unit", "", certified("/OU=CI/CN=x", "")?, "by-unit"),
        ("the second unit", "", certified("/OU=Other/OU=QA 1/CN=x", "")?, "by-unit"),
        ("a common name that is like a unit", "", certified("/CN=CI", "")?, DEFAULT),
        ("an alternative name", "", certified("/CN=x", "URI:spiffe://example/ci/7")?, "by-name"),
        ("its second", "", certified("/CN=x", "DNS:other,DNS:a.ci.example")?, "by-name"),
        ("one of another type", "", certified("/CN=x", "DNS:spiffe://example/ci/7")?, DEFAULT),
        ("another's certificate after its own", "", certified("/CN=x", "")?.certificate(&second), DEFAULT),
        ("a header", "", team("blue"), "by-header"),
        ("its name in another case", "", Caller::anybody().header("x-tEAM", "blue"), "by-header"),
        ("its value in another case", "", team("Blue"), DEFAULT),
        ("a header that is not trusted", "", Caller::anybody().header("X-Squad", "blue"), DEFAULT),
        ("a user and a header", "", named("carol").header("X-Team", "red"), "by-both"),
        ("only the user of both", "", named("carol"), DEFAULT),
        ("only the header of both", "", team("red"), DEFAULT),
        ("the first of two matches", "", named("erin"), "by-either"),
        ("the second of two matches", "", certified("/O=Else Ltd/CN=x", "")?, "by-either"),
    ];
    for (note, listener, caller, tenant) in cases {
        let socket = if listener.is_empty() { host.socket() } else { host.config().socket_of(listener) };
        Decision::at(&host, &socket, &caller)?.assert_of(tenant, note);
    }
    Ok(())
}

/// What is hardest to pretend, first.
const BY_STRENGTH: [(&str, &str); 6] = [
    ("listener", "match = [{ listener = \"ci\" }]"),
    ("alternative-name", "match = [{ alternative_name = \"DNS:x\" }]"),
    ("unit", "match = [{ organizational_unit = \"x\" }]"),
    ("organization", "match = [{ organization = \"x\" }]"),
    ("user", "match = [{ user = \"x\" }]"),
    ("header", "match = [{ header = { X-Team = \"x\" } }]"),
];

/// Every set of attributes that a caller can have, each of which is another tenant's.
#[test]
fn of_all_that_a_caller_has_the_strongest_decides() -> Result<()> {
    let authority = Authority::new()?;
    let config = Config::new()?.toml("trusted_headers = [\"X-Team\"]").listener("ci", "");
    let host = with_tenants(with_tenants(config, &BY_STRENGTH)?, &[(DEFAULT, "")])?.start()?;
    for set in 0_u32..64 {
        let has = |attribute: &str| {
            BY_STRENGTH.iter().position(|(name, _)| *name == attribute).is_some_and(|at| set & 1 << at != 0)
        };
        let strongest = BY_STRENGTH.iter().find(|(name, _)| has(name)).map_or(DEFAULT, |(name, _)| name);
        let socket = if has("listener") { host.config().socket_of("ci") } else { host.socket() };
        let mut caller = Caller::anybody();
        if has("alternative-name") || has("unit") || has("organization") {
            let part = |attribute, text| if has(attribute) { text } else { "" };
            let subject = format!("{}{}/CN=x", part("organization", "/O=x"), part("unit", "/OU=x"));
            caller = caller.certificate(&authority.certificate(&subject, part("alternative-name", "DNS:x"))?);
        }
        if has("user") {
            caller = caller.user("x");
        }
        if has("header") {
            caller = caller.header("X-Team", "x");
        }
        Decision::at(&host, &socket, &caller)?.assert_of(strongest, &format!("{set:06b}"));
    }
    Ok(())
}

#[test]
fn a_match_that_names_more_is_stronger_than_one_that_names_the_same_and_less() -> Result<()> {
    let authority = Authority::new()?;
    let tenants = [
        (DEFAULT, ""),
        ("user", "match = [{ user = \"x\" }]"),
        ("user-header", "match = [{ user = \"*\", header = { X-Team = \"x\" } }]"),
        ("organization", "match = [{ organization = \"*\" }]"),
        ("organization-user", "match = [{ organization = \"*\", user = \"x\" }]"),
    ];
    let host = with_tenants(Config::new()?.toml("trusted_headers = [\"X-Team\"]"), &tenants)?.start()?;
    let certificate = authority.certificate("/O=any/CN=x", "")?;
    let with_header = || Caller::named("x").header("X-Team", "x");
    let cases = [
        ("the user", Caller::named("x"), "user"),
        ("user and header", with_header(), "user-header"),
        ("an organization beats user and header", with_header().user("y").certificate(&certificate), "organization"),
        ("organization and user beat all", with_header().certificate(&certificate), "organization-user"),
    ];
    for (note, caller, tenant) in cases {
        Decision::of(&host, &caller)?.assert_of(tenant, note);
    }
    Ok(())
}

#[test]
fn who_could_be_of_two_tenants_or_shows_what_cannot_be_read_is_denied_and_told_of_nobody() -> Result<()> {
    let authority = Authority::new()?;
    let tenants = [
        (DEFAULT, "default = \"allow\""),
        ("red", "match = [{ organizational_unit = \"Red\" }]"),
        ("blue", "match = [{ organizational_unit = \"Blue\" }]"),
        ("user", "match = [{ user = \"x\" }]"),
        ("listener", "match = [{ listener = \"ci\" }]"),
    ];
    let host = with_tenants(Config::new()?.listener("ci", ""), &tenants)?.start()?;
    let mark = host.mark();
    let both = Caller::named("x").certificate(&authority.certificate("/OU=Red/OU=Blue/CN=x", "")?);
    let unreadable = Caller::named("x").certificate(UNREADABLE);
    let told = "it cannot be told whose rules are to be asked";
    Decision::of(&host, &both)?.assert_unplaced(told, "two units");
    let why = host.wait_for(mark, "the reason in the log", |record| record.text("problem").contains("belongs"))?;
    assert!(why.text("problem").ends_with("belongs to tenant `blue` and to tenant `red`"), "{why:?}");
    Decision::of(&host, &unreadable)?.assert_unplaced("a certificate of the caller cannot be read", "unreadable");
    let own = authority.certificate("/OU=Red/CN=x", "")?;
    let second = Caller::anybody().certificate(&own).certificate(UNREADABLE);
    Decision::of(&host, &second)?.assert_unplaced("a certificate of the caller cannot be read", "the second of two");
    // A stronger match than any that the certificate could make hold.
    for caller in [&both, &unreadable] {
        Decision::at(&host, &host.config().socket_of("ci"), caller)?.assert_of("listener", "a listener");
    }
    Ok(())
}

#[test]
fn a_certificate_that_no_match_asks_for_need_not_be_readable() -> Result<()> {
    let tenants = [(DEFAULT, ""), ("user", "match = [{ user = \"x\" }]")];
    let host = with_tenants(Config::new()?, &tenants)?.start()?;
    for (user, tenant) in [("x", "user"), ("y", DEFAULT)] {
        Decision::of(&host, &Caller::named(user).certificate(UNREADABLE))?.assert_of(tenant, user);
    }
    Ok(())
}

#[test]
fn who_comes_in_by_the_listener_of_a_tenant_that_is_not_there_is_denied() -> Result<()> {
    let config = Config::new()?.listener("team", "tenant = \"late\"");
    let host = with_tenants(config, &[(DEFAULT, "default = \"allow\"")])?.start()?;
    let socket = host.config().socket_of("team");
    Decision::at(&host, &socket, &Caller::anybody())?.assert_unplaced("the tenant of this socket is not there", "none");
    Decision::of(&host, &Caller::anybody())?.assert_of(DEFAULT, "the other listener");
    host.config().put_tenant("late", "")?;
    host.config().put("tenants/late/policies/name.wasm", &portcullis_tests::guests::that_says("late")?)?;
    host.hang_up()?;
    Decision::at(&host, &socket, &Caller::anybody())?.assert_of("late", "when it has come");
    Ok(())
}
