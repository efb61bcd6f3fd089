;; Reports a panic, as the SDK does for a Rust policy that panics.
(module
  (import "portcullis:policy/fault@0.2.0" "panicked" (func $panicked (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "index out of bounds, src/lib.rs:7")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (call $panicked (i32.const 16) (i32.const 33))
    unreachable))
