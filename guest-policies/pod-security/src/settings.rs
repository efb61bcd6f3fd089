//! Settings that all the policies have.

use portcullis_policy::Document;
use portcullis_policy::settings::Setting;

/// What `builds` may be, each with what the ones before it allow.
pub(crate) const BUILDS: [&str; 4] = ["none", "classic", "session", "grpc"];

/// What `binds` may be.
pub const BINDS: [&str; 2] = ["forbid", "leave to bind-mounts"];

pub(crate) const COMMON: &[Setting<'static>] = &[
    Setting::texts("off"),
    Setting::texts("capabilities"),
    Setting::texts("volume_drivers"),
    Setting::texts("devices"),
    Setting::boolean("gpus"),
    Setting::texts("cgroup_parents"),
    Setting::texts("runtimes"),
    Setting::texts("annotations"),
    Setting::texts("apparmor_profiles"),
    Setting::texts("seccomp_profiles"),
    Setting::texts("masked_paths"),
    Setting::texts("sysctls"),
    Setting::texts("log_drivers"),
    Setting::texts("network_drivers"),
    Setting::texts("interfaces"),
    Setting::texts("service_networks"),
    Setting::integer("lowest_port", 0, 65536),
    Setting::boolean("ports_on_all_addresses"),
    Setting::one_of("builds", &BUILDS),
];

/// The settings of [`COMMON`] whose texts have a form.
pub(crate) fn check(settings: &Document) -> Result<(), String> {
    let wrong = |name: &str, is_right: fn(&str) -> bool| {
        settings.texts(&format!("/{name}")).unwrap_or_default().into_iter().find(|text| !is_right(text))
    };
    if let Some(text) = wrong("capabilities", |text| {
        text.starts_with("CAP_") && !text.contains(|letter: char| letter.is_ascii_lowercase())
    }) {
        return Err(format!("`capabilities` has `{text}`; write it as `CAP_NET_ADMIN`"));
    }
    if let Some(text) = wrong("devices", |text| text.starts_with("/dev/") && !text.contains("..")) {
        return Err(format!("`devices` has `{text}`; write the path of a device below /dev"));
    }
    if let Some(text) = wrong("seccomp_profiles", |text| text.starts_with("sha256:")) {
        return Err(format!("`seccomp_profiles` has `{text}`; write the digest that the denial shows, `sha256:…`"));
    }
    if settings.texts("/masked_paths").is_some_and(|paths| paths.is_empty()) {
        return Err("`masked_paths` must not be empty".to_owned());
    }
    Ok(())
}
