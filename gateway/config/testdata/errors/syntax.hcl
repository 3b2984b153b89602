name = = "a" # error 8: Invalid expression
