[{ apiVersion: "v1" }]
