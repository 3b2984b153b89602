# The least that works: one tool that sends, one place that hears of it.
# Make a key with `bellcrank key new`, then:
#
#   export BELLCRANK_KEY_CUSTOM=bck_…
#   bellcrank validate -config minimal.hcl
#   bellcrank serve    -config minimal.hcl

data_dir = "data" # below the folder of this file

integration "custom" "scripts" {
  routing_key "first" {
    value = env("BELLCRANK_KEY_CUSTOM")
  }
}

destination "log" "stdout" {
  notify = true # also hears of what is wrong with other destinations
}

# Routes are asked in order. One without match and when takes everything, and
# every configuration needs it, so that no incident is told to nobody.
route "everything" {
  to = [destination.log.stdout]
}
