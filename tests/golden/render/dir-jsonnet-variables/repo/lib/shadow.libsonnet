{ from: "lib" }
