-- https://gateway-api.sigs.k8s.io/
local function refused(list, prefix)
  for _, type in ipairs({ "ResolvedRefs", "Accepted" }) do
    for _, c in ipairs(list) do
      if c.type == type and c.status == "False" then
        return result("Degraded", prefix .. (c.message or ("Failed condition: " .. type)))
      end
    end
  end
end

-- nil when nothing is wrong with the conditions.
local function problem(list, prefix, what)
  local bad = refused(list, prefix)
  if bad then
    return bad
  end
  for _, c in ipairs(list) do
    if c.type == "Programmed" and c.status ~= "True" then
      return result("Progressing", prefix .. (c.message or (what .. " is still being programmed")))
    end
  end
end

function kinds.Gateway(obj)
  local s = obj.status or {}
  local bad = s.conditions and problem(s.conditions, "", "Gateway")
  for _, listener in ipairs(s.listeners or {}) do
    bad = bad or problem(listener.conditions or {}, "Listener: ", "Listener")
  end
  if bad then
    return bad
  elseif s.conditions or (s.listeners and #s.listeners > 0) then
    return result("Healthy", "Gateway is healthy")
  end
  return result("Progressing", "Waiting for Gateway status")
end

local function is_stale(obj, c)
  local wanted = obj.metadata.generation
  return wanted ~= nil and c.observedGeneration ~= nil and c.observedGeneration ~= wanted
end

local function any_stale(obj, list)
  for _, c in ipairs(list) do
    if is_stale(obj, c) then
      return true
    end
  end
  return false
end

-- What a parent said about an older generation of the route is left out where `fresh`.
local function route(fresh)
  return function(obj)
    local told = false
    for _, parent in ipairs(obj.status and obj.status.parents or {}) do
      local list = parent.conditions or {}
      if #list > 0 and not (fresh and any_stale(obj, list)) then
        local bad = problem(list, "Parent " .. (parent.parentRef.name or "") .. ": ", "Route")
        if bad then
          return bad
        end
        told = true
      end
    end
    if told then
      return result("Healthy", obj.kind .. " is healthy")
    end
    return result("Progressing", "Waiting for " .. obj.kind .. " status")
  end
end
kinds.HTTPRoute = route(true)
kinds.GRPCRoute = route(false)

function kinds.GatewayClass(obj)
  local states = {
    True = { "Healthy", "GatewayClass is accepted" },
    False = { "Degraded", "GatewayClass is not accepted" },
  }
  local waiting = "Waiting for GatewayClass status"
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Accepted" and not is_stale(obj, c) then
      local s = states[c.status] or { "Progressing", waiting }
      return result(s[1], c.message or s[2])
    end
  end
  return result("Progressing", waiting)
end

function kinds.BackendTLSPolicy(obj)
  local found = result("Progressing", "Waiting for BackendTLSPolicy status")
  local ancestors = obj.status and obj.status.ancestors or {}
  for _, a in ipairs(ancestors) do
    if any_stale(obj, a.conditions) then
      local who = a.ancestorRef.name or ""
      return result("Progressing", "Waiting for Ancestor " .. who .. " to update BackendTLSPolicy status")
    end
  end
  for _, a in ipairs(ancestors) do
    for _, c in ipairs(a.conditions) do
      if (c.type == "Accepted" or c.type == "ResolvedRefs") and c.status ~= "True" then
        return result("Degraded", "Ancestor " .. (a.ancestorRef.name or "") .. ": " .. c.message)
      elseif c.type == "Accepted" then
        found = result("Healthy", "BackendTLSPolicy is healthy")
      end
    end
  end
  return found
end
