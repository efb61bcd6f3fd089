;; Denies when it finds in its memory what an earlier instance left there.
(module
  (memory (export "memory") 2)
  (global $asked (mut i32) (i32.const 0))
  (data (i32.const 16) "memory was left")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "decide") (param i32 i32) (result i32)
    (if (i32.or (global.get $asked) (i32.load (i32.const 70000)))
      (then
        (i32.store8 (i32.const 0) (i32.const 1))
        (i32.store (i32.const 4) (i32.const 16))
        (i32.store (i32.const 8) (i32.const 15))
        (return (i32.const 0))))
    (global.set $asked (i32.const 1))
    (memory.fill (i32.const 65536) (i32.const 255) (i32.const 65536))
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.const 0)))
