-- Groups of which every kind is checked alike.
local groups = {}

-- https://docs.victoriametrics.com/operator/
local states = {
  operational = { "Healthy", "All components are operational" },
  expanding = { "Progressing", "Reconciliation in progress" },
  paused = { "Suspended", "Reconciliation is paused" },
  failed = { "Degraded", "Reconciliation failed" },
}

groups["operator.victoriametrics.com"] = function(obj)
  local s = obj.status
  if not s or not is_current(obj, s.observedGeneration) then
    return result("Progressing", "Waiting for the operator to reconcile")
  end
  local state, reason = states[s.updateStatus or ""], s.reason or ""
  if not state then
    return result("Progressing", "Waiting for the operator to report status")
  end
  return result(state[1], state[1] ~= "Healthy" and reason ~= "" and reason or state[2])
end

-- https://docs.airlock.com/microgateway/latest/: policies are attached as those of the Gateway API, others are just there
local function ancestor_name(a)
  return "Ancestor " .. (a.ancestorRef.name or "")
end

local function stale(obj, ancestors)
  for _, a in ipairs(obj.metadata.generation and ancestors or {}) do
    for _, c in ipairs(a.conditions) do
      if c.observedGeneration ~= obj.metadata.generation then
        return a
      end
    end
  end
end

groups["microgateway.airlock.com"] = function(obj)
  if not obj.kind:match("Policy$") then
    return result("Healthy", obj.kind .. " is healthy")
  end
  local found = result("Progressing", "Waiting for " .. obj.kind .. " status")
  local ancestors = obj.status and obj.status.ancestors or {}
  local old = stale(obj, ancestors)
  if old then
    return result("Progressing", "Waiting for " .. ancestor_name(old) .. " to update " .. obj.kind .. " status")
  end
  for _, a in ipairs(ancestors) do
    local accepted = false
    for _, c in ipairs(a.conditions) do
      if one_of(c.type, { "Accepted", "ResolvedRefs" }) and c.status ~= "True" then
        return result("Degraded", ancestor_name(a) .. ": " .. (c.message or ""))
      elseif c.type == "Accepted" then
        accepted, found = true, result("Healthy", obj.kind .. " is healthy")
      end
    end
    found = accepted and found or result("Degraded", ancestor_name(a) .. ": " .. obj.kind .. " is not accepted")
  end
  return found
end

-- https://gitlab.com/kubitus-project/grafana-org-operator
groups["grafana-org-operator.kubitus-project.gitlab.io"] = by_conditions({
  { "Ready", "False", "Degraded" },
  { "Ready", "True", "Healthy" },
  { "Ready", "*", "Progressing" },
}, "Waiting ...")

kinds["*"] = function(obj)
  return groups[obj.apiVersion:match("^[^/]+")](obj)
end
