//! Devices of the host.

use portcullis_document::Value;
use portcullis_model::view::{Device, DeviceRequest};

use super::{Facts, entries, items, member, owned, text, texts};

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
    let requests = items(member(host, "DeviceRequests")).map(|asked| Device::Request(request(asked)));
    let rules = texts(member(host, "DeviceCgroupRules")).map(|rule| Device::CgroupRule(rule.to_owned()));
    paths.chain(requests).chain(rules).collect()
}

/// A `container.DeviceRequest`.
fn request(request: Value<'_>) -> DeviceRequest {
    let request = Some(request);
    DeviceRequest {
        driver: text(member(request, "Driver")).to_owned(),
        count: member(request, "Count").and_then(Value::as_i64).unwrap_or_default(),
        ids: owned(member(request, "DeviceIDs")),
        capabilities: items(member(request, "Capabilities")).map(|all| owned(Some(all))).collect(),
        options: entries(member(request, "Options")),
    }
}
