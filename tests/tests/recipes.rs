//! The recipes for programs that use Docker are true: with the roles and settings of the page, every call that a program makes is
//! allowed, and what the page says is denied is.

#![expect(clippy::expect_used, reason = "tests end so")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use portcullis_tests::clients::{self, Folders};
use portcullis_tests::corpus::{Captured, captured};
use portcullis_tests::error::Doing;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, plugin};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A call that a program makes, by its source: `tests/cases/recipes/USER.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    note: String,
    /// Method and target.
    call: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    /// The policy that denies it. None: it is allowed.
    denied: Option<String>,
}

/// The page's folders, and where they are here.
struct Moved(Vec<(&'static str, String)>);

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators/recipes.md");
    fs::read_to_string(path).expect("the page")
}

/// Every block of this kind of code.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let start = format!("```{kind}\n");
    let found = page.split(&start).skip(1).filter_map(|rest| rest.split_once("\n```"));
    found.map(|(block, _)| block).collect()
}

/// The blocks of JSON after the first, which is the users, are roles of one file.
fn roles(page: &str) -> Value {
    let parsed = blocks(page, "json").into_iter().skip(1).map(|block| serde_json::from_str(block).expect("JSON"));
    Value::Object(parsed.flat_map(|roles: Map<String, Value>| roles).collect())
}

fn cases(user: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/recipes").join(format!("{user}.yaml"));
    fs::read_to_string(path).map_or_else(|_| Vec::new(), |text| serde_yaml_ng::from_str(&text).expect("cases"))
}

// === impl Case ===

impl Case {
    fn captured(&self) -> Captured {
        let (method, uri) = self.call.split_once(' ').expect("a method and a target");
        let mut headers = self.headers.clone();
        let body = self.body.as_ref().map(Value::to_string);
        if let Some(body) = &body {
            headers.insert("Content-Type".to_owned(), "application/json".to_owned());
            headers.insert("Content-Length".to_owned(), body.len().to_string());
        } else if method == "POST" && headers.is_empty() {
            headers.insert("Content-Length".to_owned(), "0".to_owned());
        }
        Captured { method: method.to_owned(), uri: uri.to_owned(), headers, body }
    }
}

// === impl Moved ===

impl Moved {
    fn to(place: &Folders, config: &Path) -> Result<Self> {
        let own = |name: &str| config.join(name);
        let devcontainers = clients::all()?.into_iter().find(|client| client.name == "devcontainers");
        let project = place.project(&devcontainers.ok_or_else(|| Error::Unexpected("no such client".to_owned()))?);
        let projects = project.parent().unwrap_or(&project).to_owned();
        let folders = [
            ("/srv/www", place.pages()),
            ("/srv/projects", projects),
            ("/srv/app", own("app")),
            ("/srv/ci-cache", own("ci-cache")),
        ];
        for (_, folder) in &folders {
            fs::create_dir_all(folder).doing_to("making", folder)?;
        }
        Ok(Self(folders.map(|(from, to)| (from, to.display().to_string())).into()))
    }

    fn call(&self, call: &Captured) -> Captured {
        let (uri, body) = (self.fill(&call.uri), call.body.as_deref().map(|body| self.fill(body)));
        Captured { uri, body, ..call.clone() }
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

fn host(page: &str, moved: &Moved, config: Config) -> Result<Portcullis> {
    let users = blocks(page, "json").first().copied().expect("users");
    let settings = blocks(page, "toml").first().copied().expect("settings");
    config
        .file("data/users.json", users.as_bytes())?
        .file("data/roles.json", roles(page).to_string().as_bytes())?
        .file("policies/bind-mounts.toml", moved.fill(settings).as_bytes())?
        .policy("bind-mounts")?
        .policy("seccomp")?
        .policy("user-roles")?
        .start()
}

#[test]
fn every_call_of_a_program_comes_out_as_its_recipe_says() -> Result<()> {
    let page = page();
    let place = Folders::new(&clients::all()?)?;
    let config = Config::new()?;
    let moved = Moved::to(&place, config.path())?;
    let host = host(&page, &moved, config)?;
    let users: Map<String, Value> = serde_json::from_str(blocks(&page, "json").first().expect("users")).expect("JSON");
    let captured = captured()?;
    let mut wrong = Vec::new();
    for user in users.keys() {
        let made = captured.get(user).into_iter().flatten();
        let made = made.map(|call| ("captured".to_owned(), call.clone(), None));
        let written = cases(user).into_iter().map(|case| (case.note.clone(), case.captured(), case.denied));
        let calls: Vec<_> = made.chain(written).collect();
        assert!(calls.len() > 10, "`{user}` has {} calls", calls.len());
        for (note, call, denied) in calls {
            let asked = moved.call(&call).plugin_call(user, &place.name()).to_string();
            let reply = plugin::ask(&host.socket(), asked.as_bytes())?;
            let by = reply.msg.split_once(": ").map(|(policy, _)| policy.to_owned());
            if by.filter(|_| !reply.allow) != denied {
                wrong.push(format!("{user}: {note}: {} {}: {}", call.method, call.uri, reply.msg));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
