-- https://cloudnative-pg.io/docs/: what the phases of a cluster mean
local phases = {
  Healthy = { "Cluster in healthy state" },
  Progressing = {
    "Setting up primary", "Creating a new replica", "Upgrading cluster", "Waiting for the instances to become active",
    "Promoting to primary cluster",
  },
  Degraded = {
    "Switchover in progress", "Failing over", "Upgrading Postgres major version", "Cluster upgrade delayed",
    "Waiting for user action", "Primary instance is being restarted in-place",
    "Primary instance is being restarted without a switchover",
    "Cluster cannot execute instance online upgrade due to missing architecture binary", "Online upgrade in progress",
    "Applying configuration",
  },
  Suspended = {
    "Unable to create required cluster objects",
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
    "Cluster has incomplete or invalid image catalog", "Cluster is unrecoverable and needs manual intervention",
  },
}

function kinds.Cluster(obj)
  local notes, s = obj.metadata.annotations or {}, obj.status or {}
  if notes["cnpg.io/reconciliationLoop"] == "disabled" then
    return result("Suspended", "Cluster reconciliation is suspended")
  elseif not s.conditions then
    return result("Progressing", s.phaseReason)
  end
  for _, c in ipairs(s.conditions) do
    if c.type == "cnpg.io/hibernation" then
      return result(c.status == "True" and "Suspended" or "Degraded", c.message)
    end
  end
  for status, list in pairs(phases) do
    if one_of(s.phase, list) then
      return result(status, s.phaseReason)
    end
  end
  return result("Unknown", s.phaseReason)
end
