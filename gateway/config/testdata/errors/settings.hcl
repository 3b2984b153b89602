integration "datadog" "prod" {
  routing_key "a" {
    value = env("KEY_A")
  }
  settings {
    words = { a = local.b } # error 19: no local b
  }
}
integration "datadog" "dev" {
  routing_key "a" {
    value = env("KEY_B")
  }
  settings {
    site    = "mars"       # error 15: "mars" is none of eu, us
    autoo   = true         # error 5: Did you mean "auto"?
    users   = "many"       # error 15: a number is required
    account = "s3cret"     # warning 15: Secret in the file
    extra {}               # error 5: Unsupported block type
  }
  settings {}              # error 3: Duplicate settings
}
integration "datadog" "lab" {
  routing_key "a" {
    value = env("KEY_C")
  }
  settings {               # error 3: tags has an element that is null
    tags = [null]
  }
}
integration "acme" "x" {   # error 1: "region" is required
  routing_key "a" {
    value = env("KEY_D")
  }
}
integration "acme" "y" {
  routing_key "a" {
    value = env("KEY_E")
  }
  settings {}              # error 12: "region" is required
}
destination "webhook" "nowhere" {} # error 1: "url" is required
destination "webhook" "ftp" {
  settings {
    url             = "ftp://example.com" # error 23: url must be an absolute http or https URL
    signing_secrets = [env("A_WHSEC")]
  }
}
destination "webhook" "unsigned" {
  settings {
    url             = env("A_URL")
    signing_secrets = [env("A_SECRET")] # error 23: begins with whsec_
  }
}
destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
