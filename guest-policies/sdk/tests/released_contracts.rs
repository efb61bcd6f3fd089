//! A policy that was built for a released version of the contract runs on every later version of its line.

#![expect(clippy::expect_used, reason = "a test ends where something is not as it must be")]

use std::fs;
use std::path::{Path, PathBuf};

use wit_parser::Resolve;

/// `major.minor.patch`, of which the first that is not 0 names the line: 0.1.0 and 0.1.7 are of one, 0.2.0 is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u64; 3]);

#[derive(Debug)]
struct Contract {
    version: Version,
    text: String,
}

impl Version {
    fn parse(text: &str) -> Self {
        let numbers: Vec<u64> = text.split('.').map(|number| number.parse().expect("a number")).collect();
        Self(numbers.try_into().expect("three numbers"))
    }

    fn line(self) -> (u64, Option<u64>) {
        let [major, minor, _] = self.0;
        (major, (major == 0).then_some(minor))
    }
}

impl Contract {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the contract is readable");
        let (_, rest) = text.split_once("package portcullis:policy@").expect("it names its package");
        let (version, _) = rest.split_once(';').expect("it ends the line");
        Self { version: Version::parse(version), text }
    }

    /// Another copy, with something put in the place of something that is there.
    fn changed(&self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "there is no `{from}` to change");
        Self { version: self.version, text: self.text.replacen(from, to, 1) }
    }

    /// The text under another version, so that two contracts can be compared whatever their versions.
    fn renamed(&self, version: &str) -> String {
        let Version([major, minor, patch]) = self.version;
        self.text.replace(&format!("@{major}.{minor}.{patch};"), &format!("@{version};"))
    }

    /// Whether every policy built for `self` runs where the host offers `newer`.
    fn is_satisfied_by(&self, newer: &Self) -> Result<(), String> {
        let mut resolve = Resolve::default();
        let mut world = |version: &str, contract: &Self| {
            let package =
                resolve.push_str(version, &contract.renamed(version)).map_err(|error| format!("{error:#}"))?;
            resolve.select_world(&[package], Some("policy")).map_err(|error| format!("{error:#}"))
        };
        let (old, new) = (world("1.0.0", self)?, world("2.0.0", newer)?);
        wit_component::semver_check(resolve, old, new).map_err(|error| format!("{error:#}"))
    }
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn current() -> Contract {
    Contract::read(&wit().join("policy.wit"))
}

/// Empty, without a folder, as long as nothing is released.
fn released() -> Vec<Contract> {
    let folder = wit().join("released");
    if !folder.exists() {
        return Vec::new();
    }
    let folders = fs::read_dir(folder).expect("the folder of released versions is readable");
    let contract_of = |folder: PathBuf| {
        let contract = Contract::read(&folder.join("policy.wit"));
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a version");
        assert_eq!(contract.version, Version::parse(name), "the folder and the package name one version");
        contract
    };
    folders.map(|entry| contract_of(entry.expect("readable").path())).collect()
}

fn newest_of_line<'a>(old: &Contract, all: impl Iterator<Item = &'a Contract>) -> &'a Contract {
    let of_line = all.filter(|contract| contract.version.line() == old.version.line());
    of_line.max_by_key(|contract| contract.version).expect("itself at least")
}

#[test]
fn the_newest_of_a_line_is_found_by_its_numbers() {
    let contracts = ["0.1.0", "0.2.0", "0.2.10", "0.2.9", "1.0.0", "1.4.0"]
        .map(|version| Contract { version: Version::parse(version), text: String::new() });
    for (version, newest) in [("0.1.0", "0.1.0"), ("0.2.0", "0.2.10"), ("1.0.0", "1.4.0")] {
        let old = contracts.iter().find(|contract| contract.version == Version::parse(version)).expect("is listed");
        assert_eq!(newest_of_line(old, contracts.iter()).version, Version::parse(newest), "{version}");
    }
}

#[test]
fn every_released_version_is_satisfied_by_the_newest_of_its_line() {
    let (current, released) = (current(), released());
    for old in &released {
        let newest = newest_of_line(old, released.iter().chain([&current]));
        if let Err(error) = old.is_satisfied_by(newest) {
            panic!("{:?} breaks policies built for {:?}: {error}", newest.version, old.version);
        }
    }
}

#[test]
fn a_released_version_does_not_change() {
    let current = current();
    for frozen in released().iter().filter(|frozen| frozen.version == current.version) {
        if let Err(error) = current.is_satisfied_by(frozen) {
            panic!("{:?} is released, so what is added needs a new version: {error}", current.version);
        }
    }
}

#[test]
fn the_comparison_knows_what_breaks_a_policy() {
    let contract = current();
    let cases = [
        ("nothing", "package portcullis", "package portcullis", true),
        ("a doc comment", "/// The type of a JSON value.", "/// A type.", true),
        ("a method more", "method: func() -> string;", "method: func() -> string; host: func() -> string;", true),
        ("an interface more", "interface fault {", "interface clock { now: func() -> u64; } interface fault {", true),
        ("a method less", "method: func() -> string;", "", false),
        ("a method renamed", "method: func() -> string;", "verb: func() -> string;", false),
        ("a parameter more", "kind: func(pointer: string)", "kind: func(pointer: string, strict: bool)", false),
        ("another result", "access: func() -> access;", "access: func() -> string;", false),
        ("a record's field more", "driver: option<string>,", "driver: option<string>, size: u64,", false),
        ("a record's field renamed", "driver: option<string>,", "plugin: option<string>,", false),
        ("an enum's case more", "        npipe,\n", "        npipe,\n        nfs,\n", false),
        ("a verdict more", "        abstain,\n", "        abstain,\n        defer,\n", false),
        ("an export more", "    export authorizer;\n", "    export authorizer;\n    export start: func();\n", false),
        ("an import less", "    import state;\n", "", false),
    ];
    for (note, from, to, compatible) in cases {
        let result = contract.is_satisfied_by(&contract.changed(from, to));
        assert_eq!(result.is_ok(), compatible, "{note}: {result:?}");
    }
}
