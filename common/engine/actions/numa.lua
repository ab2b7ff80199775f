-- https://numaflow.numaproj.io/ and, of roll-outs, https://github.com/numaproj/numaplane
local function holder(obj)
  return obj.spec.pipeline or obj.spec.monoVertex
end

local function is_rollout(obj)
  return obj.kind:match("Rollout$") ~= nil
end

-- What says whether it is to run.
local function specification(obj)
  return is_rollout(obj) and holder(obj).spec or obj.spec
end

local function is_paused(obj)
  local l = specification(obj).lifecycle
  return l ~= nil and l.desiredPhase == "Paused"
end

local function upgrade_state(obj)
  return (obj.metadata.labels or {})["numaplane.numaproj.io/upgrade-state"]
end

local function belongs_to(obj, kind)
  for _, owner in ipairs(obj.metadata.ownerReferences or {}) do
    if owner.kind == kind then
      return true
    end
  end
  return false
end

-- What a roll-out has made is paused through it.
local function may_pause(obj)
  if is_rollout(obj) or not belongs_to(obj, obj.kind .. "Rollout") then
    return true
  end
  return obj.kind == "Pipeline" and upgrade_state(obj) == "recyclable-expired"
end

local function ways_to_resume(obj)
  local meta = is_rollout(obj) and holder(obj).metadata or obj.spec.metadata
  return meta and meta.annotations and meta.annotations["numaflow.numaproj.io/allowed-resume-strategies"]
end

local function cannot_resume(obj, fast)
  local ways = ways_to_resume(obj)
  if not may_pause(obj) or not is_paused(obj) then
    return true
  elseif fast then
    return ways ~= "fast" and ways ~= "slow, fast"
  end
  return ways == "fast"
end

local function set_phase(obj, phase)
  local spec = specification(obj)
  spec.lifecycle = spec.lifecycle or {}
  spec.lifecycle.desiredPhase = phase
end

local pause = {
  icon = "pause",
  disabled = function(obj)
    return not may_pause(obj) or is_paused(obj)
  end,
  run = function(obj)
    set_phase(obj, "Paused")
  end,
}

-- How fast is said in an annotation of a pipeline, in the strategy of a roll-out; a vertex that resumes slowly starts over.
local function resume(title, fast)
  return {
    icon = "play",
    title = title,
    disabled = function(obj)
      return cannot_resume(obj, fast)
    end,
    run = function(obj)
      set_phase(obj, "Running")
      if is_rollout(obj) then
        obj.spec.strategy = obj.spec.strategy or {}
        obj.spec.strategy.pauseResume = obj.spec.strategy.pauseResume or {}
        obj.spec.strategy.pauseResume.fastResume = fast
      elseif obj.kind == "Pipeline" then
        annotations(obj)["numaflow.numaproj.io/resume-strategy"] = fast and "fast" or "slow"
      elseif not fast then
        obj.spec.replicas = nil
      end
    end,
  }
end
local gradual, fast = resume("Unpause (gradual)", false), resume("Unpause (fast)", true)

local function promote(title)
  return {
    icon = "forward",
    title = title,
    disabled = function(obj)
      local state = upgrade_state(obj)
      return (state ~= "in-progress" and state ~= "trial")
        or (obj.metadata.labels or {})["numaplane.numaproj.io/force-promote"] == "true"
    end,
    run = function(obj)
      labels(obj)["numaplane.numaproj.io/force-promote"] = "true"
    end,
  }
end

local DATA_LOSS = "numaplane.numaproj.io/allow-data-loss"

kinds.InterStepBufferService = { ["force-promote"] = promote() }
kinds.MonoVertex = {
  pause = pause, ["unpause-gradual"] = gradual, ["unpause-fast"] = fast, ["force-promote"] = promote("Force Promote"),
}
kinds.Pipeline = {
  pause = pause,
  ["unpause-gradual"] = gradual,
  ["unpause-fast"] = fast,
  ["force-promote"] = promote("Force Promote"),
  delete = {
    icon = "trash",
    title = "Delete",
    disabled = function(obj)
      local state = upgrade_state(obj)
      return state ~= "recyclable" and state ~= "recyclable-expired"
    end,
    run = annotate("numaplane.numaproj.io/marked-for-deletion", "true"),
  },
}
kinds.MonoVertexRollout = { pause = pause, ["unpause-gradual"] = gradual, ["unpause-fast"] = fast }
kinds.PipelineRollout = {
  pause = pause,
  ["unpause-gradual"] = gradual,
  ["unpause-fast"] = fast,
  ["allow-data-loss"] = {
    icon = "unlock",
    title = "Allow (Possible) Data Loss",
    disabled = function(obj)
      return not obj.status or obj.status.upgradeInProgress ~= "PipelinePauseAndDrain"
    end,
    run = annotate(DATA_LOSS, "true"),
  },
  ["disallow-data-loss"] = {
    icon = "lock",
    title = "Disallow Data Loss",
    disabled = function(obj)
      return annotation(obj, DATA_LOSS) ~= "true"
    end,
    run = annotate(DATA_LOSS, "false"),
  },
}
