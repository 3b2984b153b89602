retry "often" {
  schedule     = ["0s", "1x"] # error 25: "1x" is no duration
  jitter       = 2            # error 18: from 0 to 1
  on_exhausted = "stop"       # error 18: "stop" is none of disable, dead
}
retry "never" {
  schedule = []     # error 14: one delay or more
}
retry "always" {
  schedule = ["31d"] # error 14: 30 days at most
  max_age  = "0s"    # error 14: above zero
  notify   = "log/c" # error 14: There is no destination log/c
}
destination "log" "a" {
  events  = ["created", "closed"] # error 25: "closed" is none of
  timeout = "20s"                 # error 13: An attempt takes 15s at most
  fold    = 1                     # error 13: Want true or false, got a number
  concurrency = 0                 # error 17: whole number of 1 or more
  when        = incident.titel    # error 17: did you mean title?
  rate_limit {
    rate = "2 per second"         # error 12: is no rate
  }
  match {
    severity = "Hihg"             # error 16: Severity "Hihg"
  }
  settings {
    path = "" # error 12: path must not be empty
  }
}
destination "log" "b" {
  url = "x" # error 3: Unsupported argument
}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
