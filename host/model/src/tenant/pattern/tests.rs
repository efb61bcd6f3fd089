use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("is a pattern")
}

#[test]
fn what_is_refused() {
    for (text, expected) in [
        ("", BadPattern::Empty),
        (&*"x".repeat(513), BadPattern::TooLong),
        (&*"*".repeat(513), BadPattern::TooLong),
        ("a\nb", BadPattern::Control("a\nb".to_owned())),
        ("\0", BadPattern::Control("\0".to_owned())),
        ("\u{85}", BadPattern::Control("\u{85}".to_owned())),
    ] {
        assert_eq!(Pattern::new(text), Err(expected), "{text:?}");
    }
    assert!(Pattern::new(&"x".repeat(512)).is_ok());
    assert_eq!(
        BadPattern::Control("a\nb".to_owned()).to_string(),
        r#"a value must have no control characters: "a\nb""#
    );
    assert_eq!(BadPattern::TooLong.to_string(), "a value must not be longer than 512 bytes");
}

#[test]
fn what_is_shown() {
    for (text, shown, is_literal) in
        [("ci", "ci", true), ("***", "*", false), ("a**?**b", "a*?*b", false), ("??", "??", false), ("é?", "é?", false)]
    {
        let pattern = pattern(text);
        assert_eq!((pattern.to_string().as_str(), pattern.is_literal()), (shown, is_literal), "{text}");
    }
}

#[test]
fn literal_beginnings_and_ends() {
    for (text, prefix, suffix) in
        [("ci", "ci", "ci"), ("*", "", ""), ("a*", "a", ""), ("?é", "", "é"), ("ü-*x?é", "ü-", "é"), ("a?b", "a", "b")]
    {
        let pattern = pattern(text);
        assert_eq!((pattern.prefix(), pattern.suffix()), (prefix, suffix), "{text}");
    }
}

#[test]
fn what_fits() {
    for (text, fitting, others) in [
        ("ci", &["ci"][..], &["", "CI", "ci ", "xci", "c"][..]),
        ("ci-*", &["ci-", "ci-a", "ci-*", "ci-a\nb"], &["ci", "CI-a", "xci-a"]),
        ("*", &["", "a", "🦀"], &[]),
        ("?", &["a", "é", "🦀", "?", "*"], &["", "ab", "e\u{301}"]),
        ("a*a", &["aa", "aba", "aaa"], &["a", "ab", "ba"]),
        ("ab*b", &["abb", "abbb"], &["ab"]),
        ("*?", &["a", "ab"], &[""]),
        ("a?*b", &["axb", "axxb", "abbb"], &["ab", "axbc"]),
        ("*ab*ba*", &["abba", "xabxbax"], &["aba", "ba ab", "ab"]),
        ("*-?-*.x", &["a-b-c.x", "---.x"], &["--.x", "a-b-c.y"]),
        (
            "URI:spiffe://example/ci/*",
            &["URI:spiffe://example/ci/a/b"],
            &["DNS:spiffe://example/ci/a", "URI:spiffe://example/ci"],
        ),
    ] {
        let pattern = pattern(text);
        for value in fitting {
            assert!(pattern.matches(value), "{text} fits {value}");
        }
        for value in others {
            assert!(!pattern.matches(value), "{text} does not fit {value}");
        }
    }
}

/// With backtracking into earlier runs, this would not end.
#[test]
fn many_runs_take_no_long_time() {
    let text = "a".repeat(10_000);
    for hard in ["a*".repeat(200) + "b*", "*a".repeat(200) + "b?", format!("*{}b*", "a".repeat(500))] {
        let hard = pattern(&hard);
        assert!(!hard.matches(&text), "{hard}");
        assert!(hard.matches(&format!("{text}bb")), "{hard}");
    }
    let (a, b) = (pattern(&"a*".repeat(256)), pattern(&"*b".repeat(256)));
    assert!(a.overlaps(&b));
    let c = pattern(&"c?".repeat(256));
    assert!(!pattern(&"*d?".repeat(128)).overlaps(&c));
}

#[test]
fn texts_in_common() {
    for (a, b, expected) in [
        ("ci-*", "ci-admin", Some("ci-admin")),
        ("ci-*", "*-admin", Some("ci-admin")),
        ("a*b", "a?b", Some("axb")),
        ("a*", "b*", None),
        ("*a", "*b", None),
        ("?", "??", None),
        ("*a*", "*b*", Some("ab")),
        ("?", "*", Some("x")),
        ("ab*b", "ab", None),
        ("*", "*", Some("")),
        ("é*", "?é", Some("éé")),
    ] {
        let (a, b) = (pattern(a), pattern(b));
        let found = a.common(&b);
        assert_eq!(found.as_deref(), expected, "{a} {b}");
        assert_eq!(b.overlaps(&a), expected.is_some(), "{b} {a}");
    }
}

/// As it is defined, whatever it costs.
fn naively_fits(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|taken| naively_fits(rest, &text[taken..])),
        [c, rest @ ..] => text.first().is_some_and(|d| *c == '?' || c == d) && naively_fits(rest, &text[1..]),
    }
}

fn naively_overlap(a: &[char], b: &[char]) -> bool {
    let longest = a.len() + b.len();
    let mut texts = vec![Vec::new()];
    for _ in 0..=longest {
        if texts.iter().any(|text| naively_fits(a, text) && naively_fits(b, text)) {
            return true;
        }
        texts = texts.iter().flat_map(|text| ['a', 'b'].map(|c| [text.as_slice(), &[c]].concat())).collect();
    }
    false
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn fits_what_the_definition_says(text in "[abé*?]{1,7}", values in prop::collection::vec("[abé]{0,8}", 8)) {
        let pattern = pattern(&text);
        for value in values {
            prop_assert_eq!(pattern.matches(&value), naively_fits(&chars(&text), &chars(&value)), "{} {}", text, value);
        }
    }

    #[test]
    fn fits_what_it_was_made_from(value in "\\PC{1,20}", cuts in prop::collection::vec((0..20_usize, any::<bool>()), 0..5)) {
        let mut made = chars(&value);
        for (at, is_run) in cuts {
            if at < made.len() {
                made[at] = if is_run { '*' } else { '?' };
            }
        }
        let made: String = made.into_iter().collect();
        if let Ok(pattern) = Pattern::new(&made) {
            prop_assert!(pattern.matches(&value));
        }
    }

    #[test]
    fn a_common_text_fits_both(a in "[abx*?]{1,9}", b in "[abx*?]{1,9}") {
        let (a, b) = (pattern(&a), pattern(&b));
        let common = a.common(&b);
        prop_assert!(common.iter().all(|text| a.matches(text) && b.matches(text)), "{} {} {:?}", a, b, common);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn overlaps_where_any_text_fits_both(a in "[ab*?]{1,4}", b in "[ab*?]{1,4}") {
        let expected = naively_overlap(&chars(&a), &chars(&b));
        prop_assert_eq!(pattern(&a).overlaps(&pattern(&b)), expected, "{} {}", a, b);
    }
}
