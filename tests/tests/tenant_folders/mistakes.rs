//! Mistakes in `tenant.toml`, and in the names of folders.

use std::fs;

use portcullis_tests::Result;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::Config;

use crate::{OTHER, ask, io, problem_of, tenant_toml};

const LOST: &str = "tenant cannot be loaded; calls that no other tenant matches are denied until it is mended";
const TIME: &str = "expected a time such as \"20ms\", \"5s\", \"2m\" or \"7d\"";
const SIZE: &str = "expected a size such as \"512KiB\", \"6MiB\" or \"1GiB\"";
const NUMBER: &str = "expected a whole number from 0 to 4294967295";
const TEXTS: &str = "expected text in quotes, or a list of such texts";
const PATTERN: &str = "expected text, in which `*` stands for any characters and `?` for one";
const SOMETHING: &str =
    "name at least one of listener, user, organization, organizational_unit, alternative_name, header";
const NOTHING: &str = "`[[match]]` names nothing, and would match every caller";
const EACH: &str = "write each one as `[[match]]`";

/// A tenant's file; and of each mistake in it: the line, what is wrong, how to mend it.
type Case = (&'static str, &'static [(u32, &'static str, &'static str)]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("default = \"maybe\"", &[(1, "`default` is `maybe`", "expected \"allow\" or \"deny\"")]),
    ("default = true", &[(1, "`default` is a boolean", "expected text in quotes")]),
    ("grants = \"log\"", &[(1, "`grants` is a string", "expected a list, `[…]`")]),
    ("grants = [1]", &[(1, "`grants` has an item that is an integer (expected text in quotes)", "expected a list, `[…]`")]),
    ("grants = [\"log\", \"network\"]", &[(1, "`grants` names `network`, which is not a grant", "there are: log, state, obligations")]),
    ("\n\nzzz = 1", &[(3, "unknown key `zzz`", "expected one of: match, default, mode, grants, limits")]),
    ("defautl = \"deny\"", &[(1, "unknown key `defautl`", "did you mean `default`?")]),
    ("default = ", &[(1, "not TOML: string values must be quoted, expected literal string", "see https://toml.io for the format")]),
    ("default = \"deny\"\ndefault = \"deny\"", &[(2, "not TOML: duplicate key", "see https://toml.io for the format")]),

    ("limits = 5", &[(1, "`limits` is an integer", "write it as a table, `[limits]`")]),
    ("[limits]\ndedline = \"1s\"", &[(2, "unknown key `[limits] dedline`", "did you mean `deadline`?")]),
    ("[limits]\ndeadline = 5", &[(2, "`[limits] deadline` is an integer", TIME)]),
    ("[limits]\ndeadline = \"20\"", &[(2, "`[limits] deadline` is `20`", TIME)]),
    ("[limits]\ndeadline = \"0ms\"", &[(2, "`[limits] deadline` is 0 ms", "expected 1 ms to 10 s")]),
    ("[limits]\ndeadline = \"11s\"", &[(2, "`[limits] deadline` is 11 s", "expected 1 ms to 10 s")]),
    ("[limits]\nmemory = \"1TiB\"", &[(2, "`[limits] memory` is `1TiB`", SIZE)]),
    ("[limits]\nmemory = \"32KiB\"", &[(2, "`[limits] memory` is 32768 bytes", "expected 64KiB to 262144KiB")]),
    ("[limits]\nmemory = \"257MiB\"", &[(2, "`[limits] memory` is 269484032 bytes", "expected 64KiB to 262144KiB")]),
    ("[limits]\nmemory = -1", &[(2, "`[limits] memory` is out of range", SIZE)]),
    ("[limits]\ntable_elements = 100001", &[(2, "`[limits] table_elements` is 100001", "expected at most 100000")]),
    ("[limits]\ntable_elements = \"many\"", &[(2, "`[limits] table_elements` is a string", NUMBER)]),
    ("[limits]\nlog_lines = -1", &[(2, "`[limits] log_lines` is out of range", NUMBER)]),
    ("[limits]\nlog_lines = 1.5", &[(2, "`[limits] log_lines` is a float", NUMBER)]),
    ("[limits]\ninstructions = 0", &[(2, "`[limits] instructions` is 0", "expected at least 1")]),
    ("[limits]\ninstructions = -1", &[(2, "`[limits] instructions` is out of range", "expected a whole number")]),
    ("[limits]\ninstructions = \"few\"", &[(2, "`[limits] instructions` is a string", "expected a whole number")]),
    ("[limits]\ndecisions = 0", &[(2, "`[limits] decisions` is 0", "expected at least 1")]),
    ("[limits]\ndecisions = 4294967296", &[(2, "`[limits] decisions` is out of range", NUMBER)]),
    ("[limits]\nqueue = \"9\"", &[(2, "`[limits] queue` is a string", NUMBER)]),
    ("[limits]\nqueue_wait = 1", &[(2, "`[limits] queue_wait` is an integer", TIME)]),
    ("[limits]\nmemory_in_sum = \"1MiB\"", &[(2, "`[limits] memory_in_sum` is 1048576 bytes", "expected room for one policy, 33554432 bytes")]),
    ("[limits]\nmemory_in_sum = []", &[(2, "`[limits] memory_in_sum` is an array", SIZE)]),
    ("[limits]\nstate_keys = -5", &[(2, "`[limits] state_keys` is out of range", NUMBER)]),
    ("[limits]\nstate_bytes = true", &[(2, "`[limits] state_bytes` is a boolean", SIZE)]),
    ("[limits]\nlog_lines_per_second = []", &[(2, "`[limits] log_lines_per_second` is an array", NUMBER)]),
    ("[limits]\npolicies = 0", &[(2, "`[limits] policies` is 0", "expected at least 1")]),
    ("[limits]\npolicies = {}", &[(2, "`[limits] policies` is a table", NUMBER)]),
    ("[limits]\npolicy_bytes = \"x\"", &[(2, "`[limits] policy_bytes` is `x`", SIZE)]),
    ("[limits]\ndata_bytes = 1.0", &[(2, "`[limits] data_bytes` is a float", SIZE)]),

    ("match = 5", &[(1, "`match` is an integer", EACH)]),
    ("match = [5]", &[(1, "`match` holds an integer", EACH)]),
    ("[match]\nuser = \"x\"", &[(1, "`match` is a table", EACH)]),
    ("\n[[match]]", &[(2, NOTHING, SOMETHING)]),
    ("[[match]]\nusr = \"x\"\nuser = \"y\"", &[(2, "unknown key `[[match]] usr`", "did you mean `user`?")]),
    ("[[match]]\nuser = 5\norganization = \"x\"", &[(2, "`[[match]] user` is an integer", TEXTS)]),
    ("[[match]]\nuser = [\"x\", 5]\norganization = \"x\"", &[(2, "`[[match]] user` has an item that is an integer (expected text in quotes)", TEXTS)]),
    ("[[match]]\norganization = []", &[(1, NOTHING, SOMETHING), (2, "`organization` is an empty list, which matches nobody", "name at least one, or leave it out")]),
    ("[[match]]\norganizational_unit = \"\"\nuser = \"x\"", &[(2, "`organizational_unit`: a value must not be empty: `*` stands for any", PATTERN)]),
    ("[[match]]\nalternative_name = \"URI:\\u0007\"\nuser = \"x\"", &[(2, "`alternative_name`: a value must have no control characters: \"URI:\\u{7}\"", PATTERN)]),
    ("[[match]]\nlistener = \"nowhere\"", &[(2, "`listener` names `nowhere`, which is not a listener", "portcullis.toml has: docker, free")]),
    ("[[match]]\nlistener = [\"free\", \"n*\"]", &[(2, "`listener` names `n*`, which is not a listener", "portcullis.toml has: docker, free")]),
    ("[[match]]\nlistener = \"taken\"", &[(2, "`listener` names `taken`, all of whose callers belong to the tenant that it is bound to", "remove `tenant` from that `[[listener]]` of portcullis.toml, or this key")]),
    ("[[match]]\nheader = \"X-Team\"\nuser = \"x\"", &[(2, "`header` is a string", "write it as a table, `[header]`")]),
    ("[[match]]\nheader = { X-Team = 5 }\nuser = \"x\"", &[(2, "`[match.header] X-Team` is an integer", TEXTS)]),
    ("[[match]]\nheader = { X-Spoof = \"x\" }", &[(2, "the header `X-Spoof` is not trusted: any caller could send it", "put it into `trusted_headers` of portcullis.toml if something before the daemon always sets it")]),
    ("[[match]]\nheader = { X-Team = [] }\nuser = \"x\"", &[(2, "`X-Team` is an empty list, which matches nobody", "name at least one, or leave it out")]),
    ("[[match]]\nheader = { X-Team = \"a\", x-team = \"b\" }", &[(1, "`header x-team` is named twice", "name each attribute once")]),

    ("defalt = \"deny\"\n[[match]]\nuser = 7\n[limits]\ndecisions = 0\n", &[
        (1, "unknown key `defalt`", "did you mean `default`?"),
        (2, NOTHING, SOMETHING),
        (3, "`[[match]] user` is an integer", TEXTS),
        (5, "`[limits] decisions` is 0", "expected at least 1"),
    ]),
];

