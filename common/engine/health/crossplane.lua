-- https://docs.crossplane.io/: every kind of its groups, and of Upbound's
local crossplane = {
  without_status = {
    "Composition", "CompositionRevision", "DeploymentRuntimeConfig", "ClusterProviderConfig", "ProviderConfig",
    "ProviderConfigUsage", "ControllerConfig",
  },
  good = { "Ready", "Healthy", "Offered", "Established", "ValidPipeline", "RevisionHealthy" },
}
local upbound = {
  without_status = { "ClusterProviderConfig", "ProviderConfig", "ProviderConfigUsage" },
  good = { "Ready" },
}

kinds["*"] = function(obj)
  local s, rules = obj.status, obj.apiVersion:match("%.upbound%.io/") and upbound or crossplane
  if s == nil or (next(s) == nil and one_of(obj.kind, rules.without_status)) then
    return result("Healthy", "Resource is up-to-date.")
  elseif s.conditions == nil and s.users ~= nil and one_of(obj.kind, { "ProviderConfig", "ClusterProviderConfig" }) then
    return result("Healthy", "Resource is in use.")
  end
  local found = result("Progressing", "Provisioning ...")
  for _, c in ipairs(conditions(obj)) do
    if one_of(c.type, { "LastAsyncOperation", "Synced" }) and c.status == "False" then
      return result("Degraded", c.message)
    elseif one_of(c.type, rules.good) and c.status == "True" then
      found = result("Healthy", "Resource is up-to-date.")
    end
  end
  return found
end
