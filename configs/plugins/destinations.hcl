# A destination of each type from the notifiers that come with the gateway,
# with every setting. Copy the blocks that you need; docs/destinations.md tells
# what each does.
#
# title and text are templates over the incident, as everywhere. Left out, the
# types have words of their own.

destination "pushover" "phones" {
  settings {
    token      = env("PUSHOVER_TOKEN")                      # an application's
    user_key   = env("PUSHOVER_USER_KEY")                   # a user's or a group's
    device     = "pixel"                                    # default: all
    sound      = "siren"                                    # default: the user's own
    priorities = { High = "2" }                             # default: 2, 1, 0, -1, -1
    retry      = "1m"                                       # default; how often priority 2 calls
    expire     = "1h"                                       # default; and for how long
    url        = "https://api.pushover.net/1/messages.json" # default
    title      = "${incident.severity}: ${incident.title}"
    text       = incident.description

    # How it is reached; all these types can have these.
    ca                 = env("CA_PEM")                   # default: the system's authorities
    client_certificate = env("CLIENT_PEM")               # default: none; or file("client.pem")
    client_key         = env("CLIENT_KEY")               # with client_certificate
    proxy_url          = "http://proxy.example.com:3128" # default: none, whatever the environment says
    connect_timeout    = "5s"                            # default
    header_timeout     = "10s"                           # default; timeout of the block bounds the whole
  }
}

# Splunk On-Call, which was VictorOps.
destination "victorops" "oncall" {
  notify = true
  settings {
    api_key       = env("VICTOROPS_API_KEY")
    routing_key   = "database"
    message_types = { Medium = "CRITICAL" } # default: CRITICAL, CRITICAL, WARNING, INFO, INFO
    fields        = { region = "eu" }
    url           = "https://alert.victorops.com/integrations/generic/20131114/alert" # default
    title         = "${incident.id} ${incident.title}"
    text          = incident.description
  }
}

destination "incidentio" "alerts" {
  settings {
    url   = "https://api.incident.io/v2/alert_events/alertmanager/01ABCDEF"
    token = env("INCIDENTIO_TOKEN")
    title = "${incident.id} ${incident.title}"
    text  = incident.description
  }
}

destination "jira" "issues" {
  settings {
    url                 = "https://acme.atlassian.net"
    api                 = "auto"             # default; or cloud, or datacenter
    username            = "bot@acme.example" # default: none, the token alone
    token               = env("JIRA_TOKEN")
    project             = "OPS"
    issue_type          = "Incident"
    labels              = ["bellcrank"]
    priorities          = { Critical = "Highest", High = "High" } # default: the project's
    resolve_transition  = "Done"                                  # default: issues stay open
    reopen_transition   = "Reopen"                                # default: a new issue
    reopen_duration     = "30d"                                   # default
    wont_fix_resolution = "Won't Do"                              # default: none
    fields              = { customfield_10010 = "{\"value\": \"EU\"}" }
    title               = "${incident.id} ${incident.title}"
    text                = incident.description
  }
}

destination "rocketchat" "ops" {
  allowed_cidrs = ["10.20.0.0/16"]
  settings {
    url     = "https://chat.example.com"
    user_id = "rbAXPnMktTFbNpwtJ"
    token   = env("ROCKETCHAT_TOKEN") # a personal access token
    channel = "#incidents"
    emoji   = ":bell:" # default: the user's picture
    title   = "${incident.severity}: ${incident.title}"
    text    = incident.description
  }
}

destination "webex" "ops" {
  settings {
    token   = env("WEBEX_TOKEN") # a bot's
    room_id = "Y2lzY29zcGFyazovL3VzL1JPT00vYmJj"
    url     = "https://webexapis.com/v1/messages" # default
    title   = "${incident.severity}: ${incident.title}"
    text    = incident.description
  }
}

# WeChat Work, WeCom by its newer name.
destination "wechat" "ops" {
  settings {
    corp_id    = "ww0123456789abcdef"
    api_secret = env("WECHAT_SECRET")
    agent_id   = "1000002"
    to_user    = "lisa|tom"                            # or "@all"
    to_party   = "2"                                   # default: none
    to_tag     = "7"                                   # default: none
    url        = "https://qyapi.weixin.qq.com/cgi-bin" # default
    title      = "${incident.severity}: ${incident.title}"
    text       = incident.description
  }
}

route "page" {
  match {
    severity = ">=High"
  }
  to       = [destination.pushover.phones, destination.victorops.oncall, destination.incidentio.alerts]
  continue = true
}

route "rest" {
  to = [destination.jira.issues, destination.rocketchat.ops, destination.webex.ops, destination.wechat.ops]
}
