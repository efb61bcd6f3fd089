//! Devices of the host.

use portcullis_model::view::Device;

use super::{Facts, items, member, text, texts};

pub(crate) fn devices(facts: Facts<'_>) -> Vec<Device> {
    let host = facts.host_config();
    let paths = items(member(host, "Devices")).map(|device| {
        let field = |name| text(member(Some(device), name)).to_owned();
        Device::Path {
            host: field("PathOnHost"),
            container: field("PathInContainer"),
            permissions: field("CgroupPermissions"),
        }
    });
    let requests = items(member(host, "DeviceRequests"))
        .map(|request| Device::Request(text(member(Some(request), "Driver")).to_owned()));
    let rules = texts(member(host, "DeviceCgroupRules")).map(|rule| Device::CgroupRule(rule.to_owned()));
    paths.chain(requests).chain(rules).collect()
}
