-- apps and batch.

local restart = {
  icon = "redo",
  run = function(obj)
    annotations(obj.spec.template)["kubectl.kubernetes.io/restartedAt"] = now()
  end,
}

local scale = {
  icon = "plus-circle",
  params = { { name = "replicas" } },
  run = function(obj, params)
    local replicas = tonumber(params.replicas)
    if not replicas then
      error("invalid number: " .. tostring(params.replicas), 0)
    end
    obj.spec.replicas = replicas
  end,
}

local function paused(obj)
  return obj.spec.paused == true
end

kinds.DaemonSet = { restart = restart }
kinds.StatefulSet = { restart = restart, scale = scale }
kinds.Deployment = {
  restart = restart,
  scale = scale,
  pause = {
    icon = "pause-circle",
    disabled = paused,
    run = function(obj)
      obj.spec.paused = true
    end,
  },
  resume = {
    icon = "play-circle",
    disabled = function(obj)
      return not paused(obj)
    end,
    run = function(obj)
      obj.spec.paused = nil
    end,
  },
}

-- As `kubectl create job --from=cronjob/…`.
local function create_job(obj)
  local template = obj.spec.jobTemplate
  local job = { apiVersion = "batch/v1", kind = "Job", metadata = copy(template.metadata) or {}, spec = copy(template.spec) }
  job.metadata.name = obj.metadata.name .. "-" .. stamp("!%y%m%d%H%M")
  job.metadata.namespace = obj.metadata.namespace
  annotations(job)["cronjob.kubernetes.io/instantiate"] = "manual"
  local reference = owner(obj)
  reference.blockOwnerDeletion = true
  reference.controller = true
  job.metadata.ownerReferences = { reference }
  return created(job)
end

kinds.CronJob = {
  ["create-job"] = { icon = "plus", title = "Create Job", run = create_job },
  resume = { icon = "play", shown = suspended, run = resume },
  suspend = { icon = "pause", shown = running, run = suspend },
}

local ends = { Complete = true, Failed = true, FailureTarget = true, SuccessCriteriaMet = true }

local function at_work(obj)
  for _, c in ipairs(obj.status and obj.status.conditions or {}) do
    if ends[c.type] and c.status == "True" then
      return false
    end
  end
  return true
end

local function terminate(obj)
  if not obj.status or not at_work(obj) then
    return
  end
  obj.status.conditions = obj.status.conditions or {}
  table.insert(obj.status.conditions, {
    type = "FailureTarget",
    status = "True",
    reason = "ManuallyTerminated",
    message = "Job was terminated explicitly through Argo CD",
    lastTransitionTime = now(),
  })
end

kinds.Job = {
  resume = {
    icon = "play",
    shown = function(obj)
      return at_work(obj) and suspended(obj)
    end,
    run = resume,
  },
  suspend = {
    icon = "pause",
    shown = function(obj)
      return at_work(obj) and running(obj)
    end,
    run = suspend,
  },
  terminate = {
    icon = "stop",
    shown = function(obj)
      return at_work(obj) and obj.status ~= nil
    end,
    run = terminate,
  },
}
