;; Writes 5000 log lines, and allows.
(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (import "portcullis:policy/log@0.2.0" "write" (func $write (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "noise")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (local $left i32)
    (call $drop_request (local.get 0))
    (call $drop_document (local.get 1))
    (local.set $left (i32.const 5000))
    (loop $more
      (call $write (i32.const 1) (i32.const 16) (i32.const 5))
      (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.const 0)))
