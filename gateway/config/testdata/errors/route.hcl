destination "log" "a" {}
destination "log" "b" {}
integration "custom" "scripts" {
  routing_key "a" {
    value = env("KEY_A")
  }
}
route "match" {
  match {
    severity    = [">=High", "Hihg"] # error 30: Severity "Hihg"
    integration = "custom/script"    # warning 19: did you mean custom/scripts?
    label       = { a = "b" }        # error 5: Did you mean "labels"?
    service     = [["a"]]            # error 19: Want a list of strings
  }
  match {}                           # error 3: Duplicate match
  to = ["log/a", "log/c"]            # error 18: There is no destination log/c
  fallback = ["log/d"]               # error 15: There is no destination log/d
}
route "nobody" { # error 1: No destination
  match {
    title = "x"
  }
}
route "a" {
  when = incident.titel == "x"       # error 10: no titel in incident; did you mean title?
  to   = [destination.log.a]
}
route "b" {
  when = incident.integration.kind == "x" # error 10: no kind in incident.integration
  to   = [destination.log.a]
}
route "bare" {
  when = severity == "High"         # error 10: Did you mean incident.severity?
  to   = [destination.log.a]
}
route "c" {
  when = incident.title              # error 10: A condition is true or false, this is a string
  to   = [destination.log.a]
}
route "d" {
  when = incident.count > "x"        # error 27: Invalid operand
  to   = [destination.log.a]
}
route "e" {
  when = env("A") == "x"             # error 10: Call to unknown function
  to   = [destination.log.a]
}
route "f" {
  when = incident.labels.team == local.tem # error 34: no local tem
  to   = [destination.log.a]
}
route "h" {
  when = incident.severity == "critical" || "Resolved" != incident.status # error 31: did you mean Critical? # error 45: did you mean resolved?
  to   = [destination.log.a]
}
route "g" {          # error 1: No catch-all route
  when     = incidnt.test            # error 14: Unknown variable
  to       = [destination.log.a]
  continue = "yes"                   # error 14: Want true or false
}
