;; Uses a handle that it was not given, with the number in the header `X-Forge`: an even number as a document, which is
;; read whole, an odd one as a request, whose `X-Secret` is read. Denies with what it got; allows where it got nothing.
(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (import "portcullis:policy/types@0.2.0" "[method]request.header" (func $header (param i32 i32 i32 i32)))
  (import "portcullis:policy/types@0.2.0" "[method]document.get" (func $get (param i32 i32 i32 i32)))
  (memory (export "memory") 4)
  (data (i32.const 16) "X-Secret")
  (data (i32.const 32) "X-Forge")
  (global $free (mut i32) (i32.const 64))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))
    (local.get $at))
  ;; The number that these digits are.
  (func $number (param $at i32) (param $length i32) (result i32)
    (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $sum
          (i32.add
            (i32.mul (local.get $sum) (i32.const 10))
            (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param $request i32) (param $data i32) (result i32)
    (local $forged i32)
    (call $header (local.get $request) (i32.const 32) (i32.const 7) (i32.const 0))
    (if (i32.eqz (i32.load8_u (i32.const 0))) (then unreachable))
    (local.set $forged (call $number (i32.load (i32.const 4)) (i32.load (i32.const 8))))
    (if (i32.and (local.get $forged) (i32.const 1))
      (then (call $header (local.get $forged) (i32.const 16) (i32.const 8) (i32.const 0)))
      (else (call $get (local.get $forged) (i32.const 16) (i32.const 0) (i32.const 0))))
    (call $drop_request (local.get $request))
    (call $drop_document (local.get $data))
    ;; What it got is an option with its text where a reason is, so it is the verdict: none is `allow`, some is `deny`.
    (i32.const 0)))
