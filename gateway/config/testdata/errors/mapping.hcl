locals {
  levels = { "1" = "Critical" }
}
integration "custom" "foreign" {
  event_time       = "never" # error 22: "never" is none of arrival, observed
  strict_templates = "maybe" # error 22: Want true or false, got a string
  routing_key "a" {
    value = env("KEY_A")
  }
  settings {
    note = bodi.x             # error 12: There is no bodi here; did you mean body?
    mapping "a" {
      when      = "yes"       # error 19: This is text, where true or false is wanted.
      title     = lowr(body.title) # error 19: There is no function lowr; did you mean lower?
      severity  = body.p == 1 ? "Critial" : "Low" # error 33: "Critial" is no severity
      dedup_key = local.lvels # error 19: There is no local lvels; did you mean levels?
      labels    = headers     # error 19: Name the header
      kind      = "c"         # error 19: "c" is none of a, b
    }
    mapping "a" {             # error 5: Duplicate mapping a
      title = each.value      # error 15: There is no each here
      colour = "red"          # error 7: Unsupported argument
    }
    mapping "b" {             # error 17: Missing required argument
      kind = body.x           # error 14: Unknown variable
    }
    mapping {                 # error 13: Missing name for mapping
      title = 1
    }
  }
  severity {
    expression = event.labels.tier ? "Critical" : "Higgh" # error 51: "Higgh" is no severity
  }
  identity {                  # error 3: Set one of fields and expression
    fields     = ["titel"]    # error 19: There is no field titel of an event; did you mean title?
    expression = event.titel  # error 18: There is no titel in event; did you mean title?
  }
}
integration "custom" "b" {
  routing_key "b" {
    value = env("KEY_B")
  }
  settings {
    mapping "a" {
      title = file("/etc/hostname") # error 15: There is no function file
    }
  }
  identity {}                 # error 3: Set one of fields and expression
}
destination "log" "a" {}
route "all" {
  to = [destination.log.a]
}
