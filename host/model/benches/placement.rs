//! What it costs to find a caller's tenant, and to check that no tenants overlap, with more and more of them.

#![expect(clippy::expect_used, reason = "a bench may end where its input is not right")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use portcullis_model::request::UnreadableCertificate;
use portcullis_model::view::Certificate;
use portcullis_model::{Attribute, Caller, Match, Pattern, Placement, TenantName};

criterion_group!(benches, finding, checking);
criterion_main!(benches);

const SIZES: [usize; 4] = [1, 10, 100, 1000];

/// What tenant number N names.
type Naming = fn(usize) -> Vec<(Attribute, String)>;

const WAYS: [(&str, Naming); 4] = [
    ("user", |n| vec![(Attribute::User, format!("team-{n}-build"))]),
    ("pattern of users", |n| vec![(Attribute::User, format!("team-{n}-*"))]),
    ("organizational unit", |n| vec![(Attribute::OrganizationalUnit, format!("Unit {n}"))]),
    ("one listener, pattern of users, organizational unit", |n| {
        vec![
            (Attribute::Listener, "docker".to_owned()),
            (Attribute::User, format!("team-{n}-*")),
            (Attribute::OrganizationalUnit, format!("Unit {n}")),
        ]
    }),
];

/// Of the last tenant.
struct Last {
    user: String,
    certificates: Vec<Certificate>,
}

fn finding(criterion: &mut Criterion) {
    for (way, naming) in WAYS {
        let mut group = criterion.benchmark_group(format!("find by {way}"));
        for size in SIZES {
            let placement = Placement::new(tenants(size, naming)).expect("none overlap");
            let last = Last::new(size - 1);
            assert_eq!(placement.find(&last), Ok(Some(size - 1)));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| placement.find(black_box(&last)));
            });
        }
        group.finish();
    }
}

fn checking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build a table of 1000, by");
    group.sample_size(20);
    let ends_alike: Naming = |n| vec![(Attribute::User, format!("*-team-{n}"))];
    for (way, naming) in WAYS.into_iter().chain([("pattern of users' ends", ends_alike)]) {
        let tenants = tenants(1000, naming);
        group.bench_function(way, |bencher| {
            bencher.iter_batched(|| tenants.clone(), |tenants| Placement::new(tenants).is_ok(), BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn tenants(size: usize, naming: Naming) -> Vec<(TenantName, Vec<Match>)> {
    let tenant = |n: usize| {
        let wanted = naming(n).into_iter().map(|(attribute, text)| {
            let pattern = Pattern::new(&text).expect("is a pattern");
            (attribute, vec![pattern])
        });
        let name = TenantName::new(&format!("team-{n}")).expect("is a name");
        (name, vec![Match::new(wanted).expect("is a match")])
    };
    (0..size).map(tenant).collect()
}

// === impl Last ===

impl Last {
    fn new(n: usize) -> Self {
        let certificate = Certificate {
            subject: String::new(),
            common_name: None,
            organizations: vec!["Example".to_owned()],
            organizational_units: vec![format!("Unit {n}")],
            alternative_names: Vec::new(),
            fingerprint: String::new(),
            not_after: 0,
        };
        Self { user: format!("team-{n}-build"), certificates: vec![certificate] }
    }
}

impl Caller for Last {
    fn listener(&self) -> &str {
        "docker"
    }

    fn user(&self) -> Option<&str> {
        Some(&self.user)
    }

    fn header(&self, _: &str) -> Option<&str> {
        None
    }

    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        Ok(&self.certificates)
    }
}
