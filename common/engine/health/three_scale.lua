-- Red Hat 3scale API Management. https://github.com/3scale/3scale-operator/tree/master/doc
local default = {
  Invalid = "configuration is invalid",
  Orphan = "references non-existing resources",
  Failed = "synchronization failed",
  Waiting = "is waiting for approval",
}

-- good: the condition of an object that is well. others: those that are bad, with what is told without a message.
local function check(kind, good, others, failed)
  local rules = { { good, "True", "Healthy", "3scale " .. kind .. (good == "Ready" and " is ready" or " is synced") } }
  for _, type in ipairs(others) do
    local text = type == "Failed" and failed or default[type]
    rules[#rules + 1] = {
      type, "True", type == "Waiting" and "Suspended" or "Degraded", default = "3scale " .. kind .. " " .. text,
    }
  end
  kinds[kind] = by_conditions(rules, "Waiting for 3scale " .. kind .. " status...")
end
check("ActiveDoc", "Ready", { "Invalid", "Orphan", "Failed" })
check("ApplicationAuth", "Ready", { "Failed" }, "failed")
check("Backend", "Synced", { "Invalid", "Failed" })
check("CustomPolicyDefinition", "Ready", { "Invalid", "Failed" })
check("DeveloperAccount", "Ready", { "Invalid", "Failed", "Waiting" })
check("DeveloperUser", "Ready", { "Invalid", "Orphan", "Failed" })
check("OpenAPI", "Ready", { "Invalid", "Failed" }, "reconciliation failed")
check("Product", "Synced", { "Invalid", "Orphan", "Failed" })

kinds.ProxyConfigPromote = by_conditions({
  { "Ready", "True", "Healthy", "3scale ProxyConfigPromote is ready" },
  { "In-progress", "True", "Progressing", default = "3scale ProxyConfigPromote is in progress" },
  { "Failed", "True", "Degraded", default = "3cale ProxyConfigPromote failed" },
}, "Waiting for 3scale ProxyConfigPromote status...")

local user = kinds.DeveloperUser
function kinds.DeveloperUser(obj)
  if obj.status and obj.status.developerUserState == "suspended" then
    return result("Suspended", "3scale Developer user is waiting for admin approval")
  end
  return user(obj)
end

local function is_id(value)
  return type(value) == "number" and value > 0
end

function kinds.Application(obj)
  local s = obj.status or {}
  if s.state == "suspended" then
    return result("Suspended", "3scale Application is suspended")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" and c.status == "True" then
      return result("Healthy", "3scale Application is ready")
    elseif c.type == "Ready" and not is_id(s.adminId) then
      return result("Degraded", c.message or "3scale Application is not ready")
    end
  end
  return result("Progressing", "Waiting for 3scale Application status...")
end

function kinds.Tenant(obj)
  local s = obj.status or {}
  local ready, problem = false, nil
  for _, c in ipairs(conditions(obj)) do
    ready = ready or (c.type == "Ready" and c.status == "True")
    problem = problem or (c.type == "Ready" and c.status ~= "True" and c)
  end
  if ready and is_id(s.tenantId) and is_id(s.adminId) then
    return result("Healthy", "3scale Tenant is ready")
  elseif problem then
    return result("Degraded", problem.message or "3scale Tenant is degraded")
  end
  return result("Progressing", "Waiting for 3scale Tenant status...")
end

function kinds.APIManager(obj)
  local d = obj.status and obj.status.deployments
  if d and d.ready ~= nil and d.starting == nil and d.stopped == nil then
    return result("Healthy", "3scale APIManager is available")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Available" and c.status == "True" then
      return result("Healthy", "3scale APIManager is available")
    elseif c.type == "Available" and (c.reason or "") ~= "" then
      return result("Degraded", "3scale APIManager is degraded: " .. c.reason)
    end
  end
  return result("Progressing", "Waiting for 3scale APIManager status...")
end
