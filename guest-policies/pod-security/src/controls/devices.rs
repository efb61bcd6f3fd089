//! Devices of the host.

use portcullis_policy::view::{Device, DeviceRequest};

use crate::call::{Call, Kind};
use crate::text::{listed, short};
use crate::{Control, Objection};

pub const DEVICES: Control = Control { name: "devices", of: &[Kind::Create, Kind::Update], objection: device };

fn device(call: &Call<'_>) -> Objection {
    call.request.devices().iter().find_map(|device| match device {
        Device::Path(path) if call.lists("devices", &path.host) => None,
        Device::Path(path) => Some(
            format!(
                "the device `{}` of the host may not be given to a container; leave out `--device` (the setting `devices` lists \
                 what may)",
                short(&path.host)
            )
            .into(),
        ),
        Device::CgroupRule(rule) => Some(
            format!("the rule `{}` opens devices of the host; leave out `--device-cgroup-rule`", short(rule)).into(),
        ),
        Device::Request(request) if is_of_gpus(request) && call.says("gpus") => None,
        Device::Request(request) if is_of_gpus(request) => {
            Some("GPUs may not be given to a container; leave out `--gpus` (the setting `gpus` allows them)".into())
        }
        Device::Request(request) => {
            let names: Vec<&str> = std::iter::once(&request.driver).chain(&request.ids).map(String::as_str).collect();
            Some(format!("devices may not be requested ({}); leave out `DeviceRequests`", listed(&names)).into())
        }
    })
}

/// Of NVIDIA's driver, or what Docker chooses for `gpu`. What a CDI device mounts is written on the host.
fn is_of_gpus(request: &DeviceRequest) -> bool {
    let is_gpu = |all: &Vec<String>| all.iter().any(|capability| capability == "gpu");
    matches!(&*request.driver, "" | "nvidia")
        && !request.capabilities.is_empty()
        && request.capabilities.iter().all(is_gpu)
}
