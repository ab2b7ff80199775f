{ from: "vendor" }
