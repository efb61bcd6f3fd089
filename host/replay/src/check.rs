//! Everything that is wrong with a folder, told without a host: `portcullis config check`.

use std::path::Path;

use portcullis_config::{Config, Problem};
use portcullis_engine::{Compiler, Sandbox, SandboxConfig};
use portcullis_model::TenantName;
use portcullis_policies::{LoadContext, LoadIssue, WorkshopError, WriteBackCache, load_all};
use portcullis_status::health::{Finding, Readiness};
use portcullis_status::tls::load as load_tls;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

/// What is wrong, and what is only worth a look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// There is no mistake.
    pub is_right: bool,
    pub mistakes: Vec<Mistake>,
    pub warnings: Vec<Mistake>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// `configuration`, `certificate`, `policy`, `data`, `tenant`, `folder`, `listener`, `ignored` or `permissions`.
    pub what: String,
    /// Whose; none is the host's.
    pub tenant: Option<String>,
    /// The file or folder; none where it is not about one.
    pub file: Option<String>,
    /// Where in the file; none where it is about all of it.
    pub line: Option<usize>,
    /// What is wrong, with the file and the line.
    pub problem: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// Checks a folder as the host would read it: `portcullis.toml`, certificates, tenants, policies with their settings, imports
/// and grants, and data. Must be called on a thread of a runtime, and not inside a task.
pub fn check(dir: &Path) -> Result<Checked, WorkshopError> {
    let (config, problems) = Config::read_to_check(dir);
    let mut mistakes: Vec<_> = problems.0.iter().map(|problem| Mistake::of("configuration", problem)).collect();
    let mut warnings = Vec::new();
    if let Some(admin) = &config.admin {
        match load_tls(&admin.files) {
            Ok(loaded) => warnings.extend(loaded.ends.iter().filter_map(Finding::of_end).map(Mistake::from)),
            Err(broken) => mistakes.extend(broken.0.iter().map(|problem| Mistake::of("certificate", problem))),
        }
    }
    let live = load_all(&config, &load_context()?);
    let (snapshot, issues) = (live.load(), live.issues());
    for (tenant, issue) in issues.iter().flat_map(|(tenant, all)| all.iter().map(move |one| (tenant, one))) {
        let list = if issue.is_remark() { &mut warnings } else { &mut mistakes };
        list.extend(Mistake::of_issue(tenant.as_ref(), issue));
    }
    let unbound = Readiness::of(&snapshot, &issues, None).denying;
    mistakes.extend(unbound.into_iter().filter(|finding| finding.what == "listener").map(Mistake::from));
    Ok(Checked { is_right: mistakes.is_empty(), mistakes, warnings })
}

/// Without the cache that the configuration names: it holds machine code, and the configuration may be a stranger's.
fn load_context() -> Result<LoadContext, WorkshopError> {
    let instances = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    let sandbox = Sandbox::new(&SandboxConfig { instances, cache: None, compiler: Compiler::this_program() });
    Ok(LoadContext {
        sandbox: sandbox?,
        runtime: Handle::current(),
        write_back: WriteBackCache::default(),
        swaps: Default::default(),
    })
}

// === impl Mistake ===

impl Mistake {
    fn of(what: &str, problem: &Problem) -> Self {
        let Problem { path, line, help, .. } = problem;
        Self {
            what: what.to_owned(),
            tenant: None,
            file: Some(path.display().to_string()),
            line: *line,
            problem: problem.place_and_what(),
            help: Some(help.clone()).filter(|help| !help.is_empty()),
        }
    }

    /// Each mistake by itself.
    fn of_issue(tenant: Option<&TenantName>, issue: &LoadIssue) -> Vec<Self> {
        let LoadIssue { what, problem, mistakes, .. } = issue;
        let tenant = tenant.map(ToString::to_string);
        if mistakes.is_empty() {
            let (what, problem) = ((*what).to_owned(), problem.to_string());
            return vec![Self { what, tenant, file: None, line: None, problem, help: None }];
        }
        mistakes.0.iter().map(|mistake| Self { tenant: tenant.clone(), ..Self::of(what, mistake) }).collect()
    }
}

impl From<Finding> for Mistake {
    fn from(finding: Finding) -> Self {
        let Finding { tenant, what, name, problem, .. } = finding;
        if what == "listener" {
            // A listener is not told by a path.
            let help = "make the tenant's folder with a `tenant.toml` in `tenants`, or mend it";
            let problem = format!("the listener `{name}`: {problem}");
            return Self { what, tenant, file: None, line: None, problem, help: Some(help.to_owned()) };
        }
        Self { what, tenant, file: None, line: None, problem, help: None }
    }
}
