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
destination "webhook" "c" {
  settings {
    url          = "https://c.example.com"
    bearer_token = env("KEY_DEPLOYS") # error 20: bearer_token can't be used with another way to log in
    username     = "me"
  }
}
destination "webhook" "d" {
  settings {
    url                = "https://d.example.com"
    client_certificate = "none" # error 26: client_certificate needs client_key
  }
}
destination "teams" "e" {
  settings {
    url       = "https://e.example.com"
    proxy_url = "socks5://proxy.example.com" # error 17: proxy_url must be an absolute http or https URL
  }
}
destination "alertmanager" "f" {
  settings {
    url              = "https://f.example.com"
    oauth2_client_id = "me"
    oauth2_token_url = "id.example.com/token" # error 24: oauth2_token_url must be an absolute http or https URL
  }
}
destination "slack" "g" {
  settings {
    url            = "https://g.example.com"
    header_timeout = "1m" # error 22: header_timeout must be a time such as "10s", 15s at most
  }
}
destination "webhook" "h" {
  settings {
    url      = "https://h.example.com"
    username = "me"
    password = "secret" # warning 16: Secret in the file
    headers  = { Authorization = "x" } # error 16: Authorization can't be set beside another way to log in
  }
}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
