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
  auth {             # error 3: Not supported yet
    header = "x"
  }
}
destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
