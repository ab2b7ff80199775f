-- https://prometheus-operator.dev/docs/: the condition Available
local function check(obj)
  local found = result("Progressing", "Waiting for initialization")
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Available" and c.status == "True" then
      found = result("Healthy", "All instances are available")
    elseif c.type == "Available" then
      found = result(c.reason == "SomePodsNotReady" and "Progressing" or "Degraded", c.message or c.reason)
    end
  end
  return found
end
kinds.Prometheus = check
kinds.PrometheusAgent = check
kinds.Alertmanager = check
kinds.ThanosRuler = check
