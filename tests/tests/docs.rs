//! The documentation is held to the code, and its links to what is there.

#![expect(clippy::expect_used, reason = "tests end so")]

use std::path::{Path, PathBuf};

use portcullis_docker::HostRule;
use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{Config, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Markdown file of the repository.
fn pages(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "corpus" {
            self::pages(&path, pages);
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).expect("the page")
}

/// The first block of this kind of code.
fn block<'a>(text: &'a str, kind: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{kind}\n")).expect("a block");
    rest.split_once("\n```").expect("its end").0
}

/// What follows the `#` in links to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn has_heading(page: &Path, wanted: &str) -> bool {
    let text = std::fs::read_to_string(page).expect("a page");
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(anchor).any(|anchor| anchor == wanted)
}

/// Asks about a call that comes in by the listener `shared`, with this `tenant.toml` of the tenant `ci`.
fn decide(tenant_toml: &str, call: &str) -> Finished {
    let config = Config::new().and_then(|config| config.tenant("ci", tenant_toml)).expect("a folder");
    let config = config.toml("trusted_headers = [\"X-Team\"]").listener("shared", "");
    let config = config.file("call.json", call.as_bytes()).expect("a call");
    let folder = config.write().expect("a configuration");
    let (folder, request) = (folder.display().to_string(), folder.join("call.json").display().to_string());
    run(&["decide", "--config", &folder, "--listener", "shared", "--request", &request]).expect("an answer")
}

/// What `](…)` leads to, outside of blocks of code.
fn links(text: &str) -> Vec<String> {
    let mut in_code = false;
    let prose = text.lines().filter(|line| {
        in_code ^= line.trim_start().starts_with("```");
        !in_code
    });
    let prose: Vec<_> = prose.collect();
    let prose = prose.join("\n");
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.split_whitespace().next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_host_rule_has_its_section_and_nothing_else_has() {
    let text = read("docs/operators/host-rules.md");
    let sections: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let rules: Vec<_> = HostRule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(sections, rules);
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    pages(&root(), &mut found);
    let (mut broken, mut count) = (Vec::new(), 0);
    for page in &found {
        let text = std::fs::read_to_string(page).expect("a page");
        for link in links(&text).iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().expect("a folder").join(path) };
            if !target.exists() || !anchor.is_empty() && !has_heading(&target, anchor) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
    assert!(count > 50, "only {count} links were found");
}

#[test]
fn the_guides_tenant_toml_is_taken_as_it_is() {
    let guide = read("docs/operators/tenants.md");
    let call = r#"{"User":"ci-7","RequestMethod":"GET","RequestUri":"/containers/json"}"#;
    let finished = decide(block(&guide, "toml"), call);
    assert!(finished.stdout.contains("\n  tenant ci\n") && finished.stderr.is_empty(), "{finished:?}");
}

#[test]
fn the_guide_has_every_limit_of_a_tenant_and_no_other() {
    let guide = read("docs/operators/tenants.md");
    let (_, limits) = block(&guide, "toml").split_once("[limits]\n").expect("limits");
    let mut told: Vec<_> = limits.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    told.sort_unstable();
    let finished =
        decide("[limits]\nnothing_like_it = 1", r#"{"RequestMethod":"GET","RequestUri":"/containers/json"}"#);
    let (_, expected) = finished.stderr.split_once("expected one of: ").expect("what there is");
    let mut there: Vec<_> = expected.lines().next().unwrap_or_default().split(", ").collect();
    there.sort_unstable();
    assert_eq!(told, there);
    for key in there {
        assert!(guide.contains(&format!("`{key}`")), "`{key}` is in no table");
    }
}
