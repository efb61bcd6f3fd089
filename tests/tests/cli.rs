//! The command line: what a wrong configuration gets. Every mistake at once, each with its place and how to mend it, exit
//! code 2, and nothing is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use portcullis_tests::command::Finished;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, portcullis};

/// A folder as an operator may have left it.
struct Folder(Scratch);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Result<Self> {
        let folder = Self(Scratch::new()?);
        for (name, text) in files {
            let path = folder.path().join(name);
            let parent = path.parent().unwrap_or(&path);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, text))
                .map_err(|error| Error::Unexpected(format!("writing `{}`: {error}", path.display())))?;
        }
        Ok(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn serve(&self) -> Result<Finished> {
        portcullis::run(&["serve", "--config", &self.path().to_string_lossy()])
    }

    /// Everything that lies in it.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => found.push(path),
                }
            }
        }
        found.sort();
        found
    }
}

/// Asserts that `serve` refuses the folder for these reasons, and leaves it as it was.
fn assert_refused(folder: &Folder, places: &[&str]) -> Result<()> {
    let before = folder.files();
    assert_tells(folder, &folder.serve()?, places);
    assert_eq!(folder.files(), before, "something was started");
    Ok(())
}

/// Asserts that every one of `places` (`FILE:LINE: what`, below the folder) is told, and nothing else.
fn assert_tells(folder: &Folder, refused: &Finished, places: &[&str]) {
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert_eq!(refused.stdout, "");
    for place in places {
        let expected = folder.path().join(place).display().to_string();
        assert!(refused.stderr.contains(&expected), "no `{expected}` in\n{}", refused.stderr);
    }
    let path = folder.path().display().to_string();
    let told = refused.stderr.lines().filter(|line| line.starts_with(&path)).count();
    assert_eq!(told, places.len(), "mistakes told in\n{}", refused.stderr);
    let helped = refused.stderr.lines().filter(|line| line.trim_start().starts_with("help: ")).count();
    assert_eq!(helped, places.len(), "hints in\n{}", refused.stderr);
}

#[test]
fn every_mistake_is_told_at_once() -> Result<()> {
    let long = format!("/run/{}/portcullis.sock", "x".repeat(100));
    let toml = format!(
        "stat_dir = \"/var/lib/portcullis\"\n\
         cache_dir = \"cache\"\n\
         default = \"maybe\"\n\
         min_api_version = \"one\"\n\
         disabled_rules = [\"no-such-rule\"]\n\
         \n\
         [limits]\n\
         read_timeout = \"soon\"\n\
         connections = 0\n\
         conections = 7\n\
         \n\
         [[listener]]\n\
         socket = \"{long}\"\n\
         alow_uids = [0]\n"
    );
    let folder = Folder::new(&[("portcullis.toml", &toml), ("policies/README", "")])?;
    assert_refused(
        &folder,
        &[
            "portcullis.toml:1: unknown key `stat_dir`",
            "portcullis.toml:2: `cache_dir` is `cache`, which is not absolute",
            "portcullis.toml:3: `default` is `maybe`",
            "portcullis.toml:4: `min_api_version` is `one`",
            "portcullis.toml:5: `disabled_rules` names `no-such-rule`",
            "portcullis.toml:8: `[limits] read_timeout` is `soon`",
            "portcullis.toml:9: `[limits] connections` is 0",
            "portcullis.toml:10: unknown key `[limits] conections`",
            "portcullis.toml:13: `[[listener]] socket` is 121 bytes long; a unix socket's path has at most 107",
            "portcullis.toml:14: unknown key `[[listener]] alow_uids`",
        ],
    )
}

