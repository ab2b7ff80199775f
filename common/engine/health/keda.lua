-- https://keda.sh/docs/
local function check(bad, waiting)
  return function(obj)
    local ready, paused, degraded, message
    for _, c in ipairs(conditions(obj)) do
      local fails = false
      for _, b in ipairs(bad) do
        fails = fails or (c.type == b[1] and c.status == b[2])
      end
      local runs, rests = c.type == "Ready" and c.status == "True", c.type == "Paused" and c.status == "True"
      if fails or runs or rests then
        message = c.message
      end
      ready, paused, degraded = ready or runs, paused or rests, degraded or fails
    end
    if degraded then
      return result("Degraded", message)
    elseif ready then
      return result(paused and "Suspended" or "Healthy", message)
    end
    return result("Progressing", waiting)
  end
end
kinds.ScaledJob = check({ { "Ready", "False" }, { "Ready", "Unknown" } }, "Waiting for ScaledJob")
kinds.ScaledObject = check({ { "Ready", "False" }, { "Fallback", "True" } }, "Creating HorizontalPodAutoscaler Object")
