//! Answers of the host that are larger than the guest has room for.

use portcullis_document::{Builder, Node};
use portcullis_model::{Data, Fault};

use super::*;

/// Asks for one thing of the operator's data, and allows.
fn asks(method: &str) -> String {
    format!(
        r#"(module
          (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
          (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
          (import "portcullis:policy/types@0.2.0" "[method]document.{method}" (func $ask (param i32 i32 i32 i32)))
          (memory (export "memory") 1)
          (data (i32.const 64) "/large")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
          (func (export "portcullis:policy/authorizer@0.2.0#decide") (param $request i32) (param $data i32) (result i32)
            (call $drop_request (local.get $request))
            (call $ask (local.get $data) (i32.const 64) (i32.const 6) (i32.const 128))
            (call $drop_document (local.get $data))
            (i32.store8 (i32.const 0) (i32.const 0))
            (i32.const 0)))"#
    )
}

/// A document with one value, as `make` builds it.
fn data(make: impl FnOnce(&mut Builder) -> Node) -> Arc<Data> {
    let mut builder = Builder::new(0);
    let root = make(&mut builder);
    Arc::new(Data::new([("large".to_owned(), Arc::new(builder.finish(String::new(), root)))]))
}

fn list(builder: &mut Builder, count: usize) -> Node {
    let mark = builder.mark();
    for _ in 0..count {
        let text = Node::text(builder.unescaped("0123456789"));
        builder.item(text);
    }
    builder.close_list(mark)
}

fn object(builder: &mut Builder, count: usize) -> Node {
    let mark = builder.mark();
    for number in 0..count {
        let key = builder.unescaped(&format!("0123456789{number}"));
        builder.member(key, Node::NULL);
    }
    builder.close_object("", mark).expect("the keys differ")
}

fn text(builder: &mut Builder, length: usize) -> Node {
    Node::text(builder.unescaped(&"x".repeat(length)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_a_fault_before_it_is_made() {
    let (sandbox, budget) = (sandbox(8), TenantBudget::new(usize::MAX));
    let limits = Limits { memory: MEBIBYTE, deadline: FOREVER.deadline, ..limits() };
    let rows = [
        ("get", data(|builder| list(builder, 100_000))),
        ("texts", data(|builder| list(builder, 100_000))),
        ("keys", data(|builder| object(builder, 100_000))),
        ("text", data(|builder| text(builder, MEBIBYTE + 1))),
    ];
    for (method, data) in rows {
        let policy = load(&sandbox, &asks(method), false);
        let question = Question { data, ..question(&budget, None) };
        let judgement = policy.decide(question, &limits).await.judgement;
        assert_eq!(judgement, Err(Fault::Memory { limit: MEBIBYTE }), "{method}");
    }
    // What fits is handed over: the guest is asked for room, which this one has not.
    for (method, data) in
        [("get", data(|builder| list(builder, 10_000))), ("texts", data(|builder| list(builder, 10_000)))]
    {
        let policy = load(&sandbox, &asks(method), false);
        let question = Question { data, ..question(&budget, None) };
        let fault = policy.decide(question, &limits).await.judgement.expect_err("it has no room");
        assert_eq!(fault.kind().as_str(), "trap", "{method}: {fault}");
    }
}
