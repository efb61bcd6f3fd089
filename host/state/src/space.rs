//! Whose part of the store a space is.

use std::sync::Arc;

use portcullis_model::decision::Origin;
use portcullis_model::{PolicyName, TenantName};

/// Names what one policy keeps for one tenant. Cheap to clone: every change carries one.
///
/// | policy | tenant | space |
/// |---|---|---|
/// | host-wide | `default` | `NAME`, as stores had it before there were tenants |
/// | host-wide | another | `TENANT/*/NAME` |
/// | the tenant's own | any | `TENANT/NAME` |
///
/// Neither a tenant's name nor a policy's holds `/` or `*`, so no two spaces have one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpaceName {
    tenant: TenantName,
    name: Arc<str>,
}

// === impl SpaceName ===

impl SpaceName {
    pub fn new(tenant: &TenantName, origin: Origin, policy: &PolicyName) -> Self {
        let name = match origin {
            Origin::Host if tenant.is_default() => policy.as_str().into(),
            Origin::Host => format!("{tenant}/*/{policy}").into(),
            Origin::Tenant => format!("{tenant}/{policy}").into(),
        };
        Self { tenant: tenant.clone(), name }
    }

    /// Whose space has this name in the store: the inverse of [`Self::new`]. None for what names no space.
    pub fn parse(name: &str) -> Option<(TenantName, Origin, PolicyName)> {
        let (tenant, rest) = name.split_once('/').map_or((None, name), |(tenant, rest)| (Some(tenant), rest));
        let (origin, policy) = match (tenant, rest.strip_prefix("*/")) {
            (None, _) => (Origin::Host, rest),
            (Some(_), Some(policy)) => (Origin::Host, policy),
            (Some(_), None) => (Origin::Tenant, rest),
        };
        let (tenant, policy) = (TenantName::new(tenant.unwrap_or(TenantName::DEFAULT)), PolicyName::new(policy));
        let (tenant, policy) = (tenant.ok()?, policy.ok()?);
        // `default/*/NAME` would be a second name of `NAME`.
        (Self::new(&tenant, origin, &policy).as_str() == name).then_some((tenant, origin, policy))
    }

    pub fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    pub fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.name
    }
}

/// The tenant of a space that is found in the store.
pub(crate) fn tenant_of(space: &str) -> &str {
    space.split_once('/').map_or(TenantName::DEFAULT, |(tenant, _)| tenant)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing::{Random, space_name};

    const TENANTS: [&str; 5] = [TenantName::DEFAULT, "a", "b", "a-b", "0"];
    const POLICIES: [&str; 7] = [TenantName::DEFAULT, "a", "b", "a-b", "a.b", "b.a", "0"];

    fn random_name(random: &mut Random, letters: &[u8]) -> String {
        (0..=random.below(3)).map(|_| char::from(*random.one_of(letters))).collect()
    }

    #[test]
    fn no_two_spaces_have_one_name_and_each_names_its_tenant() {
        let random = &mut Random::new(1);
        let mut tenants: Vec<_> = TENANTS.map(str::to_owned).into();
        tenants.extend((0..20).map(|_| random_name(random, b"ab0-_")));
        let mut policies: Vec<_> = POLICIES.map(str::to_owned).into();
        policies.extend((0..20).map(|_| random_name(random, b"abAB0-_.")));
        let tenants: Vec<_> = tenants.iter().filter_map(|name| TenantName::new(name).ok()).collect();
        let policies: Vec<_> = policies.iter().filter_map(|name| PolicyName::new(name).ok()).collect();

        let mut named = HashMap::new();
        for tenant in &tenants {
            for origin in [Origin::Host, Origin::Tenant] {
                for policy in &policies {
                    let space = SpaceName::new(tenant, origin, policy);
                    assert_eq!(tenant_of(space.as_str()), tenant.as_str());
                    assert_eq!(space.tenant(), tenant);
                    let parsed = SpaceName::parse(space.as_str());
                    assert_eq!(parsed, Some((tenant.clone(), origin, policy.clone())), "{}", space.as_str());
                    let whose = (tenant, origin, policy);
                    assert_eq!(*named.entry(space.as_str().to_owned()).or_insert(whose), whose);
                }
            }
        }
    }

    #[test]
    fn what_is_parsed_has_no_second_name() {
        for none in ["", "/", "*", "a/", "/a", "a/b/c", "a/*", "a/*/", "*/a", "a//b", "default/*/a", "A/b", "a/*/*/b"] {
            assert_eq!(SpaceName::parse(none), None, "{none:?}");
        }
        let random = &mut Random::new(2);
        let mut parsed = 0;
        for _ in 0..20_000 {
            let text = random_name(random, b"ab/*.A") + &random_name(random, b"ab/*.A");
            if let Some((tenant, origin, policy)) = SpaceName::parse(&text) {
                assert_eq!(SpaceName::new(&tenant, origin, &policy).as_str(), text);
                parsed += 1;
            }
        }
        assert!(parsed > 100, "{parsed}");
    }

    #[test]
    fn stores_of_before_tenants_keep_their_names() {
        let space = space_name(TenantName::DEFAULT, Origin::Host, "10-say-hello");
        assert_eq!(space.as_str(), "10-say-hello");
    }
}
