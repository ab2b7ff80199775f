local f(s, n) = if n == 0 then std.length(s) else f(s + s, n - 1); f("x", 60)
