;; Denies with a reason of 10 MiB, all of it zeros.
(module
  (memory (export "memory") 161)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "decide") (param i32 i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 16))
    (i32.store (i32.const 8) (i32.const 10485760))
    (i32.const 0)))
