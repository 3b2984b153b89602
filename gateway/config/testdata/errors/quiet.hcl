destination "log" "a" {}
destination "log" "b" {}
service "api" {
  aliases = ["gate", "edge"]
  owner   = "core"
}
service "front" {
  aliases = ["EDGE"]              # error 13: "EDGE" is a name of service api as well
}
integration "custom" "scripts" {
  routing_key "a" {
    value = env("KEY_A")
  }
  heartbeat {                     # error 3: No interval
    grace    = "soon"             # error 16: "soon" is no duration
    severity = "urgent"           # error 16: Invalid severity
  }
  flapping {
    transitions = 2               # error 19: Want a whole number from 3 to 100
    window      = "0s"            # error 19: Want a duration above zero
  }
  auto_resolve {
    severity = { Hihg = "2h" }    # error 16: Invalid severity
  }
}
heartbeat "nightly" {             # error 1: No routing key
  every = "0s"                    # error 11: Want a duration above zero
}
auto_resolve {
  after = "a while"               # error 11: "a while" is no duration
}
auto_resolve {}                   # error 1: Duplicate auto_resolve
group "a" {                       # error 1: Nothing to group by
  window = "1m"
  wait   = "2m"                   # error 12: longer than the window
}
group "b" {
  by = ["service", "label.team"]  # error 20: "label.team" is none of
}
silence "a" {                     # error 1: Nothing selected # error 1: No reason # error 1: No end
  starts = "tomorrow"             # error 12: Want a time
}
silence "b" {
  match {
    service = "gate"              # warning 15: gate is an alias
  }
  reason = " "                    # error 12: No reason
  starts = "2026-12-02 00:00"
  ends   = "2026-12-01 00:00"     # error 12: It ends before it starts
}
window "a" {                      # error 1: No time
  match {
    integration = "heartbeat/nightly"
  }
  reason   = "x"
  timezone = "Europe/Zurick"      # error 14: no time zone
  starts   = "2026-12-02 00:00"
}
window "b" {
  when          = incident.titel == "x" # error 19: no titel in incident
  reason        = "x"
  from          = "25:00"         # error 19: "25:00" is no time of day
  days          = ["mon-fry"]     # error 20: "mon-fry" is none of
  months        = ["jan", "sept"] # error 27: "sept" is none of
  days_of_month = ["0"]           # error 20: "0" is no day
}
test "a" {                        # error 1: No payload # error 1: Nothing expected
  integration = "custom/script"   # error 17: want "custom/scripts"
}
test "b" {
  integration = "custom/scripts"
  payload     = "x.json"
  expect {
    action       = "triger"       # error 20: did you mean trigger?
    severity     = "urgent"       # error 20: Invalid severity
    routes       = ["pag"]        # error 21: did you mean page?
    destinations = ["log/x"]      # error 21: Invalid destinations
    titel        = "x"            # error 5: Did you mean "title"?
  }
}
route "page" {
  match {
    severity = ">=High"
    service  = "api*"
  }
  to = [destination.log.a]
}
route "never" {                   # warning 1: takes all that this one could match
  match {
    severity = "Critical"
    service  = "api"
    labels   = { team = "core" }
  }
  to = [destination.log.a]
}
route "sometimes" {
  match {
    severity = "Critical"
    service  = "a*"
  }
  to = [destination.log.a]
}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
