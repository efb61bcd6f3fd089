//! `portcullis status`

use std::time::Duration;

use hyper::Method;
use portcullis_model::printable::escape;
use portcullis_policies::LoadIssue;
use portcullis_status::health::LAST_GOOD_STAYS;
use portcullis_status::status::{PolicyStatus, Problem, Status, TenantStatus};

use crate::admin::{Call, escaped};
use crate::args;
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::patience::Patience;
use crate::table::{Align, Table};
use crate::words::micros;

/// Digests are cut to this many characters after `sha256:`; `--json` has them whole.
const DIGEST: usize = 12;

pub(crate) fn run(args: &args::Status) -> Exit {
    status(args).into()
}

fn status(args: &args::Status) -> Result<(), Exit> {
    let status: Status = match &args.tenant {
        None => of_host().json(&args.host)?,
        Some(name) => match of_host().json_if_allowed(&args.host)? {
            Some(status) => only(args, status, name)?,
            None => return of_tenant(args, name),
        },
    };
    if args.json {
        return out::json(&status);
    }
    print(&status);
    Ok(())
}

fn of_host() -> Call {
    Call::new(Method::GET, "/v1/status").patience(Patience::QUICK)
}

/// With one tenant only. One whose folder was made just now is waited for.
fn only(args: &args::Status, status: Status, name: &str) -> Result<Status, Exit> {
    let mut status = status;
    let is_there = |status: &Status| status.tenants.iter().any(|tenant| tenant.name == name);
    if !is_there(&status) {
        if let Some(problem) = status.problems.iter().find(|problem| problem.what == "tenant" && problem.name == name) {
            return Err(fail(Exit::Failed, format_args!("tenant `{name}` is not active: {}", problem.problem)));
        }
        let _: TenantStatus = tenant_call(name).json(&args.host)?;
        status = of_host().json(&args.host)?;
    }
    status.tenants.retain(|tenant| tenant.name == name);
    Ok(status)
}

fn tenant_call(name: &str) -> Call {
    Call::new(Method::GET, format!("/v1/tenants/{}/status", escaped(name))).patience(Patience::QUICK)
}

/// For those who may know of one tenant only.
fn of_tenant(args: &args::Status, name: &str) -> Result<(), Exit> {
    let status: TenantStatus = tenant_call(name).json(&args.host)?;
    if args.json {
        return out::json(&status);
    }
    let status = [status];
    tenants(&status).print();
    say!();
    policies((&[], &[]), &status).print();
    print_problems(&[], &status);
    Ok(())
}

fn print(status: &Status) {
    let Status { version, generation, uptime_s, .. } = status;
    say!("portcullis {version}, generation {generation}, up {}", uptime(Duration::from_secs(*uptime_s)));
    if status.is_ready {
        say!("ready");
    } else {
        say!("not ready: calls are denied because of");
        // What stands below in full is only named here.
        let message: Vec<_> = all_problems(status).map(|problem| &problem.problem).collect();
        for finding in &status.denying {
            let is_told = message.contains(&&finding.problem);
            let text = if is_told { finding.subject() } else { finding.to_string().replace('\n', "\n    ") };
            say!("  {text}");
        }
    }
    for listener in &status.listeners {
        let bound = listener.tenant.as_ref().map(|tenant| format!(", for tenant {tenant}")).unwrap_or_default();
        say!("listener {} at {}{bound}", listener.name, listener.socket);
    }
    say!();
    tenants(&status.tenants).print();
    if status.unplaced.decisions > 0 {
        let unplaced = status.unplaced.decisions;
        say!("{unplaced} calls were denied because they could not be read or their tenant is unknown");
    }
    say!();
    policies((&status.policies, &status.problems), &status.tenants).print();
    print_problems(&status.problems, &status.tenants);
    let printed: Vec<_> = all_problems(status).map(|problem| &problem.problem).collect();
    for finding in status.warnings.iter().filter(|finding| !printed.contains(&&finding.problem)) {
        say!("\nwarning: {}", finding.to_string().replace('\n', "\n  "));
    }
}

fn all_problems(status: &Status) -> impl Iterator<Item = &Problem> {
    status.problems.iter().chain(status.tenants.iter().flat_map(|tenant| &tenant.problems))
}

