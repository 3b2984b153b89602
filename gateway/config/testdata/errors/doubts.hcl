integration "sentry" "x" {
  verify          = "none"               # warning 21: Signatures aren't verified
  signing_secrets = ["a literal secret"] # warning 21: Secret in the file
  routing_key "a" {
    value = "a-key-that-stands-in-the-file" # warning 13: Secret in the file
  }
}
destination "webhook" "unused" { # warning 1: Unused destination # warning 1: Only one destination
  settings {
    url = "https://example.com/"
  }
}
route "rest" {
  to = [] # warning 8: Route to nobody
}
route "late" { # warning 1: Unreachable route
  match {}     # warning 3: Empty match
  to = []      # warning 8: Route to nobody
}
