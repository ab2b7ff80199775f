-- https://numaflow.numaproj.io/: kinds of pipelines
local function any_false(obj)
  local found
  for _, c in ipairs(conditions(obj)) do
    found = c.status == "False" and c or found
  end
  return found
end

local function upgrade_failed(obj)
  local labels = obj.metadata.labels or {}
  return labels["numaplane.numaproj.io/progressive-result-state"] == "failed"
end

-- resting: the phases in which nothing runs, on purpose. told: whether conditions tell for themselves.
local function flow(rules)
  return function(obj)
    local s = obj.status
    if not s or obj.metadata.generation ~= s.observedGeneration then
      return result("Progressing", "Waiting for " .. obj.kind .. " status")
    end
    local bad = any_false(obj)
    if s.phase == "Failed" then
      return result("Degraded", s.message)
    elseif rules.upgrades and upgrade_failed(obj) then
      return result("Degraded", "Failed progressive upgrade")
    elseif bad then
      return result("Degraded", not rules.told and "Subresources are unhealthy" or bad.message)
    elseif one_of(s.phase, rules.resting) then
      return result("Healthy", obj.kind .. " is paused")
    elseif s.phase == "Running" then
      return result("Healthy", obj.kind .. " is healthy")
    end
    return result("Progressing", "Waiting for " .. obj.kind .. " status")
  end
end
kinds.InterStepBufferService = flow({ resting = {}, told = true, upgrades = true })
kinds.MonoVertex = flow({ resting = { "Paused" }, upgrades = true })
kinds.Pipeline = flow({ resting = { "Paused", "Pausing" }, upgrades = true })
kinds.Vertex = flow({ resting = { "Paused" }, told = true })

-- https://github.com/numaproj/numaplane: their roll-outs
local function condition(obj, type, status, reason)
  for _, c in ipairs(conditions(obj)) do
    if c.type == type and c.status == status and (not reason or reason(c.reason)) then
      return c
    end
  end
end

local function is_progressing(reason)
  return reason == "Progressing"
end

local function progress(obj, progressive)
  local s = obj.status
  if not s or obj.metadata.generation ~= s.observedGeneration then
    return "Not yet reconciled"
  end
  local busy = (s.upgradeInProgress or "") ~= "" or s.phase == "Pending"
  if busy and not (progressive and condition(obj, "ProgressiveUpgradeSucceeded", "False")) then
    return "Update in progress"
  end
  return condition(obj, "ChildResourcesHealthy", "False", is_progressing) and "Child Progressing"
end

-- What the first condition that is bad says.
local function problem(obj, rules)
  if obj.status.phase == "Failed" then
    return result("Degraded", obj.status.message)
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "ChildResourcesHealthy" and c.status == "False" and rules.failed(c.reason) then
      return result("Degraded", c.message)
    elseif rules.progressive and c.type == "ProgressiveUpgradeSucceeded" and c.status == "False" then
      return result("Degraded", "Progressive upgrade failed")
    end
  end
end

local function rollout(rules)
  return function(obj)
    local busy = progress(obj, rules.progressive)
    if busy then
      return result("Progressing", busy)
    end
    local bad = problem(obj, rules)
    if bad then
      return bad
    end
    local paused = rules.paused and condition(obj, rules.paused, "True")
    if paused then
      return result("Healthy", paused.message)
    elseif condition(obj, "ChildResourcesHealthy", "True") then
      return result("Healthy", "Healthy")
    end
    return result("Unknown", "Unknown " .. (rules.name or "") .. "status")
  end
end

local function because(wanted)
  return function(reason)
    return reason == wanted
  end
end

kinds.ISBServiceRollout = rollout({ failed = because("ISBSvcFailed"), progressive = true })
kinds.MonoVertexRollout = rollout({
  failed = because("MonoVertexFailed"), progressive = true, paused = "MonoVertexPausingOrPaused", name = "MonoVertex ",
})
kinds.PipelineRollout = rollout({
  failed = because("PipelineFailed"), progressive = true, paused = "PipelinePausingOrPaused", name = "Pipeline ",
})
kinds.NumaflowControllerRollout = rollout({
  failed = function(reason)
    return reason ~= "Progressing"
  end,
})
