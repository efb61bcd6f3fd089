use std::collections::{BTreeMap, HashMap};

use portcullis_model::decision::Origin;
use portcullis_model::{PolicyName, TenantName};

use super::*;
use crate::testing::{Random, space_name};

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn of(spaces: &Spaces, tenant: &str, origin: Origin, policy: &str) -> Arc<dyn State> {
    spaces.of(space_name(tenant, origin, policy), StateLimits::default(), StateLimits::default())
}

// Names and keys that would run into each other, were they put together carelessly.
const TENANTS: [&str; 3] = ["default", "a", "p"];
const ORIGINS: [Origin; 2] = [Origin::Host, Origin::Tenant];
const POLICIES: [&str; 3] = ["p", "a", "default"];
const KEYS: [&str; 6] = ["", "k", "p", "p/k", "*/p", "/"];
/// What the store is opened with, one time or another: that of one policy, and that of a tenant in sum.
const LIMITS: [(StateLimits, StateLimits); 3] = [
    (StateLimits { keys: 4, bytes: 80 }, StateLimits { keys: 12, bytes: 150 }),
    (StateLimits { keys: 5, bytes: 200 }, StateLimits { keys: 8, bytes: 1000 }),
    (StateLimits { keys: 2, bytes: 40 }, StateLimits { keys: 4, bytes: 60 }),
];

type Whose = (&'static str, Origin, &'static str);
type Entries = BTreeMap<&'static str, Vec<u8>>;

/// What every space must hold, counted from nothing each time.
#[derive(Clone, Default)]
struct Model(HashMap<Whose, Entries>);

#[derive(Clone, Debug)]
enum Step {
    CompareAndSet { expected: Option<Vec<u8>>, value: Option<Vec<u8>> },
    Add(i64),
    ClearKey,
    Clear,
    ClearTenant,
}

// === impl Model ===

impl Model {
    fn get(&self, whose: Whose, key: &str) -> Option<&Vec<u8>> {
        self.0.get(&whose)?.get(key)
    }

    fn used(&self, counts: impl Fn(&Whose) -> bool) -> (u32, u64) {
        let counted = self.0.iter().filter(|(whose, _)| counts(whose)).flat_map(|(_, entries)| entries);
        counted.fold((0, 0), |(keys, bytes), (key, value)| (keys + 1, bytes + (key.len() + value.len()) as u64))
    }

    fn set(
        &mut self,
        whose: Whose,
        key: &'static str,
        value: Option<Vec<u8>>,
        (limits, sum): (StateLimits, StateLimits),
    ) -> Result<(), StateFault> {
        let mut after = self.clone();
        let entries = after.0.entry(whose).or_default();
        match value {
            Some(value) => entries.insert(key, value),
            None => entries.remove(key),
        };
        let grows_past = |used: (u32, u64), before: (u32, u64), limits: StateLimits| {
            (used.0 > before.0 && used.0 > limits.keys, used.1 > before.1 && used.1 > limits.bytes)
        };
        let its_own = |other: &Whose| *other == whose;
        let its_tenants = |other: &Whose| other.0 == whose.0;
        let (keys, bytes) = grows_past(after.used(its_own), self.used(its_own), limits);
        let (keys_in_sum, bytes_in_sum) = grows_past(after.used(its_tenants), self.used(its_tenants), sum);
        if keys {
            return Err(StateFault::TooManyKeys { limit: limits.keys });
        }
        if bytes {
            return Err(StateFault::TooManyBytes { limit: limits.bytes });
        }
        if keys_in_sum {
            return Err(StateFault::TooManyTenantKeys { limit: sum.keys });
        }
        if bytes_in_sum {
            return Err(StateFault::TooManyTenantBytes { limit: sum.bytes });
        }
        *self = after;
        Ok(())
    }

    fn compare_and_set(
        &mut self,
        whose: Whose,
        key: &'static str,
        expected: Option<&Vec<u8>>,
        value: Option<Vec<u8>>,
        limits: (StateLimits, StateLimits),
    ) -> Result<bool, StateFault> {
        if self.get(whose, key) != expected {
            return Ok(false);
        }
        self.set(whose, key, value, limits).map(|()| true)
    }

    fn add(
        &mut self,
        whose: Whose,
        key: &'static str,
        delta: i64,
        limits: (StateLimits, StateLimits),
    ) -> Result<i64, StateFault> {
        let sum = added(key, self.get(whose, key).map(Vec::as_slice), delta)?;
        self.set(whose, key, Some(sum.to_le_bytes().into()), limits).map(|()| sum)
    }

