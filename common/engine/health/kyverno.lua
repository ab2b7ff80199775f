-- https://kyverno.io/docs/
local function check(obj)
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" and c.status == "True" and c.reason == "Succeeded" and c.message == "Ready" then
      return result("Healthy", "Policy is ready")
    end
  end
  return result("Progressing", "Waiting for Policy to be ready")
end
kinds.Policy = check

-- A policy for the whole cluster that was refused does not become ready by waiting.
function kinds.ClusterPolicy(obj)
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" and c.status == "False" and c.reason == "Failed" then
      return result("Degraded", c.message)
    end
  end
  return check(obj)
end
