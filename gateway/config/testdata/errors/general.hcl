nam              = "x"                  # error 1: Did you mean "name"?
public_url       = "alerts.example.com" # error 20: Want an absolute URL
data_dir         = ["a"]                # error 20: Want a string, got a list
environment      = null
plugin_directory = upper()              # error 26: Not enough function arguments
integratoin "a" "b" {}                  # error 1: Did you mean "integration"?

listener "ingest" {
  address                = "localhost"   # error 28: "localhost" is no address
  read_timeout           = "ten"         # error 28: "ten" is no duration
  write_timeout          = "0s"          # error 28: above zero
  max_header             = "16KB"        # error 28: "16KB" is no size
  max_connections        = 0             # error 28: whole number of 1 or more
  max_connections_per_ip = 1.5           # error 28: whole number of 1 or more
  trusted_proxies        = ["10.0.0.0/8", "10.0.0.1/8", "x"] # error 43: the network is 10.0.0.0/8 # error 57: "x" is no network
}
listener "admin" {
  address    = "127.0.0.1:99999" # error 16: "99999" is no port number
  max_bodies = "1MiB"            # error 16: Only the listener "ingest" has it
}
listener "admni" {}          # error 1: did you mean admin?
listener "ingest" {}         # error 1: Duplicate listener ingest
listener {}                  # error 10: Missing name for listener

telemetry {
  log_level  = "trace"  # error 16: "trace" is none of debug, info, warn, error
  access_log = "perhaps" # error 16: Want true or false, got a string
}
telemetry {}             # error 1: Duplicate telemetry
retention {
  raw_payloads = "two weeks" # error 18: is no duration
  incidents    = "-1h"       # error 18: can't be negative
}
admin {
  token = env("SHORT") # error 11: A token needs 24 characters, this one has 7
}
storage "oracle" {}    # error 1: Unknown storage; "oracle" isn't known here

destination "log" "a" {}
destination "log" "b" {}
route "rest" {
  to = [destination.log.a, destination.log.b]
}
