# A destination of each type, with every setting. Copy the blocks that you
# need; docs/destinations.md tells what each does.
#
# title and text are templates over the incident. Left out, the types have
# words of their own.

# Created, updated, acknowledged and resolved: one message per incident.
destination "slack" "ops" {
  notify = true
  settings {
    token    = env("SLACK_TOKEN")      # a bot's, with the scope chat:write
    channel  = "C0123456789"           # its id; the bot must be a member
    changes  = "both"                  # default; or update, or note
    mentions = ["here", "S0123456"]    # default: nobody
    api_url  = "https://slack.com/api" # default
    title    = "${incident.id} ${change.kind}: ${incident.title}"
    text     = "${incident.description}\nRunbook: https://wiki.example.com/${incident.service}"
  }
}

# An incoming webhook needs no bot, but can only add messages.
destination "slack" "news" {
  settings {
    url = env("SLACK_WEBHOOK_URL")
  }
}

destination "pagerduty" "oncall" {
  settings {
    routing_key = env("PAGERDUTY_ROUTING_KEY")              # of an Events API v2 integration
    severities  = { High = "critical" }                     # default: critical, error, warning, info, info
    url         = "https://events.pagerduty.com/v2/enqueue" # default
    title       = "${incident.severity}: ${incident.title}"
    text        = incident.description
  }
}

# Runframe opens an incident for everything that it is sent, so it hears of
# openings only, unless events says otherwise.
destination "runframe" "incidents" {
  settings {
    url   = env("RUNFRAME_WEBHOOK_URL")
    ca    = env("CA_PEM") # default: the system's authorities
    title = "[EU] ${incident.title}"
    text  = incident.description
  }
}

destination "telegram" "ops" {
  settings {
    token   = env("TELEGRAM_TOKEN")
    chat    = "-1001234567890"           # or a channel's "@name"
    topic   = 7                          # default: none, the chat itself
    changes = "both"                     # default; or update, or note
    api_url = "https://api.telegram.org" # default
    title   = "${incident.severity}: ${incident.title}"
    text    = incident.description
  }
}

destination "email" "ops" {
  settings {
    server   = "smtp.example.com:587"
    tls      = "starttls" # default; or implicit, or none
    username = "bells"    # default: nobody logs in
    password = env("SMTP_PASSWORD")
    from     = "Bells <bells@example.com>"
    to       = ["ops@example.com", "Night shift <night@example.com>"]
    reply_to = "sre@example.com" # default: from
    ca       = env("CA_PEM")     # default: the system's authorities
    title    = "[${incident.id}] ${incident.severity}: ${incident.title}"
    text     = incident.description
  }
}

destination "opsgenie" "oncall" {
  settings {
    api_key    = env("OPSGENIE_KEY")
    url        = "https://api.opsgenie.com" # default
    responders = ["team:SRE", "user:bob@example.com"]
    tags       = ["eu"]
    priorities = { High = "P1" } # default: P1 to P5
    title      = "${incident.severity}: ${incident.title}"
    text       = incident.description
  }
}

# Its own routes and receivers take it from there.
destination "alertmanager" "main" {
  allowed_cidrs = ["10.20.0.0/16"]
  settings {
    url           = "http://alertmanager.example.com:9093"
    labels        = { origin = "bellcrank" }
    authorization = env("ALERTMANAGER_AUTHORIZATION") # default: none
    ca            = env("CA_PEM")                     # default: the system's authorities
    title         = "${incident.title} (${incident.integration.name})"
    text          = incident.description
  }
}

destination "discord" "ops" {
  settings {
    url      = env("DISCORD_WEBHOOK_URL")
    mentions = ["here", "role:1203456789"] # default: nobody
    changes  = "both"                      # default; or update, or note
    title    = "${incident.severity}: ${incident.title}"
    text     = incident.description
  }
}

destination "mattermost" "ops" {
  settings {
    url      = env("MATTERMOST_WEBHOOK_URL")
    channel  = "incidents"        # default: the webhook's own
    username = "bellcrank"        # default: the webhook's own
    mentions = ["channel", "sre"] # default: nobody
    title    = "${incident.severity}: ${incident.title}"
    text     = incident.description

    # How it is reached; every type but email and log can have these.
    ca                 = env("CA_PEM")                   # default: the system's authorities
    client_certificate = env("CLIENT_PEM")               # default: none; or file("client.pem")
    client_key         = env("CLIENT_KEY")               # with client_certificate
    proxy_url          = "http://proxy.example.com:3128" # default: none, whatever the environment says
    connect_timeout    = "5s"                            # default
    header_timeout     = "10s"                           # default; timeout of the block bounds the whole
  }
}

destination "teams" "ops" {
  settings {
    url   = env("TEAMS_WORKFLOW_URL")
    title = "${incident.severity}: ${incident.title}"
    text  = incident.description
  }
}

destination "webhook" "crm" {
  settings {
    url             = "https://crm.example.com/hooks/incidents"
    signing_secrets = [env("CRM_WHSEC")]
    headers         = { "X-Env" = "prod" }
    body            = jsonencode({ text = "${incident.id} ${incident.title}", level = lower(incident.severity) }) # default: the published body

    # An access token; alertmanager and teams can have one as well.
    oauth2_token_url     = "https://id.example.com/token"
    oauth2_client_id     = "bellcrank"
    oauth2_client_secret = env("OAUTH2_SECRET")
    oauth2_scopes        = ["incidents"]
    oauth2_parameters    = { audience = "crm" }
  }
}

# The two other ways to log in.
destination "webhook" "wiki" {
  settings {
    url          = "https://wiki.example.com/hooks"
    bearer_token = env("WIKI_TOKEN")
  }
}

destination "webhook" "legacy" {
  settings {
    url      = "https://legacy.example.com/hooks"
    username = "bellcrank"
    password = env("LEGACY_PASSWORD")
  }
}

destination "log" "audit" {
  settings {
    path = "/var/log/bellcrank/incidents.log"
  }
}

route "page" {
  match {
    severity = ">=High"
  }
  to       = [destination.pagerduty.oncall, destination.opsgenie.oncall, destination.runframe.incidents]
  continue = true
}

route "rest" {
  to = [
    destination.slack.ops, destination.slack.news, destination.discord.ops, destination.mattermost.ops,
    destination.teams.ops, destination.telegram.ops, destination.email.ops, destination.alertmanager.main,
    destination.webhook.crm, destination.webhook.wiki, destination.webhook.legacy, destination.log.audit,
  ]
}
