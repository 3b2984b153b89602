# Every setting, with its default unless a line says otherwise. Check a change
# with `bellcrank validate`, lay it out with `bellcrank fmt`, and apply it with
# `bellcrank reload` or SIGHUP: one with a mistake never replaces a good one.
#
# A configuration is this file, or a folder of such files. Durations are "30s",
# "5m", "2h", "14d"; sizes "512KiB", "4MiB", "1GiB". Relative paths are relative
# to the file that they stand in.

name             = "bellcrank"                  # of this gateway, in logs and metrics
environment      = "production"                 # default: none; for people
data_dir         = "/var/lib/bellcrank"         # database, token, sockets; readable by the gateway alone
plugin_directory = "/usr/lib/bellcrank/plugins" # default: "plugins" beside the binary; other people's plugins
plugin_cgroup    = "auto"                       # the kernel holds plugins to their limits, if it may; required: no plugin starts without; off
public_url       = "https://alerts.example.com" # default: none; makes the URLs that vendors and people are given

# Names for what is written more than once.
locals {
  everyone = [destination.webhook.crm, destination.log.audit]
}

# ── Listeners: senders and operators never share a port ──────────────────────

listener "ingest" {
  address                = "0.0.0.0:8080" # default: 127.0.0.1:8080
  trusted_proxies        = ["10.0.0.0/8"] # default: none; only these may say who the client is, in X-Forwarded-For
  read_timeout           = "10s"          # of a whole request: slow senders hold no connection
  write_timeout          = "10s"          # of an answer
  idle_timeout           = "75s"          # between two requests; more than most proxies keep a connection
  max_header             = "16KiB"        # request line and headers
  max_connections        = 8192           # at a time
  max_connections_per_ip = 256            # at a time; trusted proxies are exempt
  max_bodies             = "128MiB"       # bodies in flight, all together; beyond it senders get 503 and come back
}

listener "admin" {
  address                = "127.0.0.1:8081" # API, status and metrics: not for the internet
  trusted_proxies        = []
  read_timeout           = "10s"
  write_timeout          = "10s"
  idle_timeout           = "75s"
  max_header             = "16KiB"
  max_connections        = 8192
  max_connections_per_ip = 256
}

admin {
  token = env("BELLCRANK_ADMIN_TOKEN") # default: <data_dir>/admin.token, made on first start
}

storage "sqlite" {
  path = "/var/lib/bellcrank/bellcrank.db" # default: bellcrank.db in data_dir
}

telemetry {
  log_level  = "info" # debug, info, warn or error
  log_format = "text" # text or json
  access_log = true   # a line per request; routing keys are never in it
}

# How long things stay after their end. What is owed or open is never removed.
retention {
  raw_payloads = "14d" # requests as received: what a replay needs
  incidents    = "90d"
  deliveries   = "30d"
  dead_letters = "30d" # deliveries that were given up; then they count as discarded
}

# ── Plugins: a block pins a version or changes how it runs ───────────────────
# The built-in adapters need no block. `bellcrank plugin lock` records what an
# executable hashes to and declares; nothing runs unpinned.

plugin "acme" {
  type       = "acme"                                                             # of the integrations that it adapts; default: the name
  version    = "1.2.0"                                                            # default: the newest that is locked
  sha256     = "9fdd8be7947e4a4caf7cce4f0e02695081b6c85178aa912df5d37be97363144c" # default: the lock file's
  args       = ["-verbose"]                                                       # default: none
  env        = { LANG = env("LANG", "C") }                                        # default: none; plugins see nothing else of our environment
  sandbox    = "required"                                                         # default: best-effort, what the kernel has; required: doesn't start without; off
  read_paths = ["/usr"]                                                           # default: none; what an interpreter may read and execute all the same
  shadow     = "1.3.0"                                                            # default: none; another version that reads along, so that you see what it would change
  standby    = true                                                               # default: false; a second process that takes over at once
  limits {
    memory    = "128MiB" # default: 512MiB; resident, past it the process is replaced
    timeout   = "5s"     # of one call
    in_flight = 32       # default: 64, or what the adapter declares if that is less; calls at a time
    processor = "1s"     # default: 250ms; processor time for a call, past it the process is held back and replaced
    nice      = 10       # default: 5; when there isn't enough processor time, the gateway goes first
  }
}

