;; Exports a `decide` that is not the contract's.
(component
  (core module $m
    (func (export "decide") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "decide") (result u32) (canon lift (core func $i "decide"))))
