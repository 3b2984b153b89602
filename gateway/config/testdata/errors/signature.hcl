integration "custom" "hmac" {
  signing_secrets = [env("TOKEN")]
  routing_key "a" {
    value = env("KEY_A")
  }
  signature "hmac" { # error 3: Missing header; Which header
    algorithm = "md5"             # error 17: "md5" is none of sha256, sha512, sha1
    encoding  = "base32"          # error 17: "base32" is none of hex, base64
    signed    = "{timestamp}"     # error 17: Without {body} any body would pass
    tolerance = "5m"              # error 17: needs a timestamp_header
  }
  signature "hmac" {
    header    = "X Signature"     # error 17: is no name of a header
    signed    = "{id}.{body}"     # error 17: {id} needs an id_header
    tolerance = "0s"              # error 17: above zero # error 17: needs a timestamp_header
  }
  signature "hmac" {
    header = "X-Signature"
    signed = "{timestamp}.{bdoy}" # error 14: "{bdoy}" is none of {body}, {timestamp}, {id}
  }
  signature "hmac" {
    header           = "X-Signature"
    timestamp_header = "X-Time"   # warning 24: Timestamp isn't signed
  }
}
integration "custom" "others" {
  signing_secrets = ["whsec_?"]   # error 22: What follows whsec_ is no base64 # warning 21: Secret in the file
  routing_key "a" {
    value = env("KEY_B")
  }
  signature "standard-webhooks" {
    header = "X-Signature"        # error 5: A standard-webhooks signature has no header
  }
}
integration "custom" "kind" {
  signing_secrets = [env("TOKEN")]
  routing_key "a" {
    value = env("KEY_C")
  }
  signature "beerer" {}           # error 3: none of hmac, standard-webhooks, shared-secret, basic, bearer; did you mean
}
integration "custom" "basic" {
  signing_secrets = [env("TOKEN")] # error 22: Basic authentication wants "user:password"
  routing_key "a" {
    value = env("KEY_D")
  }
  signature "basic" {}
}
integration "custom" "secretless" { # error 1: No signing secret; Custom signs its requests
  signing_secrets = []
  routing_key "a" {
    value = env("KEY_F")
  }
  signature "bearer" {}
}
integration "custom" "schemeless" {
  signing_secrets = [env("TOKEN")] # error 21: No signature scheme; Custom declares none
  routing_key "a" {
    value = env("KEY_E")
  }
}
destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