#[test]
fn mistakes_beside_the_policies_are_told_too() -> Result<()> {
    let folder = Folder::new(&[
        ("portcullis.toml", "defualt = \"deny\"\n"),
        ("policies/10-seccomp.wasm", ""),
        ("policies/10-seccomp.toml", "mode = \"enforce\"\ngrant = [\"state\"]\n"),
        ("policies/20-roles.wasm", ""),
        ("policies/20-roles.toml", "\nmode = \"watch\"\ngrants = [\"network\"]\n[limits]\nmemory = \"1TiB\"\n"),
        ("policies/30-hello.wasm", ""),
        ("policies/30-hello.toml", "message = \"two\\nlines\"\nhelp = \"\"\n"),
        ("policies/40-long.wasm", ""),
        ("policies/40-long.toml", &format!("message = \"{}\"\nhelp = 7\n", "é".repeat(81))),
        ("policies/-bad name.wasm", ""),
    ])?;
    assert_refused(
        &folder,
        &[
            "portcullis.toml:1: unknown key `defualt`",
            "policies/-bad name.wasm: ",
            "policies/10-seccomp.toml:2: unknown key `grant`",
            "policies/20-roles.toml:2: `mode` is `watch`",
            "policies/30-hello.toml:1: `message` is empty, or has line ends",
            "policies/30-hello.toml:2: `help` is empty, or has line ends",
            "policies/40-long.toml:1: `message` is 162 bytes long",
            "policies/40-long.toml:2: `help` is an integer",
            "policies/20-roles.toml:3: `grants` names ",
            "policies/20-roles.toml:5: `[limits] memory` is ",
        ],
    )
}

#[test]
fn what_is_missing_is_told() -> Result<()> {
    assert_refused(&Folder::new(&[])?, &["portcullis.toml: cannot be read", "policies: cannot be read"])?;
    assert_refused(&Folder::new(&[("portcullis.toml", "")])?, &["policies: cannot be read"])?;
    assert_refused(&Folder::new(&[("policies/README", "")])?, &["portcullis.toml: cannot be read"])?;
    let no_folder = Folder::new(&[("portcullis.toml", ""), ("policies", "not a folder")])?;
    assert_refused(&no_folder, &["policies: cannot be read"])
}

#[test]
fn what_may_not_be_read_is_told() -> Result<()> {
    let folder = Folder::new(&[("portcullis.toml", ""), ("policies/README", "")])?;
    for name in ["portcullis.toml", "policies"] {
        let forbidden = fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o000));
        forbidden.map_err(|error| Error::Unexpected(error.to_string()))?;
    }
    let refused = portcullis::run_without_override(&["serve", "--config", &folder.path().to_string_lossy()])?;
    assert_tells(&folder, &refused, &["portcullis.toml: cannot be read", "policies: cannot be read"]);
    assert_eq!(refused.stderr.matches("run as root, or let this user read it").count(), 2, "{}", refused.stderr);
    Ok(())
}

#[test]
fn what_is_not_toml_is_told_with_its_line() -> Result<()> {
    let files = [("portcullis.toml", "default = \"deny\"\n[limits\nconnections = 7\n"), ("policies/README", "")];
    assert_refused(&Folder::new(&files)?, &["portcullis.toml:2: not TOML: "])
}

#[test]
fn two_listeners_need_two_names_and_two_sockets() -> Result<()> {
    let toml =
        "[[listener]]\nname = \"a\"\nsocket = \"/run/a.sock\"\n[[listener]]\nname = \"a\"\nsocket = \"/run/a.sock\"\n";
    let folder = Folder::new(&[("portcullis.toml", toml), ("policies/README", "")])?;
    assert_refused(
        &folder,
        &["portcullis.toml:4: two listeners have the name", "portcullis.toml:4: two listeners have the socket"],
    )
}

#[test]
fn the_command_line_itself_is_checked() -> Result<()> {
    for arguments in [&[][..], &["sevre"], &["serve", "--conifg", "x"], &["check"], &["decide"], &["serve", "extra"]] {
        let refused = portcullis::run(arguments)?;
        assert_eq!((refused.code(), refused.stdout.as_str()), (Some(2), ""), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains("Usage: portcullis"), "{arguments:?}: {refused:?}");
    }
    Ok(())
}

#[test]
fn shells_complete_commands_and_their_options() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let made = portcullis::run(&["completions", shell])?;
        assert_eq!((made.code(), made.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["policy", "clear", "admin-socket"] {
            assert!(made.stdout.contains(word), "{shell}: no `{word}`");
        }
    }
    // As bash would ask, with `portcullis sta<TAB>`.
    let asked = "source <(\"$0\" completions bash); COMP_WORDS=(portcullis sta) COMP_CWORD=1; \
                 _portcullis portcullis sta portcullis; echo \"${COMPREPLY[@]}\"";
    let binary = portcullis_tests::artifacts::portcullis()?;
    let completed = Finished::of(std::process::Command::new("bash").arg("-c").arg(asked).arg(binary))?;
    assert_eq!(completed.stdout, "status state\n", "{completed:?}");
    let unknown = portcullis::run(&["completions", "cmd.exe"])?;
    assert_eq!(unknown.code(), Some(2));
    assert!(unknown.stderr.contains("possible values: bash"), "{unknown:?}");
    Ok(())
}

