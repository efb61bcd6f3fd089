;; Exports a `decide` that is not the contract's.
(component
  (core module $m
    (func (export "decide") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func $decide (result u32) (canon lift (core func $i "decide")))
  (instance $authorizer (export "decide" (func $decide)))
  (export "portcullis:policy/authorizer@0.2.0" (instance $authorizer)))
