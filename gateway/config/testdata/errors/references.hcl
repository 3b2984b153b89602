locals {
  a     = local.b
  b     = local.a # error 11: Circular local
  both  = [destination.log.a, destination.log.bb] # error 31: no destination log/bb; did you mean log/b?
  short = "x"
}
name        = local.shrot  # error 15: no local shrot; did you mean short?
environment = locl.short   # error 15: Unknown variable
data_dir    = local.both

destination "log" "a" {
  retry = retry.defualt # error 11: no retry defualt; did you mean default?
}
destination "log" "b" {
  retry = "often"       # error 11: no retry often
}
destination "lgo" "c" {} # error 1: Unknown destination type; "lgo" is none of
destination "log" "a" {} # error 1: Duplicate destination log/a; There is one already at
destination "log" "Up" {} # error 19: Invalid name
integration "custom" "x" {
  plugin = plugin.acme  # error 12: no plugin acme
  routing_key "a" {
    value = env("KEY_A")
  }
}
route "one" {
  match {
    title = "x"
  }
  to = [destination.slack] # error 9: no destination slack
}
route "rest" {
  to = concat(local.both, [destination.lgo.d]) # error 28: no destination lgo/d; did you mean lgo/c?
}
