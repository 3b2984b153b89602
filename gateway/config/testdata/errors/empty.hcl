# error 0: No catch-all route
