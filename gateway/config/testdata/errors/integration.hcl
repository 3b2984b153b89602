integration "datadog" "prod" {
  description   = "Datadog"
  allowed_cidrs = "10.0.0.0/8" # error 19: Want a list of strings, got a string
  verify        = "nope"       # error 19: want "none"
  reopen_window = "soon"       # error 19: is no duration
  labels        = { a = ["b"] } # error 19: Want a map of strings, got an object
  disabled      = "often"      # error 19: Want true or false, got a string
  routing_key "a" {
    value = env("MISSING_KEY") # error 18: Missing value; Environment variable MISSING_KEY isn't set
  }
  routing_key "b" {
    value = env("SHORT")       # error 13: A key needs 24 characters, this one has 7
  }
  routing_key "c" {}           # error 3: Set one of value and sha256
  routing_key "d" {            # error 3: Set one of value and sha256
    value  = env("KEY_D")
    sha256 = "00"
  }
  routing_key "e" {
    sha256  = "00"             # error 15: 64 hexadecimal digits
    expires = "tomorrow"       # error 15: Want a time such as
  }
  routing_key "f" {
    value = env("KEY_F")
  }
  routing_key "f" {            # error 3: has a key "f" already
    value = file("missing")    # error 19: no such file
  }
  routing_key "g" {
    value = "bck_00000000000000000000000000000000abcdef" # warning 13: Secret in the file # error 13: The checksum doesn't match
  }
  severity {
    default = "Urgent"           # error 15: want Critical, High
    map     = { P1 = "Critcal" } # error 15: P1: severity "Critcal"
  }
  severity {}                  # error 3: Duplicate severity
  service {
    map = { "[" = "x" }        # error 11: "[" is no pattern
  }
  limits {
    body   = "0"               # error 14: above zero
    events = "many"            # error 14: Want a number, got a string
  }
  signature = "x"              # error 3: Unsupported argument
}
integration "sentry" "web" { # error 1: No signing secret; Sentry signs its requests
  routing_key "a" {
    value = env("KEY_F") # error 13: Duplicate routing key; The key at
  }
}
integration "nagios" "x" { # error 1: bellcrank plugin lock
  routing_key "a" {
    value = env("KEY_B")
  }
}
integration "custom" "x" {} # error 1: No routing key
plugin "other" {
  type    = "datadog"
  sha256  = "abc"           # error 13: 64 hexadecimal digits
  env     = "A=b"           # error 13: Want a map of strings, got a string
  limits {
    memory  = "1.5GiB"      # error 15: is no size
    timeout = "2x"          # error 15: is no duration
  }
}
integration "acme" "y" {    # error 1: Plugin other adapts "datadog", not "acme"
  plugin = plugin.other
  routing_key "a" {
    value = env("KEY_C")
  }
}
destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
integration "datadog" "forgetful" {
  reopen_window = "72h"        # error 19: Want two days at most
  verify        = "none"
  routing_key "h" {
    value = env("KEY_H")
  }
}