fn tenants(tenants: &[TenantStatus]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("TENANT", Left),
        ("MODE", Left),
        ("GENERATION", Right),
        ("POLICIES", Right),
        ("DECISIONS", Right),
        ("DENIED", Right),
        ("WOULD DENY", Right),
        ("FAULTS", Right),
        ("NO ROOM", Right),
        ("P50", Right),
        ("P99", Right),
        ("IN FLIGHT", Right),
        ("WAITING", Right),
    ]);
    for tenant in tenants {
        let figures = &tenant.figures;
        table.row([
            tenant.name.clone(),
            mode(tenant.is_observed).to_owned(),
            tenant.generation.to_string(),
            tenant.policies.len().to_string(),
            figures.decisions.to_string(),
            figures.denials.to_string(),
            figures.would_deny.to_string(),
            figures.faults.to_string(),
            figures.overloads.to_string(),
            took(figures.p50_us, figures.decisions),
            took(figures.p99_us, figures.decisions),
            tenant.in_flight.to_string(),
            tenant.waiting.to_string(),
        ]);
    }
    table
}

fn policies(host_wide: (&[PolicyStatus], &[Problem]), tenants: &[TenantStatus]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("TENANT", Left),
        ("POLICY", Left),
        ("DIGEST", Left),
        ("MODE", Left),
        ("WOULD DENY", Right),
        ("STATE", Left),
    ]);
    let of_tenants = tenants.iter().map(|tenant| {
        (tenant.name.as_str(), tenant.is_observed, (tenant.policies.as_slice(), tenant.problems.as_slice()))
    });
    for (tenant, is_observed, (policies, problems)) in [("(all)", false, host_wide)].into_iter().chain(of_tenants) {
        for policy in policies {
            let is_behind =
                |problem: &Problem| problem.what == "policy" && problem.name == policy.name && problem.last_good_stays;
            table.row(row(tenant, is_observed || policy.is_observed, policy, problems.iter().any(is_behind)));
        }
    }
    table
}

fn mode(is_observed: bool) -> &'static str {
    if is_observed { "observe" } else { "enforce" }
}

fn row(tenant: &str, is_observed: bool, policy: &PolicyStatus, is_behind: bool) -> [String; 6] {
    let digest = policy.digest.as_deref().map_or("-", |digest| digest.trim_start_matches("sha256:"));
    [
        tenant.to_owned(),
        policy.name.clone(),
        digest.chars().take(DIGEST).collect(),
        mode(is_observed).to_owned(),
        policy.would_deny.to_string(),
        match (&policy.broken, is_observed) {
            (None, _) if is_behind => "last good version: the file is broken",
            (None, _) => "active",
            (Some(_), false) => "broken: denies every call",
            (Some(_), true) => "broken: would deny every call",
        }
        .to_owned(),
    ]
}

fn print_problems(host_wide: &[Problem], tenants: &[TenantStatus]) {
    let of_host = host_wide.iter().map(|problem| (None, problem));
    let of_tenants =
        tenants.iter().flat_map(|tenant| tenant.problems.iter().map(|problem| (Some(&tenant.name), problem)));
    for (tenant, Problem { what, name, problem, last_good_stays }) in of_host.chain(of_tenants) {
        let tenant = tenant.filter(|tenant| what != "tenant" || *tenant != name);
        let tenant = tenant.map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        let label = if LoadIssue::REMARKS.contains(&what.as_str()) { "warning" } else { "not active" };
        let stays = if *last_good_stays { format!(" ({LAST_GOOD_STAYS})") } else { String::new() };
        let name = if name.is_empty() { String::new() } else { format!(" {}", escape(name)) };
        say!("\n{label}: {what}{name}{tenant}{stays}\n  {}", problem.replace('\n', "\n  "));
    }
    for tenant in tenants {
        if let Some(fault) = &tenant.figures.last_fault {
            let (policy, fault, name) = (&fault.policy, &fault.fault, &tenant.name);
            say!("\nlast fault of tenant {name}: {policy}\n  {fault}");
        }
    }
}

fn took(time: u64, decisions: u64) -> String {
    if decisions == 0 { "-".to_owned() } else { micros(time) }
}

fn uptime(time: Duration) -> String {
    let (minutes, hours) = (time.as_secs() / 60, time.as_secs() / 3600);
    if minutes == 0 {
        format!("{} s", time.as_secs())
    } else if hours == 0 {
        format!("{minutes} min")
    } else if hours < 24 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{} d {} h", hours / 24, hours % 24)
    }
}