# ── Integrations: who may send ───────────────────────────────────────────────
# integration "TYPE" "NAME"; the type is the adapter's.

integration "datadog" "prod" {
  description   = "Datadog EU, org acme" # for people
  disabled      = false                  # true: refuses requests
  paused        = false                  # true: keeps requests and handles them later
  allowed_cidrs = ["3.233.144.0/20"]     # default: every address
  labels        = { team = "sre" }       # default: none; added to each incident, the vendor's own win
  reopen_window = "5m"                   # a problem that returns so soon reopens its old incident; 0s: never
  event_time    = "observed"             # default: the adapter's; or "arrival": what orders the events of a problem

  strict_templates = false # true: refuses what a template has left unfilled, instead of keeping it as a test

  # The label is the key's id, which logs may show. Make keys with
  # `bellcrank key new`. During a rotation both work.
  routing_key "2026-11" {
    value = env("BELLCRANK_KEY_DATADOG") # the whole key, 24 characters or more
  }
  routing_key "2026-08" {
    sha256  = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" # instead of value: its SHA-256
    expires = "2026-12-01T00:00:00Z"                                             # default: never
  }

  # Settings are those that the adapter declares: `bellcrank plugin inspect`.
  settings {
    service_tags = ["service", "kube_service"]
  }

  # Map and expression go above the adapter's own answer, the default below it.
  severity {
    map        = { P1 = "Critical", P2 = "High" }         # default: none; "*" is every other word
    expression = event.labels.tier == "1" ? "High" : null # default: none; null leaves it to the adapter
    default    = "Medium"                                 # of a problem without a severity
  }

  # What events of one problem have in common; default: the adapter's key.
  identity {
    fields = ["service", "labels.alertname"] # or expression = "${event.service}/${event.labels.alertname}"
  }
  service {
    map     = { "checkout-*" = "checkout" } # default: none; patterns of vendors' names
    default = "api"                         # default: none; of a problem without a service
  }

  # What comes and goes so often is held open until it is quiet, and says so
  # once. Default: nothing counts as flapping.
  flapping {
    transitions = 6     # comings and goings...
    window      = "10m" # ...within this time
    quiet       = "10m" # default: the window; without one for so long it is let go
  }

  # Instead of the auto_resolve block for all.
  auto_resolve {
    after    = "24h"
    severity = { Low = "2h" }
  }

  # Nothing for so long is an incident; the next request resolves it.
  heartbeat {
    every    = "1h"             # there is at least one request in this time
    grace    = "1m"             # how much later it may come
    severity = "High"           # of the incident
    service  = "monitoring"     # default: none; of the incident
    labels   = { team = "sre" } # default: none; of the incident
  }

  # Defaults are the adapter's, else these.
  limits {
    body    = "4MiB" # raw, and decoded
    depth   = 64     # nesting of JSON
    members = 200000 # members and elements of a body
    strings = 400000 # strings in a body
    events  = 1000   # events of one request
  }
}

integration "sentry" "web" {
  # Vendors that sign must be verified. Several secrets allow rotation.
  signing_secrets = [env("SENTRY_CLIENT_SECRET")]
  routing_key "first" {
    value = env("BELLCRANK_KEY_SENTRY")
  }
}

integration "sentry" "lab" {
  verify = "none" # takes unsigned requests from whoever has the key
  routing_key "first" {
    value = env("BELLCRANK_KEY_SENTRY_LAB")
  }
}

integration "acme" "factory" {
  plugin = plugin.acme # default: the plugin that has the integration's type
  # How it signs, where the adapter doesn't say or the sender differs: hmac,
  # standard-webhooks, shared-secret, basic or bearer. It stands in place of
  # what the adapter declares; several blocks are alternatives, and each may be
  # met with each secret.
  signing_secrets = [env("ACME_SECRET"), env("ACME_SECRET_BEFORE")]
  signature "hmac" {
    header           = "X-Acme-Signature"           # of hmac and shared-secret
    algorithm        = "sha256"                     # sha512, or sha1 for old senders
    prefix           = "v0="                        # default: none; stands before the signature
    encoding         = "hex"                        # or base64
    signed           = "v0:{id}:{timestamp}:{body}" # default: "{body}"
    timestamp_header = "X-Acme-Time"                # Unix seconds
    id_header        = "X-Acme-Id"                  # an id that is signed, and tells repeats
    tolerance        = "5m"                         # of the timestamp against our clock
  }

  routing_key "first" {
    value = env("BELLCRANK_KEY_ACME")
  }
  settings {
    region = "eu"
  }
}

