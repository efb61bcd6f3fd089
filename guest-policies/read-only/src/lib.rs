//! Look and touch nothing: no change, and nothing that reads files, secrets or streams out of containers or the host.

mod operations;
mod processes;

use portcullis_policy::settings::Setting;
use portcullis_policy::{Access, Document, Request, Verdict, policy, settings};

use crate::operations::{ATTACH, Class, TOP, class_of};

policy!(decide, prepare);

const SETTINGS: [Setting<'_>; 10] = [
    Setting::boolean("attach"),
    Setting::boolean("changes"),
    Setting::boolean("configs"),
    Setting::boolean("events"),
    Setting::boolean("inspect"),
    Setting::boolean("logs"),
    Setting::boolean("registries"),
    Setting::boolean("stats"),
    Setting::boolean("top"),
    Setting::texts("top_arguments"),
];

/// Arguments of `ps`, where the settings have none.
const TOP_ARGUMENTS: [&str; 2] = ["-ef", "aux"];

pub fn prepare(settings: &Document) -> Result<(), String> {
    settings.check(&SETTINGS)?;
    let arguments = settings.texts("/top_arguments").unwrap_or_default();
    match arguments.iter().find(|arguments| !processes::are_harmless(arguments)) {
        Some(arguments) => Err(format!(
            "`top_arguments` must be such as are known to show the container's processes and no environment, which `{arguments}` is not"
        )),
        None => Ok(()),
    }
}

pub fn decide(request: &Request, data: &Document) -> Verdict {
    let Some(reason) = objection(request) else { return Verdict::allow() };
    match is_exempt(request, data) {
        Ok(true) => Verdict::allow(),
        Ok(false) => Verdict::deny(reason),
        Err(problem) => Verdict::deny(problem),
    }
}

fn objection(request: &Request) -> Option<String> {
    let operation = request.operation();
    let Some(class) = class_of(&operation) else {
        return Some(format!("{operation} is not an operation that this policy knows; only looking is allowed"));
    };
    match class {
        Class::Look if request.access() == Access::Read => None,
        Class::Set(setting) if request.access() == Access::Read => objection_by(setting, &operation),
        Class::Top => objection_by(&TOP, &operation).or_else(|| objection_to_arguments(request)),
        Class::Attach => objection_by(&ATTACH, &operation).or_else(|| objection_to_input(request)),
        Class::Never(shows) => Some(format!("{operation} shows {shows}; only looking is allowed")),
        Class::Change | Class::Look | Class::Set(_) => {
            Some(format!("{operation} changes something; only looking is allowed"))
        }
    }
}

fn objection_by(setting: &operations::Setting, operation: &str) -> Option<String> {
    let allowed = settings().at([setting.name]).boolean().unwrap_or(setting.default);
    (!allowed).then(|| {
        format!(
            "{operation} shows {}; it is allowed where the policy's setting `{}` is true",
            setting.shows, setting.name
        )
    })
}

fn objection_to_arguments(request: &Request) -> Option<String> {
    let given = request.query("ps_args")?;
    let allowed = settings().texts("/top_arguments").unwrap_or_else(|| TOP_ARGUMENTS.map(str::to_owned).to_vec());
    if given.is_empty() || allowed.contains(&given) {
        return None;
    }
    Some(format!(
        "`docker top` may not be given `{given}`, which could show environments or other processes; allowed are {}",
        match allowed.is_empty() {
            true => "no arguments".to_owned(),
            false => allowed.iter().map(|arguments| format!("`{arguments}`")).collect::<Vec<_>>().join(", "),
        }
    ))
}

/// The daemon connects the caller to the container's input, unless the parameter is false (moby's
/// `daemon/server/httputils/form.go`).
fn objection_to_input(request: &Request) -> Option<String> {
    let stdin = request.query("stdin").unwrap_or_default().trim().to_lowercase();
    let has_input = !matches!(&*stdin, "" | "0" | "no" | "false" | "none");
    has_input.then(|| "attaching is allowed without input only: `docker attach --no-stdin`".to_owned())
}

/// Whether the operator's data say that this policy is not for the caller.
fn is_exempt(request: &Request, data: &Document) -> Result<bool, String> {
    let Some(user) = request.user() else { return Ok(false) };
    let exempt = data.at(["read-only", "users", &user, "exempt"]);
    match (exempt.exists(), exempt.boolean()) {
        (false, _) => Ok(false),
        (true, Some(exempt)) => Ok(exempt),
        (true, None) => Err(format!("`exempt` of `{user}` in the data `read-only` must be true or false")),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }
}
