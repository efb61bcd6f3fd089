//! `tenant.toml`: who belongs to a tenant, and what it may use.

use std::path::Path;

use portcullis_engine::Grants;
use portcullis_model::decision::{DefaultVerdict, Mode};
use portcullis_model::tenant::{Attribute, HeaderName, Match, Pattern};
use portcullis_model::{TenantLimits, TenantName};

use crate::host_file::default_verdict;
use crate::policy_file::{read_grants, read_mode};
use crate::problem::Problems;
use crate::reader::{File, Table};
use crate::setting::Texts;
use crate::{Config, Quota, limits};

/// What a tenant's file says, with everything that it leaves out.
#[derive(Clone, Debug, Default)]
pub struct TenantFile {
    pub matches: Vec<Match>,
    /// None where the file does not say: then it is deny, and of the built-in tenant what the host's file says.
    pub default: Option<DefaultVerdict>,
    /// Whether its own policies and its default count.
    pub mode: Mode,
    /// The most that its policies can be granted.
    pub grants: Grants,
    pub limits: TenantLimits,
}

/// What a tenant's file may name.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    pub listeners: Vec<String>,
    /// Listeners that belong to one tenant whole: no match can name them.
    pub bound: Vec<String>,
    pub trusted_headers: Vec<String>,
}

// === impl Vocabulary ===

impl Vocabulary {
    pub fn of(config: &Config) -> Self {
        let (bound, free) = config.listeners.iter().partition::<Vec<_>, _>(|listener| listener.tenant.is_some());
        let names =
            |listeners: Vec<&crate::Listener>| listeners.into_iter().map(|listener| listener.name.clone()).collect();
        Self { listeners: names(free), bound: names(bound), trusted_headers: config.trusted_headers.clone() }
    }
}

// === impl TenantFile ===

impl TenantFile {
    /// Reads the file's text.
    pub fn read(path: &Path, text: &str, tenant: &TenantName, vocabulary: &Vocabulary) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let file = File::read(path, text, &mut problems, |file| Self {
            matches: matches(file, tenant, vocabulary),
            default: default_verdict(file),
            mode: read_mode(file),
            grants: read_grants(file),
            limits: file.table("limits", limits::tenant).unwrap_or_default(),
        });
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }

    /// What its policies may have.
    pub fn quota(&self) -> Quota {
        Quota::of_tenant(&self.limits, self.grants)
    }
}

fn matches(file: &mut Table<'_, '_, '_>, tenant: &TenantName, vocabulary: &Vocabulary) -> Vec<Match> {
    let matches = file.tables("match", |table, line| one_match(table, line, vocabulary)).unwrap_or_default();
    if tenant.is_default() && !matches.is_empty() {
        let what = "`match` is of no use here: all callers that belong to no other tenant belong to `default`";
        file.problem(file.line_of("match"), what, "leave it out, or give the tenant another name");
    }
    matches.into_iter().flatten().collect()
}

fn one_match(table: &mut Table<'_, '_, '_>, line: Option<usize>, vocabulary: &Vocabulary) -> Option<Match> {
    let mut conditions = Vec::new();
    let attributes = [
        ("listener", Attribute::Listener),
        ("alternative_name", Attribute::AlternativeName),
        ("organizational_unit", Attribute::OrganizationalUnit),
        ("organization", Attribute::Organization),
        ("user", Attribute::User),
    ];
    for (key, attribute) in attributes {
        if let Some(Texts(texts)) = table.get(key) {
            let line = table.line_of(key);
            if let Some(patterns) = patterns(table, key, line, &texts) {
                conditions.push((attribute, patterns));
            }
        }
    }
    let line_of_listener = table.line_of("listener");
    for (attribute, patterns) in &conditions {
        if *attribute == Attribute::Listener {
            patterns.iter().for_each(|pattern| check_listener(table, line_of_listener, pattern, vocabulary));
        }
    }
    let line_of_headers = table.line_of("header");
    for (name, texts) in table.table("header", |headers| headers.texts()).unwrap_or_default() {
        if !vocabulary.trusted_headers.iter().any(|trusted| trusted.eq_ignore_ascii_case(&name)) {
            let what = format!("the header `{name}` is not trusted: any caller could send it");
            let help = "put it into `trusted_headers` of portcullis.toml if something before the daemon always sets it";
            table.problem(line_of_headers, what, help);
        }
        if let Some(patterns) = patterns(table, &name, line_of_headers, &texts) {
            conditions.push((Attribute::Header(HeaderName::new(&name)), patterns));
        }
    }
    if conditions.is_empty() {
        let help = "name at least one of listener, user, organization, organizational_unit, alternative_name, header";
        table.problem(line, "`[[match]]` names nothing, and would match every caller", help);
        return None;
    }
    match Match::new(conditions) {
        Ok(found) => Some(found),
        Err(bad) => {
            table.problem(line, bad.to_string(), "name each attribute once");
            None
        }
    }
}

fn patterns(table: &mut Table<'_, '_, '_>, key: &str, line: Option<usize>, texts: &[String]) -> Option<Vec<Pattern>> {
    let mut patterns = Vec::new();
    for text in texts {
        match Pattern::new(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(bad) => {
                let help = "expected text, in which `*` stands for any characters and `?` for one";
                table.problem(line, format!("`{key}`: {bad}"), help);
            }
        }
    }
    if texts.is_empty() {
        table.problem(
            line,
            format!("`{key}` is an empty list, which matches nobody"),
            "name at least one, or leave it out",
        );
    }
    (!patterns.is_empty()).then_some(patterns)
}

fn check_listener(table: &mut Table<'_, '_, '_>, line: Option<usize>, pattern: &Pattern, vocabulary: &Vocabulary) {
    if vocabulary.listeners.iter().any(|listener| pattern.matches(listener)) {
        return;
    }
    let (what, help) = if vocabulary.bound.iter().any(|listener| pattern.matches(listener)) {
        let what =
            format!("`listener` names `{pattern}`, all of whose callers belong to the tenant that it is bound to");
        (what, "remove `tenant` from that `[[listener]]` of portcullis.toml, or this key".to_owned())
    } else {
        let help = format!("portcullis.toml has: {}", vocabulary.listeners.join(", "));
        (format!("`listener` names `{pattern}`, which is not a listener"), help)
    };
    table.problem(line, what, help);
}