# A tool without an adapter: its shape is mapped here, see docs/mapping.md. Try
# it with `bellcrank adapt custom/zabbix FILE -config bellcrank.hcl`.
integration "custom" "zabbix" {
  routing_key "first" {
    value = env("BELLCRANK_KEY_ZABBIX")
  }
  settings {
    mapping "problem" {
      resolve_when = body.event.value == "0"
      title        = "${body.event.name} on ${body.host.name}"
      severity     = lookup({ "5" = "Critical", "4" = "High" }, body.event.severity, "Medium")
      dedup_key    = body.event.id
    }
  }
  identity {
    expression = event.dedup_key
  }
}

# ── Destinations: who hears of incidents ─────────────────────────────────────
# destination "TYPE" "NAME". Here are webhook and log; destinations.hcl has one
# of each type.

retry "default" {
  schedule     = ["0s", "1m", "5m", "30m", "2h"] # the delay before each attempt, from the end of the last
  jitter       = 0.1                             # lengthens a delay by up to this fraction
  on_exhausted = "disable"                       # disable: park, probe, drain when it is back; dead: give the delivery up
  max_age      = "7d"                            # default: none; older deliveries are given up
  notify       = destination.log.audit           # default: those with notify; hears what is wrong with who has this policy
}

destination "webhook" "crm" {
  retry         = retry.default # the policy of that name
  tests         = false         # hears of test incidents
  events        = ["created", "updated", "escalated", "acknowledged", "resolved", "reopened"]
  send_resolved = true             # false: without "resolved"
  fold          = true             # false: sends every version, even when it is overtaken
  notify        = true             # default: false; hears of what is wrong with other destinations
  allowed_cidrs = ["10.20.0.0/16"] # default: none; private networks that it may reach
  timeout       = "15s"            # of an attempt, 15s at most
  concurrency   = 8                # attempts at a time
  when          = !incident.test   # default: true; incidents that it takes, whatever the routes say
  rate_limit {
    rate = "30/s" # default: none; attempts, spread evenly
  }
  # Default: everything. What it was told of it hears the end of.
  match {
    integration = "*/*"
    severity    = ">=Low"
    service     = "*"
    title       = "*"
    labels      = { team = "*" }
  }
  settings {
    url             = "https://crm.example.com/hooks/incidents"
    signing_secrets = [env("CRM_WHSEC")] # Standard Webhooks; each signs
    headers         = { "X-Env" = "prod" }
  }
}

destination "log" "audit" {
  tests = true
  settings {
    path = "/var/log/bellcrank/incidents.log" # default: "-", standard output
  }
}

# ── Services: what vendors call them, and whose they are ─────────────────────

service "checkout" {
  aliases = ["svc-checkout", "checkout-api"] # default: none; incidents get the service's name instead
  owner   = "payments"                       # default: none; label "owner" of its incidents
  labels  = { tier = "1" }                   # default: none; the incident's own win
}

# ── Noise ────────────────────────────────────────────────────────────────────

# One incident tells of all that have the same values, and is over when all of
# them are. Every one of them is stored. The first group that matches counts.
group "storm" {
  match {
    integration = "*"
    severity    = "<=High"
    service     = "*"
    title       = "*"
    labels      = { cluster = "*" }
  }
  when   = !incident.customer_impact     # default: true
  by     = ["service", "labels.cluster"] # integration, service, severity, title, labels.NAME or metadata.NAME
  window = "5m"                          # takes members for so long after it opened
  wait   = "0s"                          # its opening waits so long for more members
}

