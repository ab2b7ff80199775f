-- argoproj.io and promoter.argoproj.io.

local function status(obj)
  return obj.status or {}
end

local function promoted(obj)
  return status(obj).currentPodHash == status(obj).stableRS
end

local function pauses(obj)
  return status(obj).pauseConditions and #status(obj).pauseConditions or 0
end

local function paused(obj)
  if status(obj).pauseConditions then
    return pauses(obj) > 0
  end
  return obj.spec.paused == true
end

-- Controllers before 0.10 keep a hash there; they promote by going past the last step.
local function is_old(obj)
  local generation = tonumber(status(obj).observedGeneration)
  return generation == nil or generation > obj.metadata.generation
end

local function steps(obj)
  return obj.spec.strategy.canary and obj.spec.strategy.canary.steps
end

local function leave_pause(obj)
  if pauses(obj) > 0 then
    obj.status.pauseConditions = nil
  end
end

kinds.Rollout = {
  restart = {
    title = "Restart Pods",
    run = function(obj)
      obj.spec.restartAt = now()
    end,
  },
  resume = {
    disabled = function(obj)
      return not paused(obj)
    end,
    run = function(obj)
      leave_pause(obj)
      if obj.spec.paused then
        obj.spec.paused = false
      end
    end,
  },
  pause = {
    disabled = function(obj)
      return promoted(obj) or status(obj).abort or obj.spec.paused
    end,
    run = function(obj)
      obj.spec.paused = true
    end,
  },
  abort = {
    disabled = function(obj)
      return promoted(obj) or status(obj).abort
    end,
    run = function(obj)
      obj.status = status(obj)
      obj.status.abort = true
    end,
  },
  retry = {
    disabled = function(obj)
      return promoted(obj) or not status(obj).abort
    end,
    run = function(obj)
      status(obj).abort = nil
    end,
  },
  ["promote-full"] = {
    disabled = function(obj)
      return promoted(obj) or is_old(obj) and obj.spec.strategy.blueGreen ~= nil
    end,
    run = function(obj)
      if not obj.status then
        return
      end
      if not is_old(obj) then
        obj.status.promoteFull = true
        return
      end
      obj.status.abort = nil
      if steps(obj) then
        obj.status.currentStepIndex = #steps(obj)
      end
    end,
  },
  ["skip-current-step"] = {
    disabled = function(obj)
      return not steps(obj) or status(obj).currentStepIndex == #steps(obj)
    end,
    run = function(obj)
      local at = status(obj).currentStepIndex
      if at and steps(obj) and at < #steps(obj) then
        leave_pause(obj)
        obj.status.currentStepIndex = at + 1
      end
    end,
  },
}

local over = { Successful = true, Failed = true, Error = true, Inconclusive = true }

kinds.AnalysisRun = {
  terminate = {
    disabled = function(obj)
      return obj.spec.terminate or over[status(obj).phase]
    end,
    run = function(obj)
      obj.spec.terminate = true
    end,
  },
}

local function auto_sync(obj)
  local automated = obj.spec and obj.spec.syncPolicy and obj.spec.syncPolicy.automated
  return automated ~= nil and automated.enabled ~= false
end

kinds.Application = {
  ["toggle-auto-sync"] = {
    title = function(obj)
      return auto_sync(obj) and "Disable Auto-Sync" or "Enable Auto-Sync"
    end,
    run = function(obj)
      local enabled = not auto_sync(obj)
      obj.spec = obj.spec or {}
      obj.spec.syncPolicy = obj.spec.syncPolicy or {}
      obj.spec.syncPolicy.automated = obj.spec.syncPolicy.automated or {}
      obj.spec.syncPolicy.automated.enabled = enabled
    end,
  },
}

local INSTANCE = "workflows.argoproj.io/controller-instanceid"

local function workflow(obj)
  return {
    apiVersion = "argoproj.io/v1alpha1",
    kind = "Workflow",
    metadata = {
      name = obj.metadata.name .. "-" .. stamp("!%Y%m%d%H%M"),
      namespace = obj.metadata.namespace,
      ownerReferences = { owner(obj) },
    },
  }
end

local function from_cron(obj)
  local w, about = workflow(obj), obj.spec.workflowMetadata or {}
  w.metadata.labels = copy(about.labels)
  w.metadata.annotations = copy(about.annotations)
  w.metadata.finalizers = copy(about.finalizers)
  labels(w)["workflows.argoproj.io/cron-workflow"] = obj.metadata.name
  labels(w)[INSTANCE] = obj.metadata.labels and obj.metadata.labels[INSTANCE]
  annotations(w)["workflows.argoproj.io/scheduled-time"] = now()
  w.spec = copy(obj.spec.workflowSpec)
  return created(w)
end

local function from_template(obj)
  local w = workflow(obj)
  labels(w)["workflows.argoproj.io/workflow-template"] = obj.metadata.name
  w.spec = { workflowTemplateRef = { name = obj.metadata.name } }
  return created(w)
end

kinds.CronWorkflow = { ["create-workflow"] = { icon = "plus", title = "Create Workflow", run = from_cron } }
kinds.WorkflowTemplate = { ["create-workflow"] = { icon = "plus", title = "Create Workflow", run = from_template } }

kinds.PullRequest = {
  merge = {
    icon = "code-merge",
    title = "Merge PR",
    disabled = function(obj)
      return obj.spec.state ~= "open"
    end,
    run = function(obj)
      obj.spec.state = "merged"
    end,
  },
}
