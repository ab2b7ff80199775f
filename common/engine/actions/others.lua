-- Operators' kinds: External Secrets, KEDA, Strimzi, CloudNativePG, MariaDB, Percona.

local units = { "", "ns", "us", "µs", "ms", "s", "m", "h" }

local function never(interval)
  for _, unit in ipairs(units) do
    if interval ~= nil and tostring(interval) == "0" .. unit then
      return true
    end
  end
  return false
end

local force = annotate("force-sync", now)

kinds.ExternalSecret = {
  refresh = {
    disabled = function(obj)
      return never(obj.spec.refreshInterval) and obj.spec.refreshPolicy ~= "OnChange"
    end,
    run = force,
  },
}
kinds.PushSecret = {
  push = {
    disabled = function(obj)
      return never(obj.spec.refreshInterval)
    end,
    run = force,
  },
}

local PAUSED, REPLICAS = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"

local function paused(obj)
  return annotation(obj, PAUSED) == "true"
end

local function held(obj)
  return paused(obj) or annotation(obj, REPLICAS) ~= nil
end

local function hold(obj, params)
  if not params.replicas then
    error("replicas parameter is required", 0)
  end
  local replicas = tonumber(params.replicas)
  if not replicas or replicas < 0 then
    error("invalid number: " .. params.replicas .. " (must be >= 0)", 0)
  end
  annotations(obj)[REPLICAS] = tostring(replicas)
end

local function go_on(obj)
  if obj.metadata and obj.metadata.annotations then
    obj.metadata.annotations[PAUSED] = nil
    obj.metadata.annotations[REPLICAS] = nil
  end
end

local function not_(f)
  return function(obj)
    return not f(obj)
  end
end

kinds.ScaledJob = {
  pause = { icon = "pause-circle", disabled = paused, run = annotate(PAUSED, "true") },
  resume = { icon = "play-circle", disabled = not_(paused), run = go_on },
}
kinds.ScaledObject = {
  pause = { icon = "pause-circle", disabled = held, run = annotate(PAUSED, "true") },
  resume = { icon = "play-circle", disabled = not_(held), run = go_on },
  ["paused-replicas"] = {
    icon = "pause-circle",
    disabled = paused,
    params = function(obj)
      return { { name = "replicas", default = annotation(obj, REPLICAS) or "0" } }
    end,
    run = hold,
  },
}

local ROLLING = "strimzi.io/manual-rolling-update"

kinds.StrimziPodSet = {
  ["rolling-update"] = {
    disabled = function(obj)
      return annotation(obj, ROLLING) == "true"
    end,
    run = annotate(ROLLING, "true"),
  },
}

local LOOP = "cnpg.io/reconciliationLoop"

local function stopped(obj)
  return annotation(obj, LOOP) == "disabled"
end

local function healthy(obj)
  local s = obj.status and obj.status.instancesStatus
  return s and s.healthy or {}
end

-- The one behind the primary, or the instance that is named, by its number too.
local function choose(obj, wanted)
  local list = healthy(obj)
  if wanted == "any" then
    for i, name in ipairs(list) do
      if name == obj.status.currentPrimary then
        return list[i % #list + 1]
      end
    end
    return list[1]
  end
  if tonumber(wanted) then
    wanted = obj.metadata.name .. "-" .. wanted
  end
  for _, name in ipairs(list) do
    if name == wanted then
      return name
    end
  end
end

local function promote(obj, params)
  local chosen = choose(obj, params.instance)
  if not chosen then
    error("Could not find a healthy instance matching the criteria: " .. tostring(params.instance), 0)
  end
  obj.status.targetPrimary = chosen
  obj.status.targetPrimaryTimestamp = now()
  obj.status.phase = "Switchover in progress"
  obj.status.phaseReason = "Switching over to " .. chosen
end

kinds.Cluster = {
  restart = {
    icon = "recycle",
    title = "Rollout restart Cluster",
    run = annotate("kubectl.kubernetes.io/restartedAt", now),
  },
  reload = { icon = "rotate-right", title = "Reload all Configuration", run = annotate("cnpg.io/reloadedAt", now) },
  promote = {
    icon = "angles-up",
    title = "Promote Replica to Primary",
    params = { { name = "instance", default = "any" } },
    disabled = function(obj)
      return #healthy(obj) < 2
    end,
    run = promote,
  },
  suspend = { icon = "pause", title = "Suspend Reconciliation", shown = not_(stopped), run = annotate(LOOP, "disabled") },
  resume = { icon = "play", title = "Resume Reconciliation", shown = stopped, run = annotate(LOOP, nil) },
}

kinds.MariaDB = {
  suspend = { icon = "pause", title = "Suspend", shown = running, run = suspend },
  resume = { icon = "play", title = "Resume", shown = suspended, run = resume },
}

local function is_paused(obj)
  return obj.spec.pause == true
end

local function set_pause(wanted)
  return function(obj)
    obj.spec.pause = wanted
  end
end

kinds.PerconaServerMongoDB = {
  pause = { icon = "pause-circle", disabled = is_paused, run = set_pause(true) },
  unpause = { icon = "play-circle", disabled = not_(is_paused), run = set_pause(false) },
}