#[test]
fn every_mistake_in_a_tenants_file_is_told_with_its_line_and_how_to_mend_it() -> Result<()> {
    let mut config = Config::new()?
        .toml("trusted_headers = [\"X-Team\"]")
        .listener("free", "")
        .listener("taken", "tenant = \"other\"")
        .tenant(OTHER, &tenant_toml(OTHER, ""))?
        .tenant_says(OTHER, OTHER)?
        .tenant("default", "match = [{ user = \"x\" }]")?;
    for (number, (toml, _)) in CASES.iter().enumerate() {
        config = config.tenant(&format!("t{number}"), toml)?;
    }
    let host = config.start()?;
    let path =
        |tenant: &str| host.config().path().join("tenants").join(tenant).join("tenant.toml").display().to_string();
    let mut wrong = Vec::new();
    for (number, (toml, mistakes)) in CASES.iter().enumerate() {
        let tenant = format!("t{number}");
        let told = problem_of(&host, Log::START, &tenant, LOST)?;
        let path = path(&tenant);
        let mistakes = mistakes.iter().map(|(line, what, help)| format!("{path}:{line}: {what}\n  help: {help}"));
        let expected = mistakes.collect::<Vec<_>>().join("\n");
        if told != expected {
            wrong.push(format!("{toml}\n--- was told as\n{told}\n--- and not as\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Nobody knows what a broken file would have said of the others.
    let told = problem_of(&host, Log::START, "default", LOST)?;
    let of_no_use = "`match` is of no use here: all callers that belong to no other tenant belong to `default`";
    let help = "leave it out, or give the tenant another name";
    assert_eq!(told, format!("{}:1: {of_no_use}\n  help: {help}", path("default")));
    assert_eq!(ask(&host, OTHER)?.msg, crate::OF_OTHER);
    Ok(())
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_told() -> Result<()> {
    let large = vec![b'#'; (1 << 20) + 1];
    let long = format!("match = [{{ user = \"{}\" }}, {{ user = \"x\" }}]", "y".repeat(513));
    let cases: [(&str, &[u8], &str); 3] = [
        ("binary", b"default = \"\xff\"", ": is not UTF-8 text"),
        ("large", &large, ": is 1048577 bytes large; at most 1048576 are read"),
        ("long", long.as_bytes(), ":1: `user`: a value must not be longer than 512 bytes\n  help: "),
    ];
    let mut config = Config::new()?;
    for (name, bytes, _) in cases {
        config = config.tenant(name, "")?.file(&format!("tenants/{name}/tenant.toml"), bytes)?;
    }
    let host = config.start()?;
    for (name, _, expected) in cases {
        let told = problem_of(&host, Log::START, name, LOST)?;
        let path = host.config().path().join("tenants").join(name).join("tenant.toml");
        assert!(told.starts_with(&format!("{}{expected}", path.display())), "{told}");
    }
    Ok(())
}

#[test]
fn folders_whose_names_are_no_tenants_are_told_and_those_that_are_hidden_are_not_looked_at() -> Result<()> {
    let long = "x".repeat(65);
    let bad = ["Upper", "with space", "-first", "_first", "a.b", "ünïcode", &long];
    let config = Config::new()?.tenant(OTHER, &tenant_toml(OTHER, ""))?.tenant_says(OTHER, OTHER)?;
    let tenants = config.path().join("tenants");
    for name in bad.iter().chain(&[".hidden"]) {
        fs::create_dir_all(tenants.join(name)).map_err(io)?;
    }
    fs::write(tenants.join("README"), "no folder").map_err(io)?;
    let host = config.start()?;
    for name in bad {
        let expected = format!(
            "{}: `{name}` is not a tenant's name: at most 64 lower-case letters, digits, `-` and `_`, the first a \
             letter or digit\n  help: rename the folder",
            tenants.join(name).display()
        );
        host.wait_for(Log::START, name, |record| record.text("problem") == expected && record.level() == "ERROR")?;
    }
    let records = host.records(Log::START);
    let told = records.iter().filter(|record| record.message() == "tenant cannot be loaded; it is not active");
    assert_eq!(told.count(), bad.len());
    assert_eq!(ask(&host, OTHER)?.msg, crate::OF_OTHER);
    Ok(())
}
