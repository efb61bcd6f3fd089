//! What a seccomp profile does with the system calls that it does not list.
//!
//! The daemon takes a profile as JSON text and reads it in Go's way: keys whatever their case, the last of the same key,
//! and none at all (`{}`) as no profile. Instead of reading it so, everything that could be read in two ways is refused.

/// The actions that let no system call through. `SCMP_ACT_TRACE` is none: another process of the container that traces
/// lets through what it wants (seccomp(2)).
const DENYING: [&str; 5] =
    ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"];

const ALLOWS_BY_DEFAULT: &str = "a seccomp profile must deny what it does not list: its `defaultAction` must be \
                                 SCMP_ACT_ERRNO, SCMP_ACT_TRAP, or one of SCMP_ACT_KILL";
const HAS_LISTENER: &str =
    "a seccomp profile must not have a `listenerPath`: the process behind it decides in its place";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Colon,
    Comma,
    /// What is between the quotes, escapes and all.
    Text(&'a str),
    /// Numbers, `true`, `false`, `null`.
    Word,
}

/// Why the profile is none: it does not say, in so many words, that what it does not list is denied, or it leaves the
/// decision to a process of the caller's.
pub(crate) fn objection(profile: &str) -> Option<&'static str> {
    if !profile.trim_start().starts_with('{') {
        return Some(ALLOWS_BY_DEFAULT);
    }
    let (mut depth, mut said) = (0_usize, false);
    // Before a token: whether it is a member's name, or the value of `defaultAction`.
    let (mut is_name, mut is_action) = (false, false);
    for token in (Tokens { rest: profile }) {
        match token {
            _ if is_action => match token {
                Token::Colon => continue,
                Token::Text(action) if DENYING.contains(&action) => said = true,
                Token::Text(_) | Token::Open | Token::Close | Token::Comma | Token::Word => {
                    return Some(ALLOWS_BY_DEFAULT);
                }
            },
            Token::Text(name) if is_name && name.contains('\\') => return Some(ALLOWS_BY_DEFAULT),
            Token::Text(name) if is_name && is_listener(name) => return Some(HAS_LISTENER),
            Token::Text(name) if is_name => {
                is_action = folds_to(name, "defaultAction");
                is_name = false;
                continue;
            }
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Colon | Token::Comma | Token::Text(_) | Token::Word => {}
        }
        is_action = false;
        is_name = depth == 1 && matches!(token, Token::Open | Token::Comma);
    }
    (!said).then_some(ALLOWS_BY_DEFAULT)
}

fn is_listener(name: &str) -> bool {
    folds_to(name, "listenerPath") || folds_to(name, "listenerMetadata")
}

/// Whether Go takes a key for this one: of what is not ASCII, only `ſ` and the Kelvin sign fold to a letter.
fn folds_to(key: &str, name: &str) -> bool {
    let fold = |character: char| match character {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars().map(fold))
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.rest.trim_start();
        let first = rest.chars().next()?;
        let (token, length) = match first {
            '{' | '[' => (Token::Open, 1),
            '}' | ']' => (Token::Close, 1),
            ':' => (Token::Colon, 1),
            ',' => (Token::Comma, 1),
            '"' => {
                let length = text_length(rest.get(1..)?)?;
                (Token::Text(rest.get(1..=length)?), length + 2)
            }
            _ => {
                let end = rest.find(['{', '}', '[', ']', ':', ',', '"']).unwrap_or(rest.len());
                (Token::Word, end)
            }
        };
        self.rest = rest.get(length..)?;
        Some(token)
    }
}

/// How many bytes there are before the closing quote.
fn text_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_profile_that_denies_what_it_does_not_list_is_one() {
        for profile in [
            r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#,
            r#" { "defaultAction" : "SCMP_ACT_KILL" , "syscalls" : [ { "names" : ["read"], "action" : "SCMP_ACT_ALLOW" } ] } "#,
            r#"{"syscalls":[{"names":["a\"b}"]}],"defaultErrnoRet":1,"DEFAULTACTION":"SCMP_ACT_TRAP"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultaction":"SCMP_ACT_KILL"}"#,
            r#"{"archMap":{"defaultAction":"SCMP_ACT_ALLOW"},"defaultAction":"SCMP_ACT_ERRNO"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"listenerPath":"/x"}],"comment":"listenerPath"}"#,
        ] {
            assert_eq!(objection(profile), None, "{profile}");
        }
        for profile in [
            "",
            "{}",
            "null",
            "[]",
            "/etc/profile.json",
            r#"{"syscalls":[]}"#,
            r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#,
            r#"{"defaultAction":"SCMP_ACT_LOG"}"#,
            r#"{"defaultAction":"SCMP_ACT_TRACE"}"#,
            r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#,
            r#"{"defaultAction":"scmp_act_errno"}"#,
            r#"{"defaultAction":"SCMP_ACT_\u0045RRNO"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO"}{"defaultAction":"SCMP_ACT_ALLOW"}"#,
            r#"{"defaultAction":""}"#,
            r#"{"defaultAction":null}"#,
            r#"{"defaultAction":["SCMP_ACT_ERRNO"]}"#,
            r#"["defaultAction",{"defaultAction":"SCMP_ACT_ERRNO"}]"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultAction":"SCMP_ACT_ALLOW"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","DefaultAction":"SCMP_ACT_ALLOW"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","default\u0041ction":"SCMP_ACT_ALLOW"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","a":"\\","DEFAULTaction":"SCMP_ACT_ALLOW"}"#,
            r#"{"x":{"defaultAction":"SCMP_ACT_ERRNO"}}"#,
            r#"{"x":[{"y":1,"defaultAction":"SCMP_ACT_ERRNO"}]}"#,
            r#"{"x":"defaultAction","y":"SCMP_ACT_ERRNO"}"#,
            r#"{"x":1,"a":"defaultAction":"SCMP_ACT_ERRNO"}"#,
            r#"{"x":"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}"}"#,
        ] {
            assert_eq!(objection(profile), Some(ALLOWS_BY_DEFAULT), "{profile}");
        }
        for profile in [
            r#"{"defaultAction":"SCMP_ACT_ERRNO","listenerPath":"/run/x"}"#,
            r#"{"LISTENERPATH":"/run/x","defaultAction":"SCMP_ACT_ERRNO"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","liſtenerPath":"/run/x"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","listenerMetadata":""}"#,
        ] {
            assert_eq!(objection(profile), Some(HAS_LISTENER), "{profile}");
        }
    }
}
