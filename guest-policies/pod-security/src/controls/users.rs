//! As whom containers and execs run, and whether they can become somebody else.

use crate::call::{Call, Kind, MAKES};
use crate::text::short;
use crate::{Control, Objection};

pub const NON_ROOT: Control = Control { name: "non-root", of: MAKES, objection: may_be_root };
pub const EXEC_ROOT: Control = Control { name: "exec-root", of: &[Kind::Exec], objection: exec_as_root };
pub const NO_NEW_PRIVILEGES: Control = Control { name: "no-new-privileges", of: MAKES, objection: may_gain_privileges };

/// What a text says about a user. The image decides which ID a name has, and whether root has another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Root,
    NotRoot,
    /// By a name: that is as the image's `/etc/passwd` says.
    Named,
}

// === impl User ===

impl User {
    /// `USER`, or `USER:GROUP`. A number is never taken for a name (moby's `vendor/github.com/moby/sys/user`).
    fn of(text: &str) -> Self {
        let user = text.split(':').next().unwrap_or_default();
        match user.parse::<i64>() {
            Ok(id) if id > 0 => Self::NotRoot,
            Ok(_) => Self::Root,
            Err(_) if matches!(user, "" | "root") => Self::Root,
            Err(_) => Self::Named,
        }
    }
}

fn may_be_root(call: &Call<'_>) -> Objection {
    let Some(user) = call.request.run_as() else {
        return Some(
            "the call must say as whom the container runs, because the image's own user may be root: add `--user 1000`"
                .into(),
        );
    };
    match User::of(&user) {
        User::NotRoot => None,
        User::Root => Some("the container may not run as root: add `--user 1000`".into()),
        User::Named if call.says("named_users") => None,
        User::Named => Some(
            format!("the image decides whether the user `{}` is root: give a number, `--user 1000`", short(&user))
                .into(),
        ),
    }
}

/// Without a user, an exec runs as the container's.
fn exec_as_root(call: &Call<'_>) -> Objection {
    let user = call.request.run_as()?;
    match User::of(&user) {
        User::NotRoot => None,
        User::Root => Some("an exec may not run as root: leave out `--user`, or give a number such as 1000".into()),
        User::Named if call.says("named_users") => None,
        User::Named => Some(
            format!(
                "the container decides whether the user `{}` is root: leave out `--user`, or give a number",
                short(&user)
            )
            .into(),
        ),
    }
}

fn may_gain_privileges(call: &Call<'_>) -> Objection {
    if !asks_for_no_new_privileges(call) {
        return Some(
            "a program in the container must not gain privileges: add `--security-opt no-new-privileges`, of a service \
             `Privileges.NoNewPrivileges`"
                .into(),
        );
    }
    (!gains_no_privileges(call)).then(|| "`NoNewPrivileges` of a service counts from version 1.44 of the API on".into())
}

/// Whether programs in the container surely gain no privileges. Daemons ignore it of a service below 1.44 (moby's
/// `daemon/server/router/swarm/helpers.go`).
pub fn gains_no_privileges(call: &Call<'_>) -> bool {
    asks_for_no_new_privileges(call) && !call.is_service_below(44)
}

/// The daemon takes the last; all must agree.
fn asks_for_no_new_privileges(call: &Call<'_>) -> bool {
    let mut said = call.options().iter().filter(|option| option.name == "no-new-privileges").peekable();
    said.peek().is_some() && said.all(|option| option.value.as_deref() == Some("true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_above_zero_is_surely_not_root() {
        for (text, expected) in [
            ("1000", User::NotRoot),
            ("1000:1000", User::NotRoot),
            ("1000:0", User::NotRoot),
            ("1000:root", User::NotRoot),
            ("+1000", User::NotRoot),
            ("0", User::Root),
            ("00", User::Root),
            ("+0", User::Root),
            ("-0", User::Root),
            ("-1", User::Root),
            ("0:1000", User::Root),
            ("root", User::Root),
            ("root:x", User::Root),
            ("", User::Root),
            (":1000", User::Root),
            ("app", User::Named),
            ("Root", User::Named),
            ("1000x", User::Named),
            (" 0", User::Named),
            ("0x0", User::Named),
            ("99999999999999999999", User::Named),
        ] {
            assert_eq!(User::of(text), expected, "{text}");
        }
    }
}
