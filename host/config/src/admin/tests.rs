use super::*;
use crate::problem::Problems;
use crate::reader::File;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn parse(text: &str) -> (Option<AdminListener>, String) {
    let mut problems = Problems::default();
    let path = std::path::Path::new("p.toml");
    let read = File::read(path, text, &mut problems, read);
    (read, problems.to_string())
}

fn with(more: &str) -> String {
    format!("[admin]\nlisten = \"127.0.0.1:9443\"\ncertificate = \"/c.pem\"\nkey = \"/k.pem\"\n{more}")
}

#[test]
fn what_the_manual_says_is_read() {
    let text = with(&format!(
        "client_ca = \"/ca.pem\"\n[[admin.token]]\nname = \"ci-deployer\"\nsha256 = \"{HASH}\"\n\
         scopes = [\"read\", \"policies\"]\ntenant = \"ci\"\n\
         [[admin.client]]\ncommon_name = \"ops\"\nscopes = [\"read\"]\n\
         [[admin.client]]\nfingerprint = \"{}\"\nscopes = [\"data\"]\n",
        HASH.to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair))
            .collect::<Vec<_>>()
            .join(":")
    ));
    let (listener, problems) = parse(&text);
    assert_eq!(problems, "");
    let listener = listener.expect("a listener");
    let token = listener.tokens.first().expect("a token");
    assert_eq!((token.sha256[0], token.sha256[31]), (0x9f, 0x08));
    assert_eq!(token.rights.scopes, [Scope::Read, Scope::Policies]);
    assert_eq!(token.rights.tenant.as_ref().map(TenantName::as_str), Some("ci"));
    let [ops, other] = listener.clients.as_slice() else { panic!("two clients: {listener:?}") };
    assert_eq!((&ops.proof, ops.rights.name.as_str()), (&Proof::CommonName("ops".into()), "ops"));
    assert_eq!(other.proof, Proof::Fingerprint(token.sha256));
    assert_eq!((other.rights.name.as_str(), &other.rights.tenant), ("9f86d081884c7d65", &None));
}

#[test]
fn without_the_table_nothing_listens() {
    assert_eq!(parse(""), (None, String::new()));
}

#[test]
fn every_mistake_has_its_line_and_how_to_mend_it() {
    let token = |more: &str| with(&format!("[[admin.token]]\n{more}"));
    let good = format!("name = \"a\"\nsha256 = \"{HASH}\"\nscopes = [\"read\"]\n");
    let cases = [
        ("[admin]\n".to_owned(), "p.toml:1: `listen` is missing\n  help: say where"),
        ("[admin]\n".to_owned(), "p.toml:1: `certificate` is missing\n  help: name the PEM file; there is no"),
        ("[admin]\n".to_owned(), "p.toml:1: `key` is missing\n  help: name the PEM file of the"),
        ("\nadmin = 3\n".to_owned(), "p.toml:2: `admin` is an integer\n  help: write it as a table, `[admin]`"),
        (with(""), "p.toml:1: `[admin]` has no `[[admin.token]]` and no `[[admin.client]]`, so nobody could use it"),
        (
            with("").replace("127.0.0.1:9443", "9443"),
            "p.toml:2: `[admin] listen` is `9443`\n  help: expected an address",
        ),
        (with("").replace("/c.pem", "c.pem"), "p.toml:3: `[admin] certificate` is `c.pem`, which is not absolute"),
        (with("cert = 1\n"), "p.toml:5: unknown key `[admin] cert`\n  help: did you mean `certificate`?"),
        (with("token = 1\n"), "p.toml:5: `token` is an integer\n  help: write each one as `[[admin.token]]`"),
        (token("sha256 = \"x\"\n"), "p.toml:5: `name` is missing\n  help: give it a name"),
        (token("name = \"a\"\n"), "p.toml:5: `sha256` is missing\n  help: `portcullis token` prints it"),
        (token("name = \"a\"\n"), "p.toml:5: `scopes` is missing\n  help: say what it may do"),
        (token("sha256 = \"geheim\"\n"), "p.toml:6: `[[admin.token]] sha256` is no SHA-256: it has 6 characters"),
        (token(&format!("sha256 = \"{}\"\n", HASH.replace('9', "g"))), "help: expected a SHA-256 as 64 hex digits"),
        (
            token("scopes = [\"reed\"]\n"),
            "p.toml:6: `[[admin.token]] scopes` has an item that is `reed`, which is not a scope",
        ),
        (token("scopes = []\n"), "p.toml:6: `scopes` is empty, so it could do nothing"),
        (token("tenant = \"../x\"\n"), "p.toml:6: `[[admin.token]] tenant` is wrong: "),
        (token(&format!("{good}[[admin.token]]\n{good}")), "p.toml:9: two tokens have the same `sha256`"),
        (token(&format!("{good}[[admin.token]]\n{good}")), "p.toml:9: two entries have the name `a`"),
        (with("[[admin.client]]\ncommon_name = \"a\"\n"), "`[[admin.client]]` needs `[admin] client_ca`"),
        (with("[[admin.client]]\n"), "p.toml:5: `[[admin.client]]` needs one of `fingerprint` and `common_name`"),
        (with(&format!("client_ca = \"/x\"\n[[admin.token]]\n{good}")), "is there and no `[[admin.client]]`"),
    ];
    for (text, expected) in cases {
        let (_, problems) = parse(&text);
        assert!(problems.contains(expected), "{text}\nshould say\n{expected}\nand says\n{problems}");
        assert!(!problems.contains("geheim"), "what may be a token is not repeated: {problems}");
    }
}
