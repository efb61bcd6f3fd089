;; Traps at once.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func $divide_by_zero (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (i32.div_u (i32.const 1) (i32.const 0))))
