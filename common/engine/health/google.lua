-- Config Connector: every kind of its groups. https://cloud.google.com/config-connector/docs/reference/
local reasons = {
  UpdateFailed = "Degraded",
  DependencyNotFound = "Degraded",
  DependencyNotReady = "Suspended",
}

kinds["*"] = function(obj)
  local s = obj.status or {}
  if s.observedGeneration ~= nil and s.observedGeneration ~= obj.metadata.generation then
    return result("Progressing", "Update in progress")
  end
  if one_of(obj.kind, { "ConfigConnector", "ConfigConnectorContext" }) and s.healthy ~= nil then
    return result(s.healthy and "Healthy" or "Degraded", obj.kind .. (s.healthy and " is healthy" or " is not healthy"))
  end
  for _, c in ipairs(conditions(obj)) do
    local health = reasons[c.reason] or (c.reason == "UpToDate" and c.status == "True" and "Healthy")
    if health then
      return result(health, c.message)
    end
  end
  return result("Progressing", "Update in progress")
end

-- https://cloud.google.com/kubernetes-engine/docs/how-to/managed-certs
function kinds.ManagedCertificate(obj)
  local s = obj.status or {}
  for _, domain in ipairs(s.domainStatus or {}) do
    if domain.status == "FailedNotVisible" then
      return result("Degraded", "At least one certificate has failed to be provisioned")
    end
  end
  if s.certificateStatus == "Active" then
    return result("Healthy", "All certificates are active")
  end
  return result("Progressing", "At least one certificate is still being provisioned")
end
