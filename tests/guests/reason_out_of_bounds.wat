;; Denies with a reason that lies outside of its memory.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "decide") (param i32 i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 65000))
    (i32.store (i32.const 8) (i32.const 65000))
    (i32.const 0)))
