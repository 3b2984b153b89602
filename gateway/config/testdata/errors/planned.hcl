service "api" {      # error 1: Not supported yet
  owner = "core"
}
silence "x" {}       # error 1: Not supported yet
window "x" {}        # error 1: Not supported yet
heartbeat "x" {}     # error 1: Not supported yet
test "x" {}          # error 1: Not supported yet
storage "postgres" {} # error 1: Not supported yet
listener "ingest" {
  tls {              # error 3: Not supported yet
    cert_file = "x"
  }
}
integration "custom" "x" {
  routing_key "a" {
    value = env("KEY_A")
  }
  heartbeat {        # error 3: Not supported yet
    every = "26h"
  }
}
destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
