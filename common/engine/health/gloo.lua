-- https://docs.solo.io/gloo-edge/: a status, or one of each namespace; states are names or numbers
local states = {
  [0] = "Pending", [1] = "Accepted", [2] = "Rejected", [3] = "Warning",
  Pending = "Pending", Accepted = "Accepted", Rejected = "Rejected", Warning = "Warning",
}

local function judge(status)
  local state = states[status.state]
  if state == "Accepted" then
    return result("Healthy", "The resource has been validated")
  elseif state == "Pending" then
    return result("Suspended", "The resource has not yet been validated")
  elseif state then
    return result("Degraded", status.reason)
  end
end

kinds["*"] = function(obj)
  local namespaces = {}
  for name in pairs(obj.status and obj.status.statuses or {}) do
    namespaces[#namespaces + 1] = name
  end
  table.sort(namespaces)
  for _, name in ipairs(namespaces) do
    local found = judge(obj.status.statuses[name])
    if found then
      return found
    end
  end
  return obj.status and judge(obj.status) or result("Progressing", "Update in progress")
end
