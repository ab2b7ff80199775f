-- Crossplane's first provider of AWS, whose resources can be paused. https://github.com/crossplane-contrib/provider-aws
local names = { Distribution = "distribution", ResourceRecordSet = "resourcrecordset" }

kinds["*"] = function(obj)
  local what, ready, synced = "Waiting for " .. (names[obj.kind] or obj.kind), false, false
  if not (obj.status and obj.status.conditions) then
    return result("Progressing", what .. " to be created")
  end
  local why, problem, paused
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" then
      ready, why = c.status == "True", c.reason
    elseif c.type == "Synced" then
      synced = c.status == "True"
      problem = c.reason == "ReconcileError" and c.message or problem
      paused = paused or (c.reason == "ReconcilePaused" and c.reason)
    end
  end
  if ready and synced then
    return result("Healthy", why)
  elseif not synced and paused then
    return result("Suspended", paused)
  elseif synced and not paused then
    return result("Progressing", what .. " to be available")
  end
  return result("Degraded", problem)
end

-- Before there were packages.
function kinds.ClusterStackInstall(obj)
  local list = obj.status and obj.status.conditionedStatus and obj.status.conditionedStatus.conditions or {}
  local message = "Waiting for stack to be installed"
  for _, c in ipairs(list) do
    if c.type == "Ready" then
      message = c.reason
      if c.status == "True" then
        return result("Healthy", message)
      end
    end
  end
  return result("Progressing", message)
end
