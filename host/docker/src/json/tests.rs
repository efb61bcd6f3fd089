use portcullis_document::Kind;

use super::shapes::{
    ALL, CONTAINER_HOSTCONFIG, CONTAINERCREATEBODY, PLUGIN_PRIVILEGE, SWARM_SECRETSPEC, SWARM_UPDATECONFIG,
};
use super::{Problem, Shape, fold, read, read_body};

const CREATE: Shape = Shape::Structure(&CONTAINERCREATEBODY);
const HOST: Shape = Shape::Structure(&CONTAINER_HOSTCONFIG);

fn json(text: &str, shape: Shape) -> Result<String, Problem> {
    read(text, shape).map(|document| document.root().to_json()).map_err(|error| error.problem)
}

#[test]
fn values_are_read_as_they_stand() {
    for (text, expected) in [
        (" {\"a\" : [ 1 , -0.5e+3 , true,false ,null , \"\" ] }\r\n\t", r#"{"a":[1,-0.5e+3,true,false,null,""]}"#),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[[],{},[{}]]", "[[],{},[{}]]"),
        ("0", "0"),
        ("-0", "-0"),
        ("1e999999", "1e999999"),
        (r#""\"\\\/\b\f\n\r\t\u0041\u00e9""#, "\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\u0009Aé\""),
        (
            r#""a long plain stretch, then \u0041 and another long plain stretch""#,
            r#""a long plain stretch, then A and another long plain stretch""#,
        ),
        (r#""\ud83d\ude00\uD83D\uDE00""#, "\"😀😀\""),
        (r#""\ud800""#, "\"\u{fffd}\""),
        (r#""\udc00x""#, "\"\u{fffd}x\""),
        (r#""\ud800\ud800\udc00""#, "\"\u{fffd}\u{10000}\""),
        (r#""\ud800\n""#, "\"\u{fffd}\\n\""),
        (r#""\ud800A""#, "\"\u{fffd}A\""),
        ("\"\u{7f}\u{2028}é\"", "\"\u{7f}\u{2028}é\""),
        (r#"{"a\u0000":1,"a":2}"#, r#"{"a\u0000":1,"a":2}"#),
        (r#"{"a":1,"A":2,"":3}"#, r#"{"a":1,"A":2,"":3}"#),
    ] {
        assert_eq!(json(text, Shape::Any).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for (text, problem) in [
        ("", Problem::End),
        (" ", Problem::End),
        ("\u{feff}{}", Problem::Unexpected('\u{feff}')),
        ("{} {}", Problem::Trailing),
        ("{}}", Problem::Trailing),
        ("1 2", Problem::Trailing),
        ("[1,]", Problem::Unexpected(']')),
        ("[1 2]", Problem::Unexpected('2')),
        ("[1", Problem::End),
        ("[1}", Problem::Unexpected('}')),
        ("{\"a\"}", Problem::Unexpected('}')),
        ("{\"a\":}", Problem::Unexpected('}')),
        ("{\"a\":1,}", Problem::Unexpected('}')),
        ("{a:1}", Problem::Unexpected('a')),
        ("{'a':1}", Problem::Unexpected('\'')),
        ("nul", Problem::Unexpected('n')),
        ("True", Problem::Unexpected('T')),
        ("NaN", Problem::Unexpected('N')),
        ("// c\n1", Problem::Unexpected('/')),
        ("01", Problem::Trailing),
        ("+1", Problem::Unexpected('+')),
        (".5", Problem::Unexpected('.')),
        ("-", Problem::End),
        ("-a", Problem::Number),
        ("1.", Problem::End),
        ("1.x", Problem::Number),
        ("1e", Problem::End),
        ("1e+", Problem::End),
        ("1ex", Problem::Number),
        ("0x1", Problem::Trailing),
        ("\"", Problem::End),
        ("\"\\", Problem::End),
        ("\"\\x41\"", Problem::Escape),
        ("\"\\u12\"", Problem::End),
        ("\"\\u12g4\"", Problem::Escape),
        ("\"\\u+123\"", Problem::Escape),
        ("\"a\nb\"", Problem::Control),
        ("\"\u{0}\"", Problem::Control),
        ("\"eight by\u{1f}tes\"", Problem::Control),
    ] {
        assert_eq!(json(text, Shape::Any), Err(problem), "{text:?}");
    }
    for bytes in [&b"\"\xff\""[..], b"\xc3\x28", b"{\"\xed\xa0\x80\":1}"] {
        assert_eq!(read(bytes, Shape::Any).map_err(|error| error.problem).err(), Some(Problem::NotUtf8));
    }
}

#[test]
fn an_error_says_where_it_is() {
    for (text, place) in [
        ("{\"a\": 1,\n \"é\": x}", "line 2, column 7: `x` does not belong here"),
        ("{\"a\":1,\n\"b\":2, \"a\":3}", "line 2, column 9: the key `a` is there twice"),
        ("[1,2", "line 1, column 5: the text ends too early"),
    ] {
        assert_eq!(read(text, Shape::Any).map_err(|error| error.to_string()).err().as_deref(), Some(place));
    }
}

#[test]
fn keys_of_structures_are_matched_as_go_does_and_rewritten() {
    for key in ["HostConfig", "hostconfig", "HOSTCONFIG", "HoſtConfig", r"\u0048ostConfig", r"Ho\u017ftConfig"] {
        let text = format!(r#"{{"{key}":{{"ſecurityopt":["x"],"lin{}s":null}}}}"#, '\u{212a}');
        let expected = r#"{"HostConfig":{"SecurityOpt":["x"],"Links":null}}"#;
        assert_eq!(json(&text, CREATE).as_deref(), Ok(expected), "{key}");
    }
    for key in ["HostConfig ", "Host_Config", "HöstConfig", "ßostConfig", "HostConfi", "HostConfigs", ""] {
        let text = format!(r#"{{"{key}":{{"a":1}}}}"#);
        assert_eq!(json(&text, CREATE).as_deref(), Ok(text.as_str()), "{key}");
    }
}

#[test]
fn keys_of_maps_stay_as_they_are() {
    let text = r#"{"Labels":{"a":"1","A":"2","Privileged":"3"},"HostConfig":{"Sysctls":{"ſ":"x","s":"y"}}}"#;
    assert_eq!(json(text, CREATE).as_deref(), Ok(text));
    let nested = r#"{"hostconfig":{"portbindings":{"80/tcp":[{"hostport":"1"}]}}}"#;
    let expected = r#"{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"1"}]}}}"#;
    assert_eq!(json(nested, CREATE).as_deref(), Ok(expected));
}

#[test]
fn a_key_that_repeats_is_refused() {
    for (text, key) in [
        (r#"{"HostConfig":{"Privileged":true},"HostConfig":{}}"#, "HostConfig"),
        (r#"{"HostConfig":null,"HostConfig":null}"#, "HostConfig"),
        (r#"{"HostConfig":{},"hostconfig":{}}"#, "hostconfig"),
        (r#"{"hostconfig":{},"HostConfig":{}}"#, "HostConfig"),
        (r#"{"HostConfig":{"Privileged":true,"privileged":false}}"#, "privileged"),
        (r#"{"HostConfig":{"Links":[],"LinKs":[]}}"#, "LinKs"),
        (r#"{"Labels":{"a":"1","b":"2","a":"3"}}"#, "a"),
        (r#"{"Labels":{"a":"1","\u0061":"3"}}"#, "a"),
        (r#"{"New":1,"new":2}"#, "new"),
        (r#"{"New":{"A":1,"a":2}}"#, "a"),
        (r#"{"New":[{"s":1,"ſ":2}]}"#, "ſ"),
        (r#"{"Image":"a","New":1,"New":2}"#, "New"),
        (r#"{"Privileged":true,"HostConfig":{},"privileged":true}"#, "privileged"),
    ] {
        assert_eq!(json(text, CREATE), Err(Problem::Repeated(key.to_owned())), "{text}");
    }
    let many = |last: &str| {
        let labels: Vec<String> = (0..200).map(|number| format!(r#""k{number}":"""#)).collect();
        json(&format!(r#"{{"Labels":{{{},"{last}":""}}}}"#, labels.join(",")), CREATE)
    };
    assert_eq!(many("k7"), Err(Problem::Repeated("k7".to_owned())));
    assert!(many("K7").is_ok());
}

#[test]
fn what_a_field_does_not_take_is_refused() {
    for (text, member) in [
        (r#"{"Privileged":"true"}"#, "Privileged"),
        (r#"{"Privileged":1}"#, "Privileged"),
        (r#"{"PidMode":true}"#, "PidMode"),
        (r#"{"PidMode":1}"#, "PidMode"),
        (r#"{"PidMode":["host"]}"#, "PidMode"),
        (r#"{"CapAdd":7}"#, "CapAdd"),
        (r#"{"CapAdd":{}}"#, "CapAdd"),
        (r#"{"SecurityOpt":"x"}"#, "SecurityOpt"),
        (r#"{"CapAdd":["ALL",1]}"#, "CapAdd"),
        (r#"{"CapAdd":[["ALL"]]}"#, "CapAdd"),
        (r#"{"Memory":1.0}"#, "Memory"),
        (r#"{"Memory":1e3}"#, "Memory"),
        (r#"{"Memory":9223372036854775808}"#, "Memory"),
        (r#"{"Memory":"1"}"#, "Memory"),
        (r#"{"BlkioWeight":65536}"#, "BlkioWeight"),
        (r#"{"IOMaximumIOps":-1}"#, "IOMaximumIOps"),
        (r#"{"IOMaximumIOps":-0}"#, "IOMaximumIOps"),
        (r#"{"Tmpfs":[]}"#, "Tmpfs"),
        (r#"{"Tmpfs":{"/x":{}}}"#, "/x"),
        (r#"{"Mounts":{}}"#, "Mounts"),
        (r#"{"LogConfig":[]}"#, "LogConfig"),
        (r#"{"LogConfig":""}"#, "LogConfig"),
        (r#"{"ConsoleSize":[1,2,3]}"#, "ConsoleSize"),
        (r#"[]"#, "body"),
        (r#"1"#, "body"),
    ] {
        match json(text, HOST) {
            Err(Problem::Type { member: named, .. }) => assert_eq!(named, member, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// Daemons up to 28 read it so.
#[test]
fn one_text_is_a_list_of_one_where_the_daemon_takes_it_for_one() {
    assert_eq!(
        json(r#"{"capadd":"ALL","CapDrop":"A\u0042"}"#, HOST).unwrap(),
        r#"{"CapAdd":["ALL"],"CapDrop":["AB"]}"#
    );
}

#[test]
fn what_a_field_takes_is_read() {
    for text in [
        r#"{"Memory":-9223372036854775808,"IOMaximumIOps":18446744073709551615,"BlkioWeight":65535}"#,
        r#"{"Memory":-0}"#,
        r#"{"Binds":null,"Privileged":null,"Memory":null,"LogConfig":null,"PidMode":null,"Tmpfs":null}"#,
        r#"{"Binds":["a",null],"Mounts":[null,{}],"ConsoleSize":[80]}"#,
        r#"{"CheckDuplicate":true,"New":[1e999,{"x":"y"}],"":0}"#,
        "null",
    ] {
        assert_eq!(json(text, HOST).as_deref(), Ok(text));
    }
    let ratio = Shape::Structure(&SWARM_UPDATECONFIG);
    assert!(json(r#"{"MaxFailureRatio":0.5e1}"#, ratio).is_ok());
    assert!(json(r#"{"MaxFailureRatio":1e-400}"#, ratio).is_ok());
    assert!(json(r#"{"MaxFailureRatio":1e39}"#, ratio).is_err());
    const PRIVILEGES: Shape = Shape::List(&Shape::Structure(&PLUGIN_PRIVILEGE));
    assert_eq!(json(r#"[{"name":"x"}]"#, PRIVILEGES).as_deref(), Ok(r#"[{"Name":"x"}]"#));
}

#[test]
fn base64_is_what_go_takes_for_it() {
    const SECRET: Shape = Shape::Structure(&SWARM_SECRETSPEC);
    for (text, taken) in [
        ("", true),
        ("e30=", true),
        ("aGl=", true),
        ("aA==", true),
        ("aGkh+/0A", true),
        (r"a\nGk=\r\n", true),
        ("aGk", false),
        ("a===", false),
        ("====", false),
        ("aA==aA==", false),
        ("a=k=", false),
        ("aG k", false),
        ("a-_k", false),
        ("é", false),
    ] {
        assert_eq!(json(&format!(r#"{{"Data":"{text}"}}"#), SECRET).is_ok(), taken, "{text}");
    }
    assert!(json(r#"{"Data":null}"#, SECRET).is_ok());
    assert!(json(r#"{"Data":[1,2]}"#, SECRET).is_err(), "Go takes a list of numbers, too; nobody sends one");
}

#[test]
fn members_that_only_old_daemons_read_at_the_root_are_told() {
    for (text, stray) in [
        (r#"{"Image":"x","HostConfig":{"Privileged":true}}"#, None),
        (r#"{"Image":"x","Runtime":null,"Binds":null}"#, None),
        (r#"{"Image":"x","Privileged":true}"#, Some("Privileged")),
        (r#"{"Image":"x","privileged":false}"#, Some("Privileged")),
        (r#"{"BINDſ":["/:/host"],"Image":"x"}"#, Some("Binds")),
        (r#"{"Capabilities":["x"]}"#, Some("Capabilities")),
        (r#"{"cpuset":"0"}"#, Some("Cpuset")),
        (r#"{"Memory":0,"Binds":[]}"#, Some("Memory")),
    ] {
        let reading = read_body(text.into(), CREATE, false).expect("is read");
        assert_eq!(reading.stray, stray, "{text}");
    }
}

#[test]
fn ten_thousand_levels_are_read_and_no_more() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(nested(10_000), Shape::Any).is_ok());
    assert_eq!(json(&nested(10_001), Shape::Any), Err(Problem::Depth));
    let objects = format!("{}null{}", r#"{"a":"#.repeat(9_999), "}".repeat(9_999));
    assert_eq!(json(&format!(r#"{{"New":{objects}}}"#), CREATE).map(|text| text.len()), Ok(objects.len() + 8));
}

#[test]
fn memory_is_a_small_multiple_of_the_text() {
    let zeros = format!("[{}0]", "0,".repeat(1 << 20));
    let strings = format!("[{}\"\"]", "\"some text\",".repeat(1 << 17));
    for text in [zeros, strings] {
        let text = text.into_boxed_str().into_string();
        let len = text.len();
        let document = read(text, Shape::Any).expect("is read");
        assert_eq!(document.root().kind(), Kind::List);
        assert!(document.size() < 6 * len, "{} bytes for {len}", document.size());
    }
}

#[test]
fn every_structure_fits_the_reader() {
    for structure in ALL {
        assert!(structure.fields.len() <= 128, "{}", structure.name);
        let repeated = fold::repeats(structure.fields.iter().map(|field| field.name).collect::<Vec<_>>().into_iter());
        assert_eq!(repeated, None, "{}", structure.name);
        assert!(structure.fields.iter().all(|field| field.name.is_ascii()), "{}", structure.name);
    }
}

#[test]
fn what_is_spelt_otherwise_than_it_is_written_is_not_verbatim() {
    for (text, is_verbatim) in [
        (r#"{"Image":"x","Env":["a=\u0026"],"HostConfig":{"Memory":5}}"#, true),
        (r#"{"Image":"\ud83d\ude00"}"#, true),
        ("null", true),
        (r#"{"Image":"\ud83d"}"#, false),
        (r#"{"Image":"�"}"#, true),
        (r#"{"image":"x"}"#, false),
        (r#"{"Cmd":"x"}"#, false),
        (r#"{"Image": "x"}"#, false),
        (" {}", false),
        ("{}\n", true),
        ("\n{}", false),
        ("{\"HostConfig\":{\t}}", false),
    ] {
        let document = read(text, CREATE).expect(text);
        assert_eq!(document.verbatim().is_some(), is_verbatim, "{text}");
    }
}
