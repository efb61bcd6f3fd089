//! A file system that hangs, and whose calls it may cost what.

use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_docker::Resolve as _;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

/// What lies below `/hung` does not answer until it is let go.
#[derive(Default)]
struct Hung {
    is_gone: Mutex<bool>,
    gone: Condvar,
    asked: AtomicUsize,
}

impl Hung {
    fn pool(self: &Arc<Self>, deadline: Duration) -> Arc<Pool> {
        let hung = Arc::clone(self);
        let follow = move |path: &Path, may_ask: &mut dyn FnMut(&Path) -> bool| {
            if !may_ask(path) {
                return None;
            }
            if path.starts_with("/hung") {
                hung.asked.fetch_add(1, Ordering::Relaxed);
                let is_gone = hung.is_gone.lock().expect("no panic");
                drop(hung.gone.wait_while(is_gone, |is_gone| !*is_gone).expect("no panic"));
            }
            Some(Resolved::plain(path.to_string_lossy()))
        };
        Pool::start(deadline, Box::new(follow))
    }

    fn let_go(&self) {
        *self.is_gone.lock().expect("no panic") = true;
        self.gone.notify_all();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn tenant(name: &str) -> TenantName {
    TenantName::new(name).expect("a name")
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

fn led(answer: Option<oneshot::Receiver<Paths>>, path: &str) -> Option<String> {
    answer.expect("taken").blocking_recv().expect("answered").resolve(path).map(|resolved| resolved.path)
}

#[test]
fn what_hangs_holds_a_few_threads_of_its_tenant_and_none_of_others() {
    let (hung, deadline) = (Arc::new(Hung::default()), Duration::from_millis(1));
    let pool = hung.pool(deadline);
    let mut waiting: Vec<_> = (0..300).map(|n| pool.submit(&tenant("a"), vec![format!("/hung/{n}")])).collect();
    wait_until("its threads are held", || pool.stuck().len() == OF_ONE_TENANT);
    // More of the same tenant's are refused at once, also elsewhere.
    assert!(pool.submit(&tenant("a"), vec!["/fine".into()]).is_none());
    assert_eq!(hung.asked(), OF_ONE_TENANT);
    for _ in 0..100 {
        assert_eq!(led(pool.submit(&tenant("b"), vec!["/fine/x".into()]), "/fine/x").as_deref(), Some("/fine/x"));
    }
    let stuck = pool.stuck();
    assert!(stuck.iter().all(|stuck| stuck.tenant == tenant("a") && stuck.path.starts_with("/hung")), "{stuck:?}");
    // Nobody follows into what is known to hang.
    let below = stuck[0].path.join("below").display().to_string();
    assert_eq!(led(pool.submit(&tenant("b"), vec![below.clone()]), &below), None);
    assert_eq!(hung.asked(), OF_ONE_TENANT);
    // One that has answered just now may not be free yet when the next is asked for.
    assert!(pool.queue().threads <= OF_ONE_TENANT + 20);

    // Who still waits is answered when it comes back, who does not is forgotten, and threads are used again.
    let first = waiting.remove(0);
    drop(waiting);
    hung.let_go();
    assert_eq!(led(first, "/hung/0").as_deref(), Some("/hung/0"));
    wait_until("nothing is stuck", || pool.stuck().is_empty());
    assert_eq!(
        led(pool.submit(&tenant("a"), vec!["/hung/again".into()]), "/hung/again").as_deref(),
        Some("/hung/again")
    );
    assert_eq!(hung.asked(), OF_ONE_TENANT + 1, "those nobody waited for were not asked");
}

#[test]
fn threads_are_bounded_in_sum() {
    let (hung, deadline) = (Arc::new(Hung::default()), Duration::from_millis(1));
    let pool = hung.pool(deadline);
    let tenants: Vec<_> = (0..THREADS).map(|n| tenant(&format!("t{n}"))).collect();
    let submit = |tenant: &TenantName| pool.submit(tenant, vec![format!("/hung/{tenant}")]);
    let answers: Vec<_> = tenants.iter().map(submit).collect();
    wait_until("all threads are stuck", || pool.stuck().len() == THREADS);
    assert!(pool.submit(&tenant("late"), vec!["/fine".into()]).is_none());
    assert_eq!(pool.queue().threads, THREADS);
    hung.let_go();
    drop(answers);
    wait_until("nothing is stuck", || pool.stuck().is_empty());
    assert_eq!(led(pool.submit(&tenant("t0"), vec!["/x".into()]), "/x").as_deref(), Some("/x"));
}

#[test]
fn a_call_with_too_many_steps_is_resolved_in_part() {
    let follow = |path: &Path, may_ask: &mut dyn FnMut(&Path) -> bool| {
        may_ask(path).then(|| Resolved::plain(path.to_string_lossy()))
    };
    let pool = Pool::start(Duration::from_secs(60), Box::new(follow));
    let paths: Vec<_> = (0..=STEPS).map(|n| format!("/{n}")).collect();
    let answer = pool.submit(&tenant("a"), paths).expect("taken").blocking_recv().expect("answered");
    assert_eq!(answer.resolve(&format!("/{}", STEPS - 1)), Some(Resolved::plain(format!("/{}", STEPS - 1))));
    assert_eq!(answer.resolve(&format!("/{STEPS}")), None);
}

#[test]
fn a_panic_costs_one_path() {
    let follow = |path: &Path, _: &mut dyn FnMut(&Path) -> bool| {
        assert_ne!(path, Path::new("/panic"));
        Some(Resolved::plain(path.to_string_lossy()))
    };
    let pool = Pool::start(Duration::from_secs(60), Box::new(follow));
    let answer = pool.submit(&tenant("a"), vec!["/panic".into(), "/fine".into()]);
    let answer = answer.expect("taken").blocking_recv().expect("answered");
    assert_eq!((answer.resolve("/panic"), answer.resolve("/fine")), (None, Some(Resolved::plain("/fine"))));
}

#[test]
fn nobody_who_has_left_is_worked_for() {
    let (hung, deadline) = (Arc::new(Hung::default()), Duration::from_secs(60));
    let pool = hung.pool(deadline);
    let mut first = pool.submit(&tenant("a"), vec!["/hung".into()]).expect("taken");
    wait_until("it is asked", || hung.asked() == 1);
    assert!(matches!(first.try_recv(), Err(TryRecvError::Empty)));
    assert!(pool.stuck().is_empty(), "it is not late");
    drop(first);
    hung.let_go();
    wait_until("the thread is free", || pool.queue().running.is_empty());
}
