-- https://cluster-api.sigs.k8s.io/
local function phase(obj)
  return obj.status and obj.status.phase
end

function kinds.Cluster(obj)
  local found = result("Progressing", "Waiting for clusters")
  if obj.spec.paused then
    return result("Suspended", "Cluster is paused")
  elseif phase(obj) == "Provisioned" then
    found = result("Healthy", "Cluster is running")
  elseif phase(obj) == "Failed" then
    found = result("Degraded", "")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" and c.status == "False" and c.severity ~= "Info" then
      return result("Degraded", c.message)
    end
  end
  return found
end

function kinds.Machine(obj)
  if phase(obj) == "Running" then
    return result("Healthy", "Machine is running")
  end
  return decide(conditions(obj), { { "Ready", "False", phase(obj) == "Failed" and "Degraded" or "Progressing" } },
    phase(obj) == "Failed" and "Degraded" or "Progressing", "Condition is unknown")
end

function kinds.MachineDeployment(obj)
  local phases = {
    Running = { "Healthy", "Machines are running under this deployment" },
    ScalingUp = { "Progressing", "Cluster is spawning machines" },
    ScalingDown = { "Progressing", "Cluster is stopping machines" },
    Failed = { "Degraded", "MachineDeployment is failed" },
  }
  local p = phases[phase(obj) or ""] or { "Progressing", "Waiting for machines" }
  if obj.spec.paused then
    return result("Suspended", "MachineDeployment is paused")
  end
  return result(p[1], p[2])
end

function kinds.MachineHealthCheck(obj)
  local s = obj.status or {}
  if s.currentHealthy == nil then
    return result("Progressing", "")
  end
  return result(s.expectedMachines == s.currentHealthy and "Healthy" or "Degraded", "")
end

function kinds.MachinePool(obj)
  local statuses = { Running = "Healthy", Scaling = "Healthy", Failed = "Degraded", Unknown = "Degraded" }
  local message, missing = phase(obj) and "MachinePool is " .. phase(obj) or "", {}
  for _, c in ipairs(conditions(obj)) do
    if c.type and c.status == "False" then
      missing[#missing + 1] = "Not " .. c.type .. (c.reason and " (" .. c.reason .. ")" or "")
    end
  end
  if #missing > 0 then
    message = message .. ": " .. table.concat(missing, ", ")
  end
  return result(statuses[phase(obj) or ""] or "Progressing", message)
end

function kinds.ClusterResourceSet(obj)
  return decide(conditions(obj), {
    { "ResourcesApplied", "True", "Healthy", "cluster resource set is applied" },
    { "ResourcesApplied", "False", "Degraded" },
  }, "Progressing", "Initializing cluster resource set")
end
