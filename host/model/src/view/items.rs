//! How many entries a view has: what it costs to copy, and about how much memory it takes.

use super::{Build, Container, Driver, Network, NetworkAttachment, Plugin, Resources, SeccompProfile, Service, Swarm};

pub trait Items {
    /// The entries of all its lists, and of lists in them.
    fn items(&self) -> usize;
}

impl Items for Driver {
    fn items(&self) -> usize {
        self.options.len()
    }
}

impl Items for Container {
    fn items(&self) -> usize {
        let Self { groups, annotations, hosts, name_servers, links, log, .. } = self;
        let log = log.as_ref().map_or(0, Driver::items);
        groups.len() + annotations.len() + hosts.len() + name_servers.len() + links.len() + log
    }
}

impl Items for Resources {
    fn items(&self) -> usize {
        self.block_io.len() + self.ulimits.len() + self.storage.len() + self.generic.len()
    }
}

impl Items for SeccompProfile {
    fn items(&self) -> usize {
        self.actions.len()
    }
}

impl Items for NetworkAttachment {
    fn items(&self) -> usize {
        1 + self.aliases.len() + self.addresses.len() + self.links.len() + self.options.len()
    }
}

impl Items for Network {
    fn items(&self) -> usize {
        let auxiliary: usize = self.subnets.iter().map(|subnet| 1 + subnet.auxiliary.len()).sum();
        self.options.len() + self.ipam.items() + auxiliary
    }
}

impl Items for Service {
    fn items(&self) -> usize {
        self.constraints.len() + self.secrets.len() + self.configs.len()
    }
}

impl Items for Build {
    fn items(&self) -> usize {
        let outputs: usize = self.outputs.iter().map(|output| 1 + output.items()).sum();
        self.arguments.len() + self.cache_from.len() + self.security_options.len() + outputs
    }
}

impl Items for Plugin {
    fn items(&self) -> usize {
        let privileges: usize = self.privileges.iter().map(|privilege| 1 + privilege.values.len()).sum();
        self.settings.len() + privileges
    }
}

impl Items for Swarm {
    fn items(&self) -> usize {
        let authorities: usize = self.certificate_authorities.iter().map(|one| 1 + one.options.len()).sum();
        let log = self.log.as_ref().map_or(0, Driver::items);
        self.remote_addresses.len() + self.address_pools.len() + self.rotates.len() + authorities + log
    }
}
