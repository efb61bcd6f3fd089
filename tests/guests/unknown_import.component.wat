;; Imports an interface that nobody has.
(component
  (import "example:spy/eavesdrop@1.0.0" (instance
    (export "listen" (func (result string))))))