    /// How much went.
    fn clear(&mut self, clears: impl Fn(&Whose, &str) -> bool) -> Usage {
        let before = self.used(|_| true);
        for (whose, entries) in &mut self.0 {
            entries.retain(|key, _| !clears(whose, key));
        }
        let after = self.used(|_| true);
        Usage { keys: before.0 - after.0, bytes: before.1 - after.1 }
    }

    /// As the store lists it.
    fn spaces(&self) -> Vec<SpaceUsage> {
        let mut whose: Vec<_> =
            self.0.iter().filter(|(_, entries)| !entries.is_empty()).map(|(whose, _)| *whose).collect();
        whose.sort_unstable_by_key(|whose| (whose.0, whose.1 == Origin::Tenant, whose.2));
        let listed = whose.into_iter().map(|whose| SpaceUsage {
            tenant: TenantName::new(whose.0).expect("a good name"),
            origin: whose.1,
            policy: PolicyName::new(whose.2).expect("a good name"),
            usage: self.used(|other| *other == whose).into(),
        });
        listed.collect()
    }
}

// === impl Step ===

impl Step {
    fn random(random: &mut Random, current: Option<&Vec<u8>>) -> Self {
        match random.below(40) {
            0 | 1 => return Self::ClearKey,
            2 => return Self::Clear,
            3 => return Self::ClearTenant,
            _ => {}
        }
        if random.below(3) == 0 {
            return Self::Add(*random.one_of(&[1, -2, i64::MAX]));
        }
        let value = (random.below(4) > 0).then(|| vec![b'v'; random.below(50)]);
        let expected = if random.below(8) == 0 { bytes("another") } else { current.cloned() };
        Self::CompareAndSet { expected, value }
    }
}

/// How often each kind of answer was given: a test that never comes to a limit proves nothing of it.
type Seen = HashMap<&'static str, usize>;

fn see<T>(seen: &mut Seen, answer: &Result<T, StateFault>) {
    let kind = match answer {
        Ok(_) => "done",
        Err(StateFault::TooManyKeys { .. }) => "keys",
        Err(StateFault::TooManyBytes { .. }) => "bytes",
        Err(StateFault::TooManyTenantKeys { .. }) => "tenant keys",
        Err(StateFault::TooManyTenantBytes { .. }) => "tenant bytes",
        Err(StateFault::NotACounter { .. }) => "not a counter",
        Err(StateFault::CounterOverflow { .. }) => "overflow",
        Err(StateFault::NotGranted | StateFault::KeyTooLong { .. } | StateFault::Unavailable(_)) => "another",
    };
    *seen.entry(kind).or_default() += 1;
}

/// All spaces there can be.
fn all() -> impl Iterator<Item = Whose> {
    let of_tenant =
        |tenant| ORIGINS.into_iter().flat_map(move |origin| POLICIES.map(|policy| (tenant, origin, policy)));
    TENANTS.into_iter().flat_map(of_tenant)
}

