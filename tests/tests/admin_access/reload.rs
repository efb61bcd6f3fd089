//! Certificates, tokens and clients are read again at a reload; what is broken leaves what is active.

use std::fs;

use portcullis_tests::Result;
use portcullis_tests::admin::{self, Door};
use portcullis_tests::portcullis::Portcullis;
use portcullis_tests::tls::Authority;

use super::{ALL, CI, ROOT, ask, host, io, tokens};

fn copy(from: &Authority, to: &Authority, names: &[&str]) -> Result<()> {
    for name in names {
        fs::copy(from.path().join(name), to.path().join(name)).map_err(io)?;
    }
    Ok(())
}

/// Replaces what stands between these in `portcullis.toml`.
fn edit(host: &Portcullis, from: &str, to: &str) -> Result<()> {
    let path = host.config().path().join("portcullis.toml");
    let text = fs::read_to_string(&path).map_err(io)?;
    assert!(text.contains(from), "{text}");
    host.config().put("portcullis.toml", text.replace(from, to).as_bytes())
}

fn status(door: &Door, token: &str) -> Result<u16> {
    Ok(ask(door, "GET", "/v1/status", token)?.status)
}

#[test]
fn a_new_certificate_is_shown_after_a_reload_and_a_broken_one_never() -> Result<()> {
    let (authority, next) = (Authority::new()?, Authority::new()?);
    let (host, door) = host(&authority, &tokens())?;
    let next_door = Door::of(&host, &next)?;
    assert!(next_door.connect().is_err());

    // Only one of the two files is new: they do not fit, and the good pair stays.
    let mark = host.mark();
    copy(&next, &authority, &["server.pem"])?;
    host.hang_up()?;
    let told = host.wait_for(mark, "the mistake", |record| record.level() == "ERROR")?;
    assert!(told.text("problem").contains("server.key: does not fit the certificate"), "{told:?}");
    assert_eq!(status(&door, ROOT)?, 200);

    copy(&next, &authority, &["server.key"])?;
    assert_eq!(ask(&door, "POST", "/v1/reload", ROOT)?.status, 200, "the API does it, too");
    assert!(door.connect().is_err());
    assert_eq!(status(&next_door, ROOT)?, 200);
    Ok(())
}

#[test]
fn a_token_that_is_taken_away_is_worth_nothing_after_a_reload() -> Result<()> {
    let authority = Authority::new()?;
    let (host, door) = host(&authority, &tokens())?;
    assert_eq!((status(&door, ROOT)?, status(&door, "new")?), (200, 401));
    edit(&host, &admin::token("root", ROOT, ALL, None), &admin::token("root", "new", &["read"], None))?;
    host.hang_up()?;
    assert_eq!((status(&door, ROOT)?, status(&door, "new")?), (401, 200));
    assert_eq!(ask(&door, "POST", "/v1/reload", "new")?.status, 403, "and its scopes are the new ones");

    let mark = host.mark();
    edit(&host, "scopes = [\"read\"]", "scopes = [\"reed\"]")?;
    host.hang_up()?;
    host.wait_for(mark, "the mistake", |record| {
        record.level() == "ERROR" && record.text("problem").contains("`reed`, which is not a scope")
    })?;
    assert_eq!(status(&door, "new")?, 200, "what is wrong leaves what is active");

    // Without the table nobody is known, until the next start closes the address.
    let path = host.config().path().join("portcullis.toml");
    let text = fs::read_to_string(&path).map_err(io)?;
    let (before, rest) = text.split_once("[admin]").unwrap_or_default();
    let (_, listener) = rest.split_once("[[listener]]").unwrap_or_default();
    host.config().put("portcullis.toml", format!("{before}[[listener]]{listener}").as_bytes())?;
    host.hang_up()?;
    assert_eq!((status(&door, "new")?, status(&door, CI)?), (401, 401));
    Ok(())
}
