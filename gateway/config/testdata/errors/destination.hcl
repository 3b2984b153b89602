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
}
destination "log" "a" {
  events  = ["created", "closed"] # error 25: "closed" is none of
  timeout = "20s"                 # error 13: An attempt takes 15s at most
  fold    = 1                     # error 13: Want true or false, got a number
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
