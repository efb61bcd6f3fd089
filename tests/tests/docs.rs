//! The documentation is held to the code, and its links to what is there.

#![expect(clippy::expect_used, reason = "tests end so")]

use std::path::{Path, PathBuf};

use portcullis_docker::HostRule;

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
    let page = root().join("docs/operators/host-rules.md");
    let text = std::fs::read_to_string(page).expect("the page");
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
            let path = link.split('#').next().unwrap_or_default();
            let target = page.parent().expect("a folder").join(path);
            if !path.is_empty() && !target.exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
    assert!(count > 50, "only {count} links were found");
}
