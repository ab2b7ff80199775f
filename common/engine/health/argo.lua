-- https://argo-rollouts.readthedocs.io/, https://argo-workflows.readthedocs.io/, https://argoproj.github.io/argo-events/

local function is_observed(obj)
  local notes, wanted = obj.metadata.annotations, obj.metadata.generation
  if not obj.status then
    return false
  end
  -- What is no number, or ahead of the object, was written by a controller before 0.10.
  local seen = tonumber(obj.status.observedGeneration)
  if seen and seen < wanted then
    return false
  end
  if not obj.spec.workloadRef or not notes then
    return true
  end
  return tonumber(notes["rollout.argoproj.io/workload-generation"]) == tonumber(obj.status.workloadObservedGeneration)
end

local function failed_condition(obj)
  for _, c in ipairs(obj.status.conditions) do
    local reasons = { "RolloutAborted", "ProgressDeadlineExceeded" }
    if c.type == "InvalidSpec" or (c.type == "Progressing" and one_of(c.reason, reasons)) then
      return result("Degraded", c.message)
    end
  end
end

local function stable_hash(status)
  if status.stableRS then
    return status.stableRS
  end
  if status.canary then
    return status.canary.stableRS
  end
  return ""
end

local function waits_for_replicas(obj)
  local updated = obj.status.updatedReplicas or 0
  if updated < (obj.spec.replicas or 1) then
    return "Waiting for roll out to finish: More replicas need to be updated"
  elseif (obj.status.availableReplicas or 0) < updated then
    return "Waiting for roll out to finish: updated replicas are still becoming available"
  end
end

local function waits_for_steps(obj)
  local s, strategy = obj.status, obj.spec.strategy
  local stable = stable_hash(s)
  if strategy.blueGreen then
    if not s.blueGreen or s.blueGreen.activeSelector ~= s.currentPodHash then
      return "active service cutover pending"
    elseif stable ~= "" and stable ~= s.currentPodHash then
      return "waiting for analysis to complete"
    end
  elseif strategy.canary then
    if (s.replicas or 0) > (s.updatedReplicas or 0) then
      return "Waiting for roll out to finish: old replicas are pending termination"
    elseif stable == "" or stable ~= s.currentPodHash then
      return "Waiting for rollout to finish steps"
    end
  end
end

function kinds.Rollout(obj)
  if not is_observed(obj) then
    return result("Progressing", "Waiting for rollout spec update to be observed")
  end
  local s = obj.status
  if s.phase then
    return result(s.phase == "Paused" and "Suspended" or s.phase, s.message)
  end
  local failed = failed_condition(obj)
  if failed then
    return failed
  end
  if (s.pauseConditions and #s.pauseConditions > 0) or obj.spec.paused then
    return result("Suspended", "Rollout is paused")
  end
  if not s.currentPodHash then
    return result("Progressing", "Waiting for rollout to finish: status has not been reconciled.")
  end
  local waiting = waits_for_replicas(obj) or waits_for_steps(obj)
  if waiting then
    return result("Progressing", waiting)
  end
  return result("Healthy", "")
end

local function by_phase(phases, waiting)
  return function(obj)
    if not obj.status then
      return result("Progressing", waiting)
    end
    local p = phases[obj.status.phase or ""]
    if not p then
      return {}
    end
    return result(p[1], p.own and obj.status.message or p[2])
  end
end

kinds.AnalysisRun = by_phase({
  Pending = { "Progressing", "Analysis run is running" },
  Running = { "Progressing", "Analysis run is running" },
  Successful = { "Healthy", "Analysis run completed successfully", own = true },
  Failed = { "Degraded", "Analysis run failed", own = true },
  Error = { "Degraded", "Analysis run had an error", own = true },
  Inconclusive = { "Unknown", "Analysis run was inconclusive", own = true },
}, "Waiting for analysis run to finish: status has not been reconciled.")

kinds.Experiment = by_phase({
  Pending = { "Progressing", "Experiment is pending" },
  Running = { "Progressing", "Experiment is running" },
  Successful = { "Healthy", "Experiment is successful" },
  Failed = { "Degraded", "Experiment has failed" },
  Error = { "Degraded", "Experiment had an error" },
}, "Waiting for experiment to finish: status has not been reconciled.")

function kinds.ApplicationSet(obj)
  return decide_in_turn(conditions(obj), {
    { "ErrorOccurred", "True", "Degraded" },
    { "ResourcesUpToDate", "False", "Degraded" },
    { "RolloutProgressing", "True", "Progressing" },
    { "ResourcesUpToDate", "True", "Healthy" },
  }, "Progressing", "Waiting for the status to be reported")
end

function kinds.CronWorkflow(obj)
  return decide(conditions(obj), {
    { "SpecError", "True", "Degraded" },
    { "SubmissionError", "True", "Degraded" },
    { "Completed", "True", "Healthy" },
  }, "Healthy", "CronWorkflow is healthy.")
end

function kinds.EventBus(obj)
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Deployed" and c.status ~= "Unknown" then
      return result(c.status == "True" and "Healthy" or "Degraded", c.message or c.reason)
    end
  end
  return result("Progressing", "Waiting for initialization")
end

-- Sources and sensors are well when all their conditions are.
local function all_true(obj)
  local waiting
  for _, c in ipairs(conditions(obj)) do
    if c.status == "False" then
      return result("Degraded", c.type .. ": " .. (c.message or c.reason or "False"))
    elseif c.status ~= "True" then
      waiting = waiting or ("Waiting for " .. c.type)
    end
  end
  if #conditions(obj) == 0 then
    waiting = "Waiting for initialization"
  end
  return result(waiting and "Progressing" or "Healthy", waiting)
end
kinds.EventSource = all_true
kinds.Sensor = all_true
