-- https://developer.1password.com/docs/k8s/operator/
kinds.OnePasswordItem = when("Ready", "Waiting for controller to report status")

-- https://cert-manager.io/, of the group that it had first
kinds.Certificate = when("Ready", "Waiting for certificate")
kinds.Issuer = when("Ready", "Initializing issuer")

-- https://github.com/external-secrets/kubernetes-external-secrets
function kinds.ExternalSecret(obj)
  local state = obj.status and obj.status.status or ""
  if state == "SUCCESS" then
    return result("Healthy", "Fetched ExternalSecret.")
  elseif state:find("^ERROR") then
    return result("Degraded", (state:gsub("ERROR, ", "")))
  end
  return result("Progressing", "Waiting for ExternalSecret.")
end

-- https://docs.flagger.app/
local phases = {
  Failed = "Degraded", Progressing = "Progressing", Finalising = "Progressing", Promoting = "Progressing",
  Succeeded = "Healthy", Initialized = "Healthy",
}

function kinds.Canary(obj)
  local s, texts = obj.status, {}
  if not s then
    return result("Unknown", "No status")
  end
  if (tonumber(s.canaryWeight) or 0) > 0 then
    texts[1] = "Canary Weight: " .. s.canaryWeight .. " %"
  end
  for _, c in ipairs(conditions(obj)) do
    texts[#texts + 1] = c.message
  end
  return result(phases[s.phase or ""] or "Unknown", (s.phase or "") .. " --- " .. table.concat(texts, " --- "))
end

-- https://gardener.cloud/docs/gardener/
local shoots = {
  healthy = { "Healthy", "Healthy" }, progressing = { "Progressing", "Update in progress" },
  unhealthy = { "Degraded", "Unhealthy" }, unknown = { "Unknown", "Unknown" },
}

function kinds.Shoot(obj)
  local s = shoots[(obj.metadata.labels or {})["shoot.gardener.cloud/status"] or ""]
  if not s then
    return result("Progressing", "Update in progress")
  end
  return result(s[1], "Component state: " .. s[2])
end

-- https://www.keycloak.org/operator/: the oldest condition that says something decides
function kinds.Keycloak(obj)
  if not (obj.status and obj.status.conditions) then
    return result("Progressing", "Waiting for Keycloak status conditions to exist")
  end
  local list = {}
  for i, c in ipairs(conditions(obj)) do
    list[i] = { at = c.lastTransitionTime, place = i, c = c }
  end
  table.sort(list, function(a, b)
    if a.at == b.at then
      return a.place < b.place
    end
    return a.at ~= nil and (b.at == nil or a.at < b.at)
  end)
  for i, entry in ipairs(list) do
    list[i] = entry.c
  end
  return decide(list, {
    { "Ready", "True", "Healthy", "" },
    { "HasErrors", "True", "Degraded", function(c)
      return "Has Errors: " .. (c.message or "")
    end },
  }, "Progressing", "")
end

-- https://nmstate.io/kubernetes-nmstate/
local function reason_and_message(c)
  return (c.reason or "") .. ((c.message or "") ~= "" and ": " .. c.message or "")
end
kinds.NodeNetworkConfigurationPolicy = by_conditions({
  { "Available", "True", "Healthy", reason_and_message },
  { "Degraded", "True", "Degraded", reason_and_message },
  { "Progressing", "True", "Progressing", reason_and_message },
  { "Ignored", "True", "Suspended", reason_and_message },
}, "Waiting for policy to be applied")

-- https://github.com/dogmatiq/proclaim
function kinds.DNSSDServiceInstance(obj)
  local last = {}
  for _, c in ipairs(conditions(obj)) do
    last[c.type] = c
  end
  local adopted, advertised, found = last.Adopted or {}, last.Advertised or {}, last.Discoverable or {}
  if adopted.status == "False" then
    return result("Degraded", adopted.message)
  elseif one_of(advertised.reason, { "AdvertiseError", "UnadvertiseError" }) then
    return result("Degraded", advertised.message)
  elseif found.reason == "DiscoveryError" then
    return result("Unknown", found.message)
  end
  return result(found.status == "True" and "Healthy" or "Progressing", found.message)
end

-- https://projectcontour.io/docs/
local function observed(obj)
  local list = {}
  for _, c in ipairs(conditions(obj)) do
    list[#list + 1] = obj.metadata.generation == c.observedGeneration and c or nil
  end
  return list
end

function kinds.ExtensionService(obj)
  return decide(observed(obj), {
    { "Valid", "True", "Healthy" },
    { "Valid", "False", "Degraded" },
  }, "Progressing", "Waiting for status")
end

function kinds.HTTPProxy(obj)
  local s = obj.status or {}
  local found = result("Progressing", s.conditions == nil and s.currentStatus and s.description or "Waiting for status")
  for _, c in ipairs(observed(obj)) do
    if c.type == "Valid" and c.status == "True" then
      return result("Healthy", s.description)
    elseif obj.spec.includes ~= nil and c.status == "False" then
      found = result("Healthy", "HTTPProxy inclusions cannot be health checked")
    elseif c.type == "Valid" and c.status == "False" then
      return result("Degraded", s.description)
    end
  end
  return found
end

-- https://www.pulumi.com/docs/iac/using-pulumi/continuous-delivery/pulumi-kubernetes-operator/
function kinds.Stack(obj)
  if not obj.status or obj.status.observedGeneration ~= obj.metadata.generation then
    return result("Progressing", "Waiting for the operator to observe the latest spec change")
  end
  return decide(conditions(obj), {
    { "Stalled", "True", "Degraded" },
    { "Reconciling", "True", "Progressing" },
    { "Ready", "True", "Healthy" },
  }, "Progressing", "Waiting for the stack to be reconciled")
end

-- https://github.com/SAP/sap-btp-service-operator
function kinds.ServiceInstance(obj)
  if obj.metadata.deletionTimestamp then
    return result("Progressing", "Resource is being deleted")
  elseif not (obj.status and obj.status.conditions) then
    return result("Progressing", "Waiting for status")
  end
  for _, c in ipairs(conditions(obj)) do
    if not is_current(obj, c.observedGeneration) then
      return result("Progressing", "Waiting for spec update to be observed")
    elseif (c.type == "Succeeded" and c.status == "False") or (c.type == "Failed" and c.status == "True") then
      return result("Degraded", c.message or "")
    end
  end
  return result("Healthy", "Ready to use")
end
kinds.ServiceBinding = kinds.ServiceInstance
