//! Networks that a call makes or joins.

use serde::Serialize;

use super::{Driver, Entry};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkAttachment {
    /// Its name or ID, as written.
    pub network: String,
    pub aliases: Vec<String>,
    pub addresses: Vec<String>,
    pub mac_address: Option<String>,
    pub links: Vec<String>,
    pub options: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subnet {
    pub subnet: Option<String>,
    pub ip_range: Option<String>,
    pub gateway: Option<String>,
    pub auxiliary: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    pub name: String,
    /// None: the daemon's default.
    pub driver: Option<String>,
    /// The host's interface that it is built on.
    pub parent: Option<String>,
    pub options: Vec<Entry>,
    pub scope: Option<String>,
    pub internal: bool,
    pub attachable: bool,
    pub ingress: bool,
    pub config_only: bool,
    pub config_from: Option<String>,
    pub ipv4: Option<bool>,
    pub ipv6: Option<bool>,
    pub ipam: Driver,
    pub subnets: Vec<Subnet>,
}
