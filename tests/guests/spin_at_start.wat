;; Never starts.
(module
  (memory (export "memory") 1)
  (func $start (loop $forever (br $forever)))
  (start $start)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32) unreachable))