# What nobody speaks of any more is over. Default: never.
auto_resolve {
  after    = "7d"
  severity = { Low = "24h", Critical = "0s" } # default: after; "0s" is never
}

# News of what matches is held back until the end, and whoever still burns then
# notifies once. What was told of before still resolves. Silences for the moment
# are made with `bellcrank silence add`.
silence "old-cluster" {
  match {
    integration = "datadog/*"
    severity    = "<=Medium"
    service     = "checkout"
    title       = "*"
    labels      = { cluster = "old" }
  }
  when   = !incident.customer_impact # default: true
  author = "ops"                     # default: none; for people
  reason = "it is being taken apart"
  starts = "2026-11-01T00:00:00Z" # default: since ever
  ends   = "2026-12-24T00:00:00Z"
}

# The same, again and again. Without from, to, days, days_of_month and months
# it is for once, from starts to ends.
window "backups" {
  match {
    integration = "datadog/*"
    severity    = "<=High"
    service     = "*"
    title       = "*replication lag*"
    labels      = { role = "replica" }
  }
  when          = incident.count < 100 # default: true
  author        = "ops"                # default: none; for people
  reason        = "backups slow replicas down"
  timezone      = "Europe/Zurich"    # default: UTC; of all times here that have no offset
  from          = "22:00"            # default: 00:00
  to            = "02:00"            # default: 24:00; not after from means the next day
  days          = ["mon-fri"]        # default: every day; that on which it begins
  days_of_month = ["1", "-1"]        # default: every day; -1 is the last
  months        = ["jan-dec"]        # default: every month
  starts        = "2026-11-01 00:00" # default: since ever
  ends          = "2027-11-01 00:00" # default: for ever
}

# Something that is sent now and then, by whoever can call a URL: GET or POST
# /webhooks/KEY.
heartbeat "nightly-backup" {
  description   = "cron on db1"  # for people
  disabled      = false          # true: refuses requests and expects none
  allowed_cidrs = ["10.0.0.0/8"] # default: every address
  every         = "26h"
  grace         = "1m"
  severity      = "High"
  service       = "backup"         # default: none
  labels        = { team = "dba" } # default: none
  routing_key "first" {
    value = env("BELLCRANK_KEY_BACKUP") # or sha256, as of an integration
  }
  routing_key "old" {
    sha256  = "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92"
    expires = "2026-12-01T00:00:00Z"
  }
}

# ── Routes: the first that matches wins, unless it continues ─────────────────

route "page" {
  # All that is given must match. Patterns know * and ?; case doesn't count.
  match {
    integration = ["datadog/*", "sentry/web"] # default: every one
    severity    = ">=High"                    # or a list of levels
    service     = ["checkout*"]
    title       = "*"
    labels      = { team = "sre" } # each of these labels
  }
  # For what match can't say. Asked only when match holds.
  when     = incident.customer_impact || incident.labels.tier == "1"
  to       = [destination.webhook.crm]
  fallback = [destination.log.audit] # default: none; hears of it while one of `to` is disabled
  continue = true                    # default: false; the routes behind are asked as well
}

# The last route takes everything: no incident is told to nobody.
route "rest" {
  to = local.everyone
}

# ── Tests: run by `bellcrank validate -test` ─────────────────────────────────

test "checkout-pages" {
  integration = "datadog/prod"
  payload     = "tests/checkout.json" # a body as the vendor sends it
  method      = "POST"
  path        = "" # what follows the routing key
  query       = ""
  headers     = { X-Test = "1" }       # default: none but Content-Type
  at          = "2026-11-02T12:00:00Z" # default: now; for windows
  ignored     = false                  # true: the adapter makes nothing of it

  # One for each event, in order. What isn't written isn't looked at.
  expect {
    action        = "trigger"
    title         = "Checkout is slow"
    severity      = "Critical"
    service       = "checkout"
    dedup_key     = "cycle:4711"
    identity_rule = "alert_cycle_key"
    group         = "" # such as "storm: service=checkout, cluster=eu"
    held_by       = "" # such as "window backups"
    labels        = { owner = "payments" }
    routes        = ["page", "rest"] # those that match
    destinations  = [destination.webhook.crm, destination.log.audit]
  }
}
