;; Looks for what an earlier instance left in memory, in the first pages and in those that it grows by; denies with it.
;; Then fills all of it with the caller's secret (the header `X-Secret`), and ends as the header `X-End` says: `trap`,
;; `spin`, or with an allow.
(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (import "portcullis:policy/types@0.2.0" "[method]request.header" (func $header (param i32 i32 i32 i32)))
  ;; 0: answers of the host and the verdict; 16: names; 64: texts that the host gives; from 4096 on: what is looked at.
  (memory (export "memory") 4)
  (data (i32.const 16) "X-Secret")
  (data (i32.const 32) "X-End")
  (global $free (mut i32) (i32.const 64))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))
    (if (i32.gt_u (global.get $free) (i32.const 4096)) (then unreachable))
    (local.get $at))
  ;; The first place from `from` to `to` that is not zero; `to` where there is none.
  (func $find (param $from i32) (param $to i32) (result i32)
    (loop $next
      (if (i32.ge_u (local.get $from) (local.get $to)) (then (return (local.get $to))))
      (if (i64.ne (i64.load (local.get $from)) (i64.const 0)) (then (return (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 8)))
      (br $next))
    unreachable)
  (func $deny (param $reason i32) (param $length i32) (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (local.get $reason))
    (i32.store (i32.const 8) (local.get $length))
    (i32.const 0))
  (func $end (result i32)
    (memory.size)
    (i32.mul (i32.const 65536)))
  ;; Repeats the text at `from` to the end of memory.
  (func $fill (param $from i32) (param $length i32)
    (local $at i32)
    (local.set $at (i32.const 4096))
    (loop $next
      (if (i32.gt_u (i32.add (local.get $at) (local.get $length)) (call $end))
        (then
          (memory.copy (local.get $at) (local.get $from) (i32.sub (call $end) (local.get $at)))
          (return)))
      (memory.copy (local.get $at) (local.get $from) (local.get $length))
      (local.set $at (i32.add (local.get $at) (local.get $length)))
      ;; Twice as much each time, up to a page.
      (if (i32.lt_u (local.get $length) (i32.const 32768))
        (then
          (memory.copy (local.get $at) (i32.const 4096) (local.get $length))
          (local.set $at (i32.add (local.get $at) (local.get $length)))
          (local.set $length (i32.mul (local.get $length) (i32.const 2)))
          (local.set $from (i32.const 4096))))
      (br $next)))
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param $request i32) (param $data i32) (result i32)
    (local $found i32) (local $before i32) (local $how i32)
    (local.set $found (call $find (i32.const 4096) (call $end)))
    (if (i32.eq (local.get $found) (call $end))
      (then
        (local.set $before (call $end))
        ;; More than the host keeps resident from one instance to the next.
        (if (i32.lt_s (memory.grow (i32.const 36)) (i32.const 0)) (then unreachable))
        (local.set $found (call $find (local.get $before) (call $end)))))
    (if (i32.ne (local.get $found) (call $end))
      (then
        (call $drop_request (local.get $request))
        (call $drop_document (local.get $data))
        (return (call $deny (local.get $found) (i32.const 64)))))
    (call $header (local.get $request) (i32.const 16) (i32.const 8) (i32.const 0))
    (if (i32.eqz (i32.load8_u (i32.const 0))) (then unreachable))
    (call $fill (i32.load (i32.const 4)) (i32.load (i32.const 8)))
    (call $header (local.get $request) (i32.const 32) (i32.const 5) (i32.const 0))
    (if (i32.load8_u (i32.const 0)) (then (local.set $how (i32.load8_u (i32.load (i32.const 4))))))
    (if (i32.eq (local.get $how) (i32.const 116)) (then unreachable))
    (if (i32.eq (local.get $how) (i32.const 115)) (then (loop $forever (br $forever))))
    (call $drop_request (local.get $request))
    (call $drop_document (local.get $data))
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.const 0)))
