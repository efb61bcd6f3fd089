//! What a secret looks like: by its name, in a text, in a command.

use std::borrow::Cow;

use memchr::memchr;

/// Stands for what was taken out.
pub const REDACTED: &str = "[redacted]";

/// What names of secrets have in them, in lower case.
const NAMES: [&[u8]; 8] = [b"cookie", b"credential", b"key", b"pass", b"private", b"pwd", b"secret", b"token"];

/// The letters that they begin with, and those that follow.
const FIRST: u32 = bits(b"ckpst");
const SECOND: u32 = bits(b"aeorw");

/// A bit for each letter, by the last bits that it has in either case.
const fn bits(letters: &[u8]) -> u32 {
    let (mut bits, mut letters) = (0, letters);
    while let [letter, rest @ ..] = letters {
        bits |= 1 << (*letter & 31);
        letters = rest;
    }
    bits
}

/// Whether what has this name is taken for a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.as_bytes();
    let begins =
        |at: usize, word: &[u8]| name.get(at..at + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
    // Two letters tell nearly always that none of them begins here.
    let may_begin = |letters: &[u8]| match *letters {
        [first, second] => FIRST >> (first & 31) & SECOND >> (second & 31) & 1 != 0,
        _ => false,
    };
    let mut places = name.windows(2).enumerate().filter(|(_, letters)| may_begin(letters));
    places.any(|(at, _)| NAMES.iter().any(|word| begins(at, word)))
}

/// `NAME=VALUE` with the value taken out; as it is where there is no `=`.
pub(crate) fn assignment(text: &str) -> Cow<'_, str> {
    match text.split_once('=') {
        Some((name, value)) if !value.is_empty() => Cow::Owned([name, "=", REDACTED].concat()),
        _ => Cow::Borrowed(text),
    }
}

/// Options that stand in one text, such as `addr=10.0.0.1,password=…`, without those that have the name of a secret; and
/// without who logs in where it is an address.
pub fn options(text: &str) -> Cow<'_, str> {
    let is_secret_option = |option: &str| option.split_once('=').is_some_and(|(name, _)| is_secret(name));
    if !text.split(',').any(is_secret_option) {
        return address(text);
    }
    let option = |option| if is_secret_option(option) { assignment(option) } else { address(option) };
    Cow::Owned(text.split(',').map(option).collect::<Vec<_>>().join(","))
}

/// Any text, without who logs in where there is an address in it: `https://USER:PASSWORD@HOST`.
pub fn address(text: &str) -> Cow<'_, str> {
    if memchr(b'@', text.as_bytes()).is_none() || !text.contains("//") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(slashes) = rest.find("//") {
        let (before, after) = rest.split_at(slashes + 2);
        let is_end = |c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace();
        let (authority, path) = after.split_at(after.find(is_end).unwrap_or(after.len()));
        out.push_str(before);
        match authority.rsplit_once('@') {
            Some((login, host)) if !login.is_empty() => out.extend([REDACTED, "@", host]),
            _ => out.push_str(authority),
        }
        rest = path;
    }
    out.push_str(rest);
    if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// A Dockerfile's instruction: of those that can hold a secret, the first word.
pub(crate) fn instruction(text: &str) -> Cow<'_, str> {
    const HARMLESS: [&str; 6] = ["EXPOSE", "FROM", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];
    let text = text.trim_start();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    // A word alone is an instruction without what it is about, unless it is something else.
    if rest.trim().is_empty() {
        let is_instruction = word.bytes().all(|byte| byte.is_ascii_alphabetic());
        return Cow::Borrowed(if is_instruction { word } else { REDACTED });
    }
    if HARMLESS.iter().any(|harmless| word.eq_ignore_ascii_case(harmless)) {
        return address(text);
    }
    Cow::Owned(format!("{word} {REDACTED}"))
}

/// The words of a command, one after the other.
#[derive(Debug, Default)]
pub struct Command {
    /// The word before was an option that takes a secret.
    is_next_secret: bool,
}

