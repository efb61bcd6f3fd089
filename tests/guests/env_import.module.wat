;; A module that imports from outside of the contract.
(module
  (import "env" "system" (func (param i32) (result i32))))