#[test]
fn help_explains_every_command_and_shows_examples() -> Result<()> {
    let help = portcullis::run(&["help"])?;
    assert_eq!(help.code(), Some(0));
    let commands = help.stdout.split("Commands:").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    // What is indented further is the rest of an explanation.
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 8, "{commands}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let (by_command, by_option) = (portcullis::run(&["help", name])?, portcullis::run(&[name, "--help"])?);
        assert_eq!((by_command.code(), by_option.code()), (Some(0), Some(0)), "{name}");
        assert_eq!(by_command.stdout, by_option.stdout, "{name}");
        let has_nothing_to_show = ["reload", "version"].contains(&name);
        assert!(has_nothing_to_show || by_option.stdout.contains("Examples:"), "{name} has no examples");
    }
    Ok(())
}

/// Exit code 1, and these texts on stderr.
fn assert_fails(arguments: &[&str], code: i32, texts: &[&str]) -> Result<()> {
    let refused = portcullis::run(arguments)?;
    assert_eq!((refused.code(), refused.stdout.as_str()), (Some(code), ""), "{arguments:?}: {refused:?}");
    for text in texts {
        assert!(refused.stderr.contains(text), "{arguments:?}: no `{text}` in {refused:?}");
    }
    Ok(())
}

#[test]
fn what_goes_wrong_says_how_to_go_on() -> Result<()> {
    let host =
        portcullis::Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?;
    let host = host.file("there", b"")?.start()?;
    let folder = host.config().path().display().to_string();
    let there = host.config().path().join("there").display().to_string();
    let of = |arguments: &[&'static str]| -> Vec<String> {
        arguments.iter().map(|argument| (*argument).to_owned()).chain(["--config".to_owned(), folder.clone()]).collect()
    };
    for (arguments, code, texts) in [
        (
            of(&["decide", "--tenant", "foo", "GET", "/info"]),
            1,
            &["there is no tenant `foo`", "there are: default"][..],
        ),
        (of(&["decide", "--live", "--tenant", "foo", "GET", "/info"]), 1, &["there is no tenant `foo`", "default"]),
        (of(&["decide", "--listener", "foo", "GET", "/info"]), 1, &["there is no listener `foo`", "there are: docker"]),
        (of(&["logs", "--no-follow", "--operation", "ContainerCrate"]), 2, &["did you mean `ContainerCreate`?"]),
        (of(&["logs", "--no-follow", "--operation", "containercreate"]), 2, &["did you mean `ContainerCreate`?"]),
        (of(&["logs", "--no-follow", "--operation", "zzz"]), 2, &["such as `ContainerCreate`"]),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        assert_fails(&arguments, code, texts)?;
    }
    let exists = "is there already";
    assert_fails(&["state", "backup", "--config", &folder, &there], 1, &[&there, exists, "choose another name"])?;
    let token = ["token", "--name", "a", "--scope", "read", "--output", &there];
    assert_fails(&token, 1, &[&there, exists, "choose another name"])?;
    assert_eq!(fs::read(&there).ok().as_deref(), Some(&b""[..]), "it is as it was");
    Ok(())
}

#[test]
fn the_exit_codes_of_help_are_those_of_the_documentation() -> Result<()> {
    let help = portcullis::run(&["--help"])?.stdout;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators/configuration.md");
    let page = fs::read_to_string(page).map_err(|error| Error::Unexpected(error.to_string()))?;
    let table = page.split("| exit code | |").nth(1).unwrap_or_default();
    for code in 0..=3 {
        assert!(help.contains(&format!("\n  {code}  ")), "{help}");
        assert!(table.contains(&format!("\n| {code} | ")), "{code} is not in the table");
    }
    Ok(())
}
