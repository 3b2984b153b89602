locals {
  who = "core"
}
destination "slack" "a" {
  settings {
    url   = env("A_URL")
    title = "${incident.titel}"   # error 16: no titel in incident; did you mean title?
    text  = "${change.what}"      # error 16: no what in change
  }
}
destination "slack" "b" {
  settings {
    url   = env("A_URL")
    title = ["a"]                 # error 13: A template makes a text, this is a list
    text  = "%{ if incident.severity == "critical" }x%{ endif }" # error 41: "critical" is none of
  }
}
destination "slack" "c" {
  settings {
    url   = env("A_URL")
    title = format(incident.title, 1) # error 20: The first argument of format must be written out
    text  = "${local.whom}"           # error 16: no local whom; did you mean who?
  }
}
destination "slack" "d" {
  settings {
    url   = env("A_URL")
    title = "${env("MISSING")}"   # error 16: Call to unknown function
    text  = "%{ for a in incident.affected_services }%{ for b in incident.affected_services }${b}%{ endfor }%{ endfor }" # error 54: Loop in a loop
  }
}
destination "slack" "e" {
  settings {               # error 3: channel is required with a token
    token = env("A_TOKEN")
  }
}
destination "pagerduty" "f" {
  settings {
    routing_key = env("A_KEY")
    severities  = { High = "urgent" } # error 19: "urgent" is none of critical, error, warning, info
  }
}
route "rest" {
  to = [destination.slack.a, destination.slack.b]
}
