# A development gateway, made by `bellcrank dev`. It is yours to change: it is
# not written again. The addresses come from `bellcrank dev`, which looks for
# free ports.

name       = "dev"
data_dir   = env("BELLCRANK_DEV_DATA")
public_url = "http://${env("BELLCRANK_DEV_INGEST", "127.0.0.1:8080")}"

listener "ingest" {
  address = env("BELLCRANK_DEV_INGEST", "127.0.0.1:8080")
}

listener "admin" {
  address = env("BELLCRANK_DEV_ADMIN", "127.0.0.1:8081")
}

integration "alertmanager" "dev" {
  routing_key "dev" {
    value = file("keys/alertmanager")
  }
}

integration "datadog" "dev" {
  routing_key "dev" {
    value = file("keys/datadog")
  }
}

integration "sentry" "dev" {
  routing_key "dev" {
    value = file("keys/sentry")
  }
  # curl can't sign. A real integration has signing_secrets instead.
  verify = "none"
}

integration "custom" "dev" {
  routing_key "dev" {
    value = file("keys/custom")
  }
}

# examples/receiver, started along with the gateway.
destination "webhook" "receiver" {
  tests         = true
  allowed_cidrs = ["127.0.0.0/8"] # addresses of this machine are refused otherwise
  settings {
    url             = "http://${env("BELLCRANK_DEV_RECEIVER", "127.0.0.1:9000")}/"
    signing_secrets = [file("keys/receiver")]
  }
}

# Hears of what is wrong with the other destination.
destination "log" "notices" {
  notify = true
  settings {
    path = "${env("BELLCRANK_DEV_DATA")}/notices.log"
  }
}

route "all" {
  to = [destination.webhook.receiver]
}
