//! Everything that is wrong with a folder, told without a host: `portcullis config check`.

use std::path::Path;

use portcullis_config::{Config, Problem};
use portcullis_engine::{Compiler, Sandbox, SandboxConfig};
use portcullis_policies::{Offers, Workshop, WorkshopError, load_once};
use portcullis_state::Spaces;
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
    /// Where in `portcullis.toml`; none where `problem` says which file it is.
    pub line: Option<usize>,
    pub problem: String,
    /// How to mend it, where `problem` does not say that.
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
    let live = load_once(&config, Spaces::empty(), &workshop()?);
    let (snapshot, troubles) = (live.load(), live.troubles());
    let (wrong, remarks): (Vec<_>, Vec<_>) = Finding::of_troubles(&troubles).partition(Finding::is_refusal);
    mistakes.extend(wrong.into_iter().map(Mistake::from));
    warnings.extend(remarks.into_iter().map(Mistake::from));
    let unbound = Readiness::of(&snapshot, &troubles, None).denying;
    mistakes.extend(unbound.into_iter().filter(|finding| finding.what == "listener").map(Mistake::from));
    Ok(Checked { is_right: mistakes.is_empty(), mistakes, warnings })
}

/// Without the cache that the configuration names: it holds machine code, and the configuration may be a stranger's.
fn workshop() -> Result<Workshop, WorkshopError> {
    let instances = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    let sandbox = Sandbox::new(&SandboxConfig { instances, cache: None, compiler: Compiler::this_program() });
    Ok(Workshop { sandbox: sandbox?, runtime: Handle::current(), offers: Offers::default(), swaps: Default::default() })
}

// === impl Mistake ===

impl Mistake {
    fn of(what: &str, problem: &Problem) -> Self {
        let Problem { path, line, what: text, help } = problem;
        Self {
            what: what.to_owned(),
            tenant: None,
            line: *line,
            problem: format!("{}: {text}", path.display()),
            help: Some(help.clone()).filter(|help| !help.is_empty()),
        }
    }
}

impl From<Finding> for Mistake {
    fn from(finding: Finding) -> Self {
        let Finding { tenant, what, name, problem } = finding;
        // A listener is not told by a path.
        let problem = if what == "listener" { format!("the listener `{name}`: {problem}") } else { problem };
        Self { what, tenant, line: None, problem, help: None }
    }
}
