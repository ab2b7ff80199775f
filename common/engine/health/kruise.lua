-- https://openkruise.io/docs/
function kinds.AdvancedCronJob(obj)
  local s = obj.status or {}
  if not s.lastScheduleTime and obj.spec.paused == true then
    return result("Suspended", "AdvancedCronJob is Paused")
  elseif s.active and #s.active > 0 then
    return result("Progressing", "AdvancedCronJobs has active jobs")
  elseif not s.lastScheduleTime then
    return result("Degraded", "AdvancedCronJobs has not run successfully")
  end
  return result("Healthy", "AdvancedCronJobs has run successfully")
end

function kinds.BroadcastJob(obj)
  local s = obj.status or {}
  if s.phase == "completed" and s.desired == s.succeeded then
    return result("Healthy", "BroadcastJob is completed successfully")
  elseif s.phase == "failed" and s.failed ~= 0 then
    return result("Degraded", "BroadcastJob failed")
  elseif s.phase == "paused" and obj.spec.paused == true then
    return result("Suspended", "BroadcastJob is Paused")
  end
  return result("Progressing", "BroadcastJob is still running")
end

-- A roll-out that stops on its way, at a partition, waits for somebody.
local function rollout(name, rules)
  return function(obj)
    local s = obj.status
    if not s or obj.metadata.generation ~= s.observedGeneration then
      return result("Progressing", "Waiting for initialization")
    end
    local update = rules.update(obj)
    if update.paused == true or not s[rules.counted] then
      return result("Suspended", name .. " is paused")
    end
    local partition = update.partition
    if rules.optional and partition == nil then
      partition = 0
    end
    if partition ~= 0 and obj.metadata.generation > 1 then
      local stopped = rules.stopped(s, partition)
      return stopped and result("Suspended", name .. " needs manual intervention")
        or result("Progressing", "Waiting for initialization")
    end
    return rules.judge(s)
  end
end

local function of_rolling_update(obj)
  return obj.spec and obj.spec.updateStrategy and obj.spec.updateStrategy.rollingUpdate or {}
end

local function all_available(name)
  return function(s)
    if s.updatedAvailableReplicas == s.replicas then
      return result("Healthy", "All " .. name .. " workloads are ready and updated")
    end
    return result("Degraded", "Some replicas are not ready or available")
  end
end

kinds.CloneSet = rollout("Cloneset", {
  update = function(obj)
    return obj.spec and obj.spec.updateStrategy or {}
  end,
  counted = "updatedAvailableReplicas",
  stopped = function(s)
    return (s.updatedReplicas or 0) >= (s.expectedUpdatedReplicas or 0)
  end,
  judge = all_available("Cloneset"),
})

kinds.StatefulSet = rollout("Statefulset", {
  update = of_rolling_update,
  counted = "updatedAvailableReplicas",
  stopped = function(s, partition)
    return (s.updatedReplicas or 0) > (s.replicas or 0) - (partition or 0)
  end,
  judge = all_available("Statefulset"),
})

kinds.DaemonSet = rollout("Daemonset", {
  update = of_rolling_update,
  counted = "updatedNumberScheduled",
  optional = true,
  stopped = function(s, partition)
    return s.updatedNumberScheduled > (s.desiredNumberScheduled or 0) - partition
  end,
  judge = function(s)
    local wanted = s.desiredNumberScheduled
    if s.updatedNumberScheduled == wanted and s.numberAvailable == wanted then
      return result("Healthy", "All Daemonset workloads are ready and updated")
    elseif s.updatedNumberScheduled == wanted and s.numberUnavailable == wanted then
      return result("Degraded", "Some pods are not ready or available")
    end
    return result("Progressing", "Waiting for initialization")
  end,
})

-- https://openkruise.io/rollouts/introduction
local steps = {
  { "StepPaused", "Progressing", "Suspended", "Rollout is Paused need manual intervention" },
  { "Completed", "Healthy", "Healthy", "Rollout is Completed" },
  { "StepPaused", "Terminating", "Degraded", "Rollout is Disabled or Terminating" },
  { "StepPaused", "Disabled", "Degraded", "Rollout is Disabled or Terminating" },
}

function kinds.Rollout(obj)
  local s = obj.status
  if s and obj.metadata.generation == s.observedGeneration then
    local step = s.canaryStatus and s.canaryStatus.currentStepState
    for _, r in ipairs(steps) do
      if step == r[1] and s.phase == r[2] then
        return result(r[3], r[4])
      end
    end
  end
  return result("Progressing", "Rollout is still progressing")
end

-- https://openkruise.io/kruisegame/introduction
function kinds.GameServer(obj)
  local s = obj.status
  if not s then
    return result("Unknown", "Waiting for GameServer to be ready")
  elseif s.currentState ~= s.desiredState then
    return result("Progressing", "State change: " .. (s.currentState or "Unknown") .. " → " .. (s.desiredState or "Unknown"))
  end
  for _, c in ipairs(s.podStatus and s.podStatus.conditions or {}) do
    if c.type == "KruisePodReady" and c.status ~= "True" then
      return result("Degraded", "Pod is not ready: " .. c.type)
    end
  end
  if s.currentState == "Ready" then
    return result("Healthy", "GameServer is Ready")
  end
  return result("Unknown", "Waiting for GameServer to be ready")
end

function kinds.GameServerSet(obj)
  local s, update = obj.status, of_rolling_update(obj)
  if not s or obj.metadata.generation ~= s.observedGeneration then
    return result("Progressing", "Waiting for GameServerSet initialization")
  elseif update.paused == true then
    return result("Suspended", "GameServerSet is paused")
  end
  local partition, wanted, ready = update.partition or 0, s.replicas or 0, s.readyReplicas or 0
  if partition ~= 0 and (s.updatedReplicas or 0) >= wanted - partition then
    return result("Suspended", "Partition=" .. partition .. ", waiting for manual intervention")
  elseif (s.updatedReadyReplicas or 0) == wanted then
    return result("Healthy", "All GameServerSet replicas are updated and ready")
  elseif ready < wanted then
    return result("Progressing", "ReadyReplicas " .. ready .. "/" .. wanted .. ", still progressing")
  end
  return result("Progressing", "Waiting for GameServerSet initialization")
end
