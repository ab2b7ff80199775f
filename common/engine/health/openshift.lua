-- https://docs.redhat.com/en/documentation/openshift_container_platform/
function kinds.DeploymentConfig(obj)
  local s, good = obj.status or {}, 0
  if not s.conditions or s.replicas == nil then
    return result("Progressing", "replication controller is waiting for pods to run")
  end
  for _, c in ipairs(s.conditions) do
    local counts = c.type == "Available" or (c.type == "Progressing" and c.reason == "NewReplicationControllerAvailable")
    good = good + (counts and c.status == "True" and 1 or 0)
  end
  if good == 2 or s.replicas == 0 then
    return result("Healthy", "replication controller successfully rolled out")
  elseif good == 1 then
    return result("Progressing", "replication controller is waiting for pods to run")
  end
  return result("Degraded", "Deployment config is degraded")
end

function kinds.Route(obj)
  local n, good, bad = 0, 0, 0
  for _, ingress in ipairs(obj.status and obj.status.ingress or {}) do
    n = n + 1
    for _, c in ipairs(ingress.conditions or {}) do
      good = good + (c.type == "Admitted" and c.status == "True" and 1 or 0)
      bad = bad + (c.type == "Admitted" and c.status == "False" and 1 or 0)
    end
  end
  if not (obj.status and obj.status.ingress) then
    return result("Progressing", "Route is still getting admitted")
  elseif good == n then
    return result("Healthy", "Route is healthy")
  end
  return bad > 0 and result("Degraded", "Route is degraded") or result("Progressing", "Route is still getting admitted")
end

kinds.IngressController = by_conditions({
  { "Degraded", "True", "Degraded" },
  { "DeploymentReplicasAllAvailable", "False", "Progressing" },
  { "Progressing", "True", "Progressing", function(c)
    return c.reason
  end },
  { "Available", "True", "Healthy", "IngressController is available" },
}, "Status of IngressController is not known yet")

-- The last condition of each type counts.
function kinds.StorageCluster(obj)
  local last = {}
  for _, c in ipairs(conditions(obj)) do
    last[c.type] = c.status == "True" and c or last[c.type]
  end
  local order = { { "Degraded", "Degraded" }, { "Progressing", "Progressing" }, { "Available", "Healthy" } }
  for _, o in ipairs(order) do
    if last[o[1]] then
      return result(o[2], last[o[1]].message)
    end
  end
  return result("Unknown", "StorageCluster is in an unknown state.")
end

-- https://olm.operatorframework.io/docs/concepts/crds/subscription/
local function waits_for_approval(obj)
  if not (obj.spec and obj.spec.installPlanApproval == "Manual" and obj.status.installedCSV) then
    return false
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "InstallPlanPending" and c.status == "True" and c.reason == "RequiresApproval" then
      return true
    end
  end
  return false
end

local failures = { "CatalogSourcesUnhealthy", "InstallPlanFailed", "ResolutionFailed" }

-- nil, "pending" or "bad"
local function of_condition(c)
  if c.type == "InstallPlanPending" then
    return c.status == "True" and "pending" or nil
  elseif c.type == "InstallPlanMissing" then
    return c.reason ~= "ReferencedInstallPlanNotFound" and "bad" or nil
  end
  return one_of(c.type, failures) and c.status == "True" and "bad" or nil
end

local function of_state(state, approval)
  if state == nil then
    return "pending", ".status.state not yet known\n"
  elseif state == "UpgradePending" and approval then
    return nil, ".status.state is 'UpgradePending' (manual InstallPlan approval pending; treated as healthy)\n"
  end
  local kind = one_of(state, { "", "UpgradeAvailable", "UpgradePending" }) and "pending" or state == "UpgradeFailed" and "bad"
  return kind or nil, ".status.state is '" .. state .. "'\n"
end

function kinds.Subscription(obj)
  if not (obj.status and obj.status.conditions) then
    return result("Progressing", "An install plan for a subscription is pending installation")
  end
  local approval, text, seen = waits_for_approval(obj), "", {}
  for i, c in ipairs(conditions(obj)) do
    if not (approval and c.type == "InstallPlanPending") then
      text = text .. i .. ": " .. c.type .. " | " .. c.status .. "\n"
      seen[of_condition(c) or ""] = true
    end
  end
  local kind, state = of_state(obj.status.state, approval)
  seen[kind or ""] = true
  return result(seen.bad and "Degraded" or seen.pending and "Progressing" or "Healthy", text .. state)
end

-- https://open-cluster-management.io/docs/getting-started/integration/policy-controllers/
kinds.CertificatePolicy = by_state("compliant", {
  Compliant = { "Healthy", "All certificates found comply with the policy" },
}, "Waiting for the status to be reported", { "Degraded", "At least once certificate does not comply with the policy" })

local function compliance(s)
  return s.compliant == "Compliant" and "Healthy" or "Degraded"
end

function kinds.ConfigurationPolicy(obj)
  local s, texts = obj.status or {}, {}
  if s.compliant == nil then
    return result("Progressing", "Waiting for the status to be reported")
  elseif s.lastEvaluatedGeneration ~= obj.metadata.generation then
    return result("Progressing", "Waiting for the status to be updated")
  elseif not s.compliancyDetails then
    return result("Progressing", "Waiting for compliance")
  end
  for _, detail in ipairs(s.compliancyDetails) do
    for _, c in ipairs(detail.conditions or {}) do
      if c.message and c.type then
        texts[#texts + 1] = c.type .. " - " .. c.message
      end
    end
  end
  return result(compliance(s), table.concat(texts, "; "))
end

function kinds.OperatorPolicy(obj)
  if not (obj.status and obj.status.conditions) then
    return result("Progressing", "Waiting for the status to be reported")
  elseif obj.status.observedGeneration ~= nil and obj.status.observedGeneration ~= obj.metadata.generation then
    return result("Progressing", "Waiting for the status to be updated")
  end
  return decide(conditions(obj), {
    { "Compliant", "True", "Healthy" },
    { "Compliant", "*", "Degraded" },
  }, "Progressing", "Waiting for the compliance condition")
end

local function others(list, what, name)
  local names = {}
  for _, entry in ipairs(list) do
    if entry.compliant ~= "Compliant" then
      names[#names + 1] = name(entry)
    end
  end
  return #names == 0 and "All " .. what .. " are compliant" or "NonCompliant " .. what .. ": " .. table.concat(names, ", ")
end

function kinds.Policy(obj)
  local s = obj.status or {}
  if obj.spec.disabled then
    return result("Healthy", "Policy is disabled")
  elseif s.compliant == nil and s.status == nil and s.placement and #s.placement > 0 then
    return result("Healthy", "No clusters match this policy")
  elseif s.compliant == nil then
    return result("Progressing", "Waiting for the status to be reported")
  end
  local message
  if s.status then
    message = others(s.status, "clusters", function(entry)
      return entry.clustername
    end)
  elseif s.details then
    message = others(s.details, "templates", function(entry)
      return entry.templateMeta.name
    end)
  end
  return result(compliance(s), message)
end
