;; Gives a verdict that the contract does not have.
(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (call $drop_request (local.get 0))
    (call $drop_document (local.get 1))
    (i32.store8 (i32.const 0) (i32.const 7))
    (i32.const 0)))