async fn assert_holds(store: &HashMap<Whose, Arc<dyn State>>, model: &Model, what: &str) {
    for (whose, space) in store {
        for key in KEYS {
            assert_eq!(
                space.get(key.into()).await.as_ref(),
                Ok(&model.get(*whose, key).cloned()),
                "{what}: {whose:?} {key:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_space_holds_what_was_put_into_it_and_nothing_else() {
    let mut seen = Seen::new();
    for seed in 0..6 {
        let random = &mut Random::new(seed);
        let dir = tempfile::tempdir().expect("a folder");
        let mut model = Model::default();
        for opened in 0..4 {
            let spaces = Spaces::Disk(Store::open(dir.path()));
            let disk = spaces.store().expect("it is one");
            let limits = *random.one_of(&LIMITS);
            let named = all().map(|whose| (whose, space_name(whose.0, whose.1, whose.2)));
            let store: HashMap<_, _> =
                named.map(|(whose, name)| (whose, spaces.of(name, limits.0, limits.1))).collect();
            assert_holds(&store, &model, &format!("seed {seed}, opened {opened} times before")).await;
            for step_number in 0..60 {
                let whose = (*random.one_of(&TENANTS), *random.one_of(&ORIGINS), *random.one_of(&POLICIES));
                let key = *random.one_of(&KEYS);
                let step = Step::random(random, model.get(whose, key));
                let what = format!("seed {seed}, opened {opened}, step {step_number}: {step:?} on {whose:?} {key:?}");
                match step {
                    Step::Add(delta) => {
                        let answer = store[&whose].add(key.into(), delta).await;
                        assert_eq!(answer, model.add(whose, key, delta, limits), "{what}");
                        see(&mut seen, &answer);
                    }
                    Step::CompareAndSet { expected, value } => {
                        let answer = store[&whose].compare_and_set(key.into(), expected.clone(), value.clone()).await;
                        let right = model.compare_and_set(whose, key, expected.as_ref(), value, limits);
                        assert_eq!(answer, right, "{what}");
                        see(&mut seen, &answer);
                    }
                    Step::ClearKey => {
                        let gone = disk.clear_key(space_name(whose.0, whose.1, whose.2), key.into()).await;
                        assert_eq!(gone, Ok(model.clear(|other, of| *other == whose && of == key)), "{what}");
                    }
                    Step::Clear => {
                        let gone = disk.clear(space_name(whose.0, whose.1, whose.2)).await;
                        assert_eq!(gone, Ok(model.clear(|other, _| *other == whose)), "{what}");
                    }
                    Step::ClearTenant => {
                        let gone = disk.clear_tenant(TenantName::new(whose.0).expect("a good name")).await;
                        assert_eq!(gone, Ok(model.clear(|other, _| other.0 == whose.0)), "{what}");
                    }
                }
                assert_holds(&store, &model, &what).await;
                assert_eq!(disk.spaces().as_ref(), Ok(&model.spaces()), "{what}");
            }
        }
    }
    for kind in ["done", "keys", "bytes", "tenant keys", "tenant bytes", "not a counter", "overflow"] {
        assert!(seen.contains_key(kind), "never seen: {kind}; {seen:?}");
    }
}

#[tokio::test]
async fn a_copy_has_every_tenants_state_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Spaces::Disk(Store::open(dir.path()));
    for (tenant, origin, policy) in all() {
        let value = format!("{tenant} {origin:?} {policy}");
        let set = of(&disk, tenant, origin, policy).compare_and_set("k".into(), None, bytes(&value)).await;
        assert_eq!(set, Ok(true));
    }
    let copy = Spaces::copy(dir.path().into());
    for (tenant, origin, policy) in all() {
        let value = format!("{tenant} {origin:?} {policy}");
        let space = of(&copy, tenant, origin, policy);
        assert_eq!(space.get("k".into()).await, Ok(bytes(&value)));
        assert_eq!(space.compare_and_set("k".into(), bytes(&value), None).await, Ok(true));
        assert_eq!(of(&disk, tenant, origin, policy).get("k".into()).await, Ok(bytes(&value)));
    }
}

#[tokio::test]
async fn all_spaces_of_a_copy_are_of_one_moment() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Spaces::Disk(Store::open(dir.path()));
    let copy = Spaces::copy(dir.path().into());
    assert_eq!(of(&disk, "a", Origin::Host, "p").add("n".into(), 1).await, Ok(1));
    assert_eq!(of(&copy, "a", Origin::Host, "p").add("n".into(), 0).await, Ok(1), "it is read when it is first asked");
    assert_eq!(of(&disk, "a", Origin::Tenant, "p").add("n".into(), 1).await, Ok(1));
    assert_eq!(of(&copy.clone(), "a", Origin::Tenant, "p").add("n".into(), 0).await, Ok(0), "and then no more");
    assert_eq!(of(&Spaces::copy(dir.path().into()), "a", Origin::Tenant, "p").add("n".into(), 0).await, Ok(1));
}

#[tokio::test]
async fn a_copy_of_no_store_is_empty_and_of_a_broken_one_a_fault() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(of(&Spaces::copy(dir.path().into()), "a", Origin::Host, "p").get("k".into()).await, Ok(None));
    std::fs::write(dir.path().join("state.redb"), "no database").expect("written");
    let broken = of(&Spaces::copy(dir.path().into()), "a", Origin::Host, "p").get("k".into()).await;
    assert!(matches!(broken, Err(StateFault::Unavailable(_))), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_store_that_changes_meanwhile_is_of_one_moment_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Spaces::Disk(Store::open(dir.path()));
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let changing = tokio::spawn({
        let (space, done) = (of(&disk, "a", Origin::Host, "p"), Arc::clone(&done));
        async move {
            let mut changes = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // One after the other: `n` is never behind `m`, and never two before it.
                changes = space.add("n".into(), 1).await.expect("added");
                assert_eq!(space.add("m".into(), 1).await, Ok(changes));
            }
            changes
        }
    });
    let (mut last, mut moments) = (0, 0);
    while moments < 30 {
        let copy = of(&Spaces::copy(dir.path().into()), "a", Origin::Host, "p");
        let (n, m) = (copy.add("n".into(), 0).await.expect("copied"), copy.add("m".into(), 0).await.expect("copied"));
        assert!(n >= last && (n == m || n == m + 1), "{n}, {m}, and {last} before");
        moments += u32::from(n > last);
        last = n;
        tokio::task::yield_now().await;
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let changes = changing.await.expect("no panic");
    assert!(changes >= last, "{changes} changes, {last} copied");
}