impl Command {
    /// The next word: without what follows `=` where what is before it has the name of a secret, and none of it after an
    /// option of such a name. One that is a command itself (it has spaces) is taken out whole where it names a secret.
    pub fn word<'t>(&mut self, word: &'t str) -> Cow<'t, str> {
        if std::mem::take(&mut self.is_next_secret) && !word.starts_with('-') {
            return Cow::Borrowed(REDACTED);
        }
        if word.contains(char::is_whitespace) {
            return if is_secret(word) { Cow::Borrowed(REDACTED) } else { address(word) };
        }
        match word.split_once('=') {
            Some((name, _)) if is_secret(name) => assignment(word),
            Some(_) => address(word),
            None => {
                self.is_next_secret = word.starts_with('-') && is_secret(word);
                address(word)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in ["DB_PASSWORD", "com.example.token", "SecretName", "passwd", "ssh-key", "AWS_ACCESS_KEY_ID"] {
            assert!(is_secret(name), "{name}");
        }
        for name in NAMES.map(|name| String::from_utf8_lossy(name)) {
            assert!(is_secret(&name) && is_secret(&format!("x{}", name.to_uppercase())), "{name}");
            assert!(!is_secret(name.get(1..).unwrap_or_default()), "{name}");
        }
        for name in ["", "USER", "com.docker.compose.project", "o", "type"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn texts() {
        type Take = fn(&str) -> Cow<'_, str>;
        #[rustfmt::skip]
        let cases: [(Take, &str, &str); 23] = [
            (assignment, "A=b=c", "A=[redacted]"),
            (assignment, "A=", "A="),
            (assignment, "A", "A"),
            (options, "addr=10.0.0.1,rw", "addr=10.0.0.1,rw"),
            (options, "addr=10.0.0.1,username=joe,password=x=y,rw", "addr=10.0.0.1,username=joe,password=[redacted],rw"),
            (options, "//joe:x@nas/share", "//[redacted]@nas/share"),
            (address, "https://joe:x@example.com/a@b", "https://[redacted]@example.com/a@b"),
            (address, "a https://joe@h b ftp://x:y@z/", "a https://[redacted]@h b ftp://[redacted]@z/"),
            (address, "https://p@ss@example.com", "https://[redacted]@example.com"),
            (address, "https://example.com/a//b@c", "https://example.com/a//[redacted]@c"),
            (address, "//@host", "//@host"),
            (address, "//", "//"),
            (address, "///@", "///@"),
            (address, "git@github.com:a/b", "git@github.com:a/b"),
            (instruction, "ENV A=b", "ENV [redacted]"),
            (instruction, "  env A b", "env [redacted]"),
            (instruction, "USER joe", "USER joe"),
            (instruction, "ENV", "ENV"),
            (instruction, "A=b", "[redacted]"),
            (instruction, "RUN curl https://a:b@c", "RUN [redacted]"),
            (instruction, "from https://a:b@c", "from https://[redacted]@c"),
            (instruction, "", ""),
            (instruction, "é b", "é [redacted]"),
        ];
        for (take, text, expected) in cases {
            assert_eq!(take(text), expected, "{text}");
        }
    }

    #[test]
    fn commands() {
        for (words, expected) in [
            ("redis-server --requirepass x --port 1", "redis-server --requirepass [redacted] --port 1"),
            ("a --password=x TOKEN=y --key --verbose", "a --password=[redacted] TOKEN=[redacted] --key --verbose"),
            ("a https://u:p@h b=c", "a https://[redacted]@h b=c"),
        ] {
            let mut command = Command::default();
            let taken: Vec<_> = words.split(' ').map(|word| command.word(word)).collect();
            assert_eq!(taken.join(" "), expected);
        }
        let mut command = Command::default();
        assert_eq!(command.word("echo $PASSWORD | su"), REDACTED);
        assert_eq!(command.word("ls -l"), "ls -l");
    }
}
