plugin "acme" {
  sandbox    = "strict"            # error 16: "strict" is none of required, best-effort, off
  read_paths = ["usr/lib", "/usr"] # error 17: Want an absolute path
  sha256     = "ABC"               # error 16: 64 hexadecimal digits
  version    = "1.2.0"
  shadow     = "1.2.0"             # error 16: Version 1.2.0 serves itself
  limits {
    nice      = 20    # error 17: Want a number from 1 to 19
    in_flight = 0     # error 17: whole number of 1 or more
    memory    = "0B"  # error 17: "0B" is no size
    timeout   = "0s"  # error 17: above zero
    processor = "0s"  # error 17: above zero
  }
}

plugin "unheard" {
  shadow = "2.0.0" # error 12: No version "2.0.0" of unheard is pinned
}

destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
